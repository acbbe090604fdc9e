/**
 * `null-co` and `null-aio`: a disk that forgets what is written and reads as anything at all, or as zeroes.
 *
 * What is measured over it is the cost of everything above. With `latency-ns` each request takes that long on the
 * virtual clock. Without `read-zeroes` a read leaves the caller's buffer as it was, as QEMU does.
 *
 * @module
 */
import { type Clock, sleep } from "../../../base/clocks.ts";
import type { IoVector } from "../../../base/io_vector.ts";
import { GiB } from "../../../base/units.ts";
import { DONE } from "../../done.ts";
import type { BlockDriver, DriverDefinition, Extent, Reopening, RequestLimits } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import type { BlockdevOptionsNull } from "../../options/blockdev.ts";

/** What `null-aio` answers with: done, but not before the caller has gone on. */
const SOON = Promise.resolve();

class NullDriver implements BlockDriver {
  readonly reopening: Reopening = { options: [] };
  readonly limits: RequestLimits = { alignBytes: 1 };
  readonly name: string;
  readonly size: number;
  readonly #latencyNs: number;
  readonly #readZeroes: boolean;
  readonly #clock: Clock;

  constructor(options: BlockdevOptionsNull, clock: Clock) {
    this.name = options.driver;
    this.size = options.size ?? GiB;
    this.#latencyNs = options["latency-ns"] ?? 0;
    this.#readZeroes = options["read-zeroes"] ?? false;
    this.#clock = clock;
  }

  read(_at: number, into: IoVector): Promise<void> {
    if (this.#readZeroes) into.fill(0);
    return this.#wait();
  }

  write(): Promise<void> {
    return this.#wait();
  }

  writeZeroes(): Promise<void> {
    return this.#wait();
  }

  discard(): Promise<void> {
    return this.#wait();
  }

  flush(): Promise<void> {
    return this.#wait();
  }

  async status(at: number, length: number): Promise<Extent> {
    return { lengthBytes: length, kind: this.#readZeroes ? "zero" : "data", hostOffset: at, allocated: true };
  }

  async truncate(): Promise<void> {
    throw new BlockError({
      kind: "unsupported",
      feature: "truncate",
      text: "Image format driver does not support resize",
    });
  }

  async allocatedBytes(): Promise<number> {
    return 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #wait(): Promise<void> {
    if (this.#latencyNs === 0) return this.name === "null-co" ? DONE : SOON;
    return sleep(this.#clock, this.#latencyNs);
  }
}

function define(name: "null-co" | "null-aio"): DriverDefinition<BlockdevOptionsNull> {
  return {
    name,
    kind: "protocol",
    parseFilename(filename) {
      if (filename === `${name}://`) return {};
      const text = `The only allowed filename for this driver is '${name}://'`;
      throw new BlockError({ kind: "option", option: "filename", text });
    },
    async open(options, context) {
      if ((options["latency-ns"] ?? 0) < 0) {
        throw new BlockError({ kind: "option", option: "latency-ns", text: "latency-ns is invalid" });
      }
      return new NullDriver({ ...options, driver: name }, context.clocks.virtual);
    },
  };
}

/** The `null-co` driver. */
export const nullCo: DriverDefinition<BlockdevOptionsNull> = define("null-co");
/** The `null-aio` driver. */
export const nullAio: DriverDefinition<BlockdevOptionsNull> = define("null-aio");
