/**
 * A memory disk for tests: it notes its requests, takes its time over them, and fails when told.
 *
 * @module
 */
import { IoVector } from "../../../base/io_vector.ts";
import { SeededRandom } from "../../../base/random.ts";
import type { RequestLimits } from "../../driver.ts";
import { MemoryDriver } from "./memory.ts";

/** A memory disk that notes what it is asked for, and lets each request wait for a few turns of the event loop. */
export class SlowMemory extends MemoryDriver {
  readonly log: string[] = [];
  readonly #random: SeededRandom;
  /** The most turns that a request waits. */
  turns: number;
  flushes = 0;
  /** Thrown by the next request, then forgotten. */
  failNext: Error | undefined;

  constructor(size: number, limits: RequestLimits, options: { seed?: number; turns?: number } = {}) {
    super(size, limits);
    this.#random = new SeededRandom(options.seed ?? 1);
    this.turns = options.turns ?? 0;
  }

  override async read(at: number, into: IoVector): Promise<void> {
    await this.#enter("read", at, into.length);
    await super.read(at, into);
  }

  override async write(at: number, from: IoVector): Promise<void> {
    // Data is taken at the start and lands at the end, as with a real device.
    const data = IoVector.of(from.toBytes().slice());
    await this.#enter("write", at, from.length);
    await super.write(at, data);
  }

  override async writeZeroes(at: number, length: number): Promise<void> {
    await this.#enter("zero", at, length);
    await super.writeZeroes(at, length);
  }

  override async discard(at: number, length: number): Promise<void> {
    await this.#enter("discard", at, length);
    await super.discard(at, length);
  }

  override async flush(): Promise<void> {
    this.flushes++;
    await this.#enter("flush", 0, 0);
  }

  async #enter(what: string, at: number, length: number): Promise<void> {
    this.log.push(`${what} ${at}+${length}`);
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure !== undefined) throw failure;
    if (at % this.limits.alignBytes !== 0 || length % this.limits.alignBytes !== 0) {
      throw new Error(`${what} ${at}+${length} is not aligned`);
    }
    for (let turn = this.turns === 0 ? 0 : this.#random.below(this.turns); turn > 0; turn--) await Promise.resolve();
  }
}
