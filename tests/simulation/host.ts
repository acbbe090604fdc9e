/**
 * A host with files that lose power together, and the `file` driver that opens them.
 *
 * Requests wait for the scheduler, where there is one; they may fail with EIO (a write then torn, a read cut short),
 * or with ENOSPC where the disk is full. Below the driver contract nothing is simulated: how the real file driver
 * continues a short `preadv` has its own tests.
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import type { Random } from "../../base/random.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import {
  type BlockDriver,
  BlockError,
  builtinDrivers,
  type DriverDefinition,
  type DriverTable,
  type Extent,
  ioError,
  type Operation,
} from "../../block/mod.ts";
import { DONE } from "../../block/done.ts";
import { SimulatedDisk } from "./disk.ts";
import type { Scheduler } from "./scheduler.ts";

/** Requests that fail, and how large a file may become. */
export interface Faults {
  readonly random: Random;
  /** One request in so many fails with EIO; 0: none. */
  oneIn: number;
  /** Writes that make a file longer than this fail with ENOSPC. */
  readonly capacityBytes: number;
}

/** A host that breaks a rule on purpose; the simulation must notice. */
export interface Plant {
  /** How many flushes pass by a write to `disk`, whose volatile bytes are those before the write. */
  late?(disk: SimulatedDisk, at: number, bytes: Uint8Array): number;
  /** Whether a flush is answered without being done. */
  dropFlush?(): boolean;
}

/** Files by name. */
export class SimulatedHost {
  readonly files = new Map<string, SimulatedDisk>();
  scheduler: Scheduler | undefined;
  faults: Faults | undefined;
  plant: Plant | undefined;
  /** Called after each change, for those that want to lose power without a scheduler. */
  changed: () => void = () => {};

  constructor(files: ReadonlyMap<string, Uint8Array> = new Map()) {
    for (const [name, content] of files) this.files.set(name, new SimulatedDisk(content));
  }

  /** What all files are after power was lost now. */
  afterPowerLoss(random: Random): Map<string, Uint8Array> {
    return new Map([...this.files].map(([name, disk]) => [name, disk.afterPowerLoss(random)]));
  }

  /** moa's drivers with this host's files in place of the real ones. */
  get drivers(): DriverTable {
    const file: DriverDefinition = {
      name: "file",
      kind: "protocol",
      createOptions: [],
      create: async (_values, { filename }) => void this.files.set(filename, new SimulatedDisk()),
      open: async (options) => {
        const filename = String((options as { filename?: unknown }).filename);
        const disk = this.files.get(filename);
        if (disk === undefined) throw new BlockError({ kind: "open", path: filename, errno: "ENOENT" });
        return new SimulatedFile(this, disk);
      },
    };
    return { ...builtinDrivers, load: (name) => name === "file" ? Promise.resolve(file) : builtinDrivers.load(name) };
  }

  /** Does `effect` when its turn has come. */
  perform(effect: () => void): Promise<void> {
    const done = () => {
      effect();
      this.changed();
    };
    if (this.scheduler !== undefined) return this.scheduler.perform(done);
    done();
    return DONE;
  }

  /** Whether this request is one of those that fail. */
  fails(): boolean {
    const { faults } = this;
    return faults !== undefined && faults.oneIn > 0 && faults.random.below(faults.oneIn) === 0;
  }
}

/** An open file. */
class SimulatedFile implements BlockDriver {
  readonly name = "file";
  readonly limits = { alignBytes: 1 };
  readonly #host: SimulatedHost;
  readonly #disk: SimulatedDisk;

  constructor(host: SimulatedHost, disk: SimulatedDisk) {
    this.#host = host;
    this.#disk = disk;
  }

  get size(): number {
    return this.#disk.size;
  }

  read(at: number, into: IoVector): Promise<void> {
    return this.#host.perform(() => {
      const short = this.#host.fails();
      const length = short ? this.#host.faults!.random.below(into.length) : into.length;
      into.copyFrom(this.#disk.read(at, length));
      if (short) throw ioError("read", "EIO", { offsetBytes: at, lengthBytes: into.length });
    });
  }

  write(at: number, from: IoVector): Promise<void> {
    return this.#put("write", at, from.toBytes().slice());
  }

  writeZeroes(at: number, length: number): Promise<void> {
    return this.#put("write-zeroes", at, new Uint8Array(length));
  }

  #put(operation: Operation, at: number, bytes: Uint8Array): Promise<void> {
    const host = this.#host;
    const write = this.#disk.begin(at, bytes);
    return host.perform(() => {
      const late = host.plant?.late?.(this.#disk, at, bytes) ?? 0;
      const isFull = at + bytes.length > (host.faults?.capacityBytes ?? Infinity) && at + bytes.length > this.size;
      if (!isFull && !host.fails()) return this.#disk.end(write, bytes.length, late);
      const reached = isFull ? 0 : host.faults!.random.below(bytes.length / SECTOR_BYTES + 1) * SECTOR_BYTES;
      this.#disk.end(write, Math.min(reached, bytes.length), late);
      throw ioError(operation, isFull ? "ENOSPC" : "EIO", { offsetBytes: at, lengthBytes: bytes.length });
    });
  }

  discard(at: number, length: number): Promise<void> {
    return this.#host.perform(() => {
      if (this.#host.fails()) throw ioError("discard", "EIO", { offsetBytes: at, lengthBytes: length });
      this.#disk.erase(at, length);
    });
  }

  flush(): Promise<void> {
    const mark = this.#disk.flushMark;
    return this.#host.perform(() => {
      if (this.#host.plant?.dropFlush?.() === true) return;
      if (this.#host.fails()) throw ioError("flush", "EIO");
      this.#disk.flushed(mark);
    });
  }

  async status(at: number, length: number): Promise<Extent> {
    return { lengthBytes: length, kind: "data", hostOffset: at, allocated: true };
  }

  truncate(size: number): Promise<void> {
    return this.#host.perform(() => {
      if (size > this.size && size > (this.#host.faults?.capacityBytes ?? Infinity)) {
        throw ioError("truncate", "ENOSPC");
      }
      if (this.#host.fails()) throw ioError("truncate", "EIO");
      this.#disk.truncate(size);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
