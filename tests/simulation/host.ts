/**
 * A host with files that lose power together, and the `file` driver that opens them.
 *
 * Requests wait for the scheduler, where there is one. System calls may end early: how transfers go on is the real file
 * driver's own code. They may fail with EIO (a write then torn, a read cut short), or with ENOSPC where the disk is full.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
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
} from "../../block/mod.ts";
import { DONE } from "../../block/done.ts";
import type { FileEngine } from "../../block/protocols/file/engine.ts";
import { EIO_RESULT } from "../../block/protocols/file/results.ts";
import { bouncePool, readAll, type TransferTarget, writeAll } from "../../block/protocols/file/transfer.ts";
import { SimulatedDisk } from "./disk.ts";
import type { FileContent } from "./pages.ts";
import type { Scheduler } from "./scheduler.ts";

/** Requests that fail, and how large a file may become. */
export interface Faults {
  readonly random: Random;
  /** One request in so many fails with EIO; 0: none. */
  oneIn: number;
  /** One transfer in so many ends early, though nothing is wrong; 0: none. */
  readonly shortOneIn: number;
  /** Writes that make a file longer than this fail with ENOSPC. */
  readonly capacityBytes: number;
}

/** A host, or an image, that breaks a rule on purpose; the simulation must notice. */
export interface Plant {
  /** Called with the driver of each guest's disk that is opened. */
  opened?(driver: BlockDriver): void;
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

  constructor(files: ReadonlyMap<string, FileContent> = new Map()) {
    for (const [name, content] of files) this.files.set(name, new SimulatedDisk(content));
  }

  /** What all files are after power was lost now. */
  afterPowerLoss(random: Random): Map<string, FileContent> {
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
        return new SimulatedFile(this, disk, filename);
      },
    };
    return { ...builtinDrivers, load: (name) => name === "file" ? Promise.resolve(file) : builtinDrivers.load(name) };
  }

  /** What all files hold. */
  contents(): Map<string, FileContent> {
    return new Map([...this.files].map(([name, disk]) => [name, disk.content()]));
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

  /** A system call: {@link perform} for what has a result. */
  async call(effect: () => number): Promise<number> {
    let result = 0;
    await this.perform(() => void (result = effect()));
    return result;
  }

  /**
   * How much of a transfer at `at` is done before it ends: all of it, or, now and then, its first sectors. No sector is
   * cut in two: a write that does that to another one's reader, or to a disk without power, is nobody's mistake.
   */
  reach(at: number, lengthBytes: number): number {
    const { faults } = this;
    if (faults === undefined || faults.shortOneIn === 0 || faults.random.below(faults.shortOneIn) > 0) {
      return lengthBytes;
    }
    const end = at + 1 + faults.random.below(lengthBytes);
    const whole = end - end % SECTOR_BYTES - at;
    return whole > 0 ? Math.min(whole, lengthBytes) : lengthBytes;
  }

  /** Whether this request is one of those that fail. */
  fails(): boolean {
    const { faults } = this;
    return faults !== undefined && faults.oneIn > 0 && faults.random.below(faults.oneIn) === 0;
  }
}

const ENOSPC_RESULT = -28;

/** System calls on one file. */
class SimulatedEngine implements FileEngine {
  readonly name = "threads";
  readonly #host: SimulatedHost;
  readonly #disk: SimulatedDisk;

  constructor(host: SimulatedHost, disk: SimulatedDisk) {
    this.#host = host;
    this.#disk = disk;
  }

  read(_descriptor: number, at: number, slices: readonly Uint8Array[]): Promise<number> {
    const host = this.#host;
    const into = IoVector.from(slices);
    return host.call(() => {
      const fails = host.fails();
      const length = fails ? host.faults!.random.below(into.length) : host.reach(at, into.length);
      const inside = Math.max(0, Math.min(length, this.#disk.size - at));
      const bytes = new Uint8Array(inside);
      this.#disk.read(at, bytes);
      into.copyFrom(bytes);
      return fails ? EIO_RESULT : inside;
    });
  }

  write(_descriptor: number, at: number, slices: readonly Uint8Array[]): Promise<number> {
    const host = this.#host;
    const disk = this.#disk;
    const bytes = IoVector.from(slices).toBytes().slice();
    const write = disk.begin(at, bytes);
    return host.call(() => {
      const late = host.plant?.late?.(disk, at, bytes) ?? 0;
      const isFull = at + bytes.length > (host.faults?.capacityBytes ?? Infinity) && at + bytes.length > disk.size;
      if (!isFull && !host.fails()) {
        const length = host.reach(at, bytes.length);
        disk.end(write, length, late);
        return length;
      }
      const reached = isFull ? 0 : host.faults!.random.below(bytes.length / SECTOR_BYTES + 1) * SECTOR_BYTES;
      disk.end(write, Math.min(reached, bytes.length), late);
      return isFull ? ENOSPC_RESULT : EIO_RESULT;
    });
  }

  flush(): Promise<number> {
    const mark = this.#disk.flushMark;
    return this.#host.call(() => {
      if (this.#host.plant?.dropFlush?.() === true) return 0;
      if (this.#host.fails()) return EIO_RESULT;
      this.#disk.flushed(mark);
      return 0;
    });
  }

  allocate(): Promise<number> {
    throw new Error("the simulated file has no holes");
  }

  close(): void {}
}

/** An open file. */
class SimulatedFile implements BlockDriver {
  readonly name = "file";
  readonly limits = { alignBytes: 1 };
  readonly #host: SimulatedHost;
  readonly #disk: SimulatedDisk;
  readonly #target: TransferTarget;

  constructor(host: SimulatedHost, disk: SimulatedDisk, path: string) {
    this.#host = host;
    this.#disk = disk;
    const engine = new SimulatedEngine(host, disk);
    this.#target = { engine, descriptor: 0, path, memoryAlignBytes: 1, bounce: bouncePool(1) };
  }

  get size(): number {
    return this.#disk.size;
  }

  read(at: number, into: IoVector): Promise<void> {
    if (this.#host.scheduler !== undefined) return readAll(this.#target, at, into);
    for (let done = 0, i = 0; i < into.slices.length; done += into.slices[i++]!.length) {
      this.#disk.read(at + done, into.slices[i]!);
    }
    return DONE;
  }

  write(at: number, from: IoVector): Promise<void> {
    return writeAll(this.#target, at, from);
  }

  writeZeroes(at: number, length: number): Promise<void> {
    return writeAll(this.#target, at, IoVector.allocate(length));
  }

  discard(at: number, length: number): Promise<void> {
    return this.#host.perform(() => {
      if (this.#host.fails()) throw ioError("discard", "EIO", { offsetBytes: at, lengthBytes: length });
      this.#disk.erase(at, length);
    });
  }

  async flush(): Promise<void> {
    if (await this.#target.engine.flush(0) < 0) throw ioError("flush", "EIO");
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
