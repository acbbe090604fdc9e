/**
 * The copying of `convert`: reads ahead, writes several pieces at once, leaves out what is zero.
 *
 * Pieces are cut at the target's own unit (a cluster of qcow2, 4 KiB else), read into a fixed number of buffers, looked
 * through for units of zeroes, and written; writes start in the order of the disk, so that the target grows in that order.
 * Memory is the buffers', whatever the size of the disk.
 *
 * Left out: offloading (copy_file_range): bytes go through memory.
 *
 * @module
 */
import { errnoText } from "../../base/errno.ts";
import { IoVector, isZero } from "../../base/io_vector.ts";
import { MiB, SECTOR_BYTES } from "../../base/units.ts";
import { BlockError, type BlockNode, errnoOf } from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import type { SourceDisk, SourceRun } from "./source_disk.ts";

/** How a disk is copied. */
export interface CopyPlan {
  readonly source: SourceDisk;
  readonly target: BlockNode;
  /** The target's unit, a power of two. */
  readonly unitBytes: number;
  readonly compressed: boolean;
  /** Shorter runs of zeroes are written; 0: all are. */
  readonly sparseBytes: number;
  /** What is not written reads as zeroes. */
  readonly startsZero: boolean;
  /** Sectors that cannot be read become zeroes, with a warning unless quiet. */
  readonly salvage: "off" | "warn" | "quiet";
  /** Pieces under way at once. */
  readonly depth: number;
  /** Bytes a second; 0 for no limit. */
  readonly rateBytes: number;
  /** Called now and then; throws to end it. */
  readonly check: () => void;
  /** Told of bytes that are done. */
  readonly progress: (bytes: number) => void;
}

const PIECE_BYTES = 2 * MiB;
/** Signals are let in this often. */
const TURN_MS = 50;

/** A run of the target's disk, in whole units but for its end. */
interface Piece {
  readonly at: number;
  readonly length: number;
  readonly kind: SourceRun["kind"];
}

/** Copies the whole disk. @throws {Exit} after saying what could not be read or written. */
export async function copyDisk(program: Program, plan: CopyPlan): Promise<void> {
  await new Copier(program, plan).run();
}

/** The bytes that will be copied or zeroed, for the progress. */
export async function bytesToCopy(program: Program, plan: CopyPlan): Promise<number> {
  return await new Copier(program, plan).count();
}

class Copier {
  readonly #program: Program;
  readonly #plan: CopyPlan;
  readonly #buffers: Uint8Array[] = [];
  #made = 0;
  #freed: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Ends when the writes of the last piece have been started. */
  #turn: Promise<void> = Promise.resolve();
  #lastTurnMs = performance.now();
  readonly #startMs = performance.now();
  #copied = 0;

  constructor(program: Program, plan: CopyPlan) {
    this.#program = program;
    this.#plan = plan;
  }

  async count(): Promise<number> {
    let bytes = 0;
    for await (const { kind, length } of this.#pieces()) if (this.#counts(kind)) bytes += length;
    return bytes;
  }

  /** Whether runs of this kind take time. */
  #counts(kind: SourceRun["kind"]): boolean {
    return kind === "data" || (kind === "zero" && this.#plan.sparseBytes === 0);
  }

  async run(): Promise<void> {
    const { source, target, progress } = this.#plan;
    for await (const piece of this.#pieces()) {
      if (this.#failure !== undefined) break;
      const { at, length, kind } = piece;
      if (kind === "backing") continue;
      if (kind === "zero" && this.#plan.sparseBytes > 0) {
        if (!this.#plan.startsZero) this.#next(() => target.writeZeroes(at, length, { unmap: true }), at);
        continue;
      }
      for (let done = 0; done < length && this.#failure === undefined;) {
        const step = Math.min(PIECE_BYTES - (at + done) % PIECE_BYTES, length - done);
        await this.#copy(at + done, step, kind, source);
        progress(step);
        done += step;
      }
    }
    await this.#turn;
    while (this.#buffers.length < this.#made) await this.#bufferFreed();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Cuts the disk into pieces. */
  async *#pieces(): AsyncGenerator<Piece> {
    const { source, unitBytes, check } = this.#plan;
    const size = source.sizeBytes;
    for (let at = 0; at < size;) {
      check();
      await this.#letSignalsIn();
      const run = await this.#status(at, size - at);
      let { kind } = run;
      let end = at + run.lengthBytes;
      if (end < size && end % unitBytes !== 0) {
        // A unit that is not wholly one thing is read.
        if (kind !== "data" && end - at >= unitBytes) end -= end % unitBytes;
        else {
          end = Math.min(size, end - end % unitBytes + unitBytes);
          kind = "data";
        }
      }
      yield { at, length: end - at, kind };
      at = end;
    }
  }

  async #status(at: number, length: number): Promise<SourceRun> {
    try {
      return await this.#plan.source.status(at, length);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      const text = `error while reading block status at offset ${at}: ${errnoText(errnoOf(error))}`;
      if (this.#plan.salvage === "off") return this.#program.fail(text);
      if (this.#plan.salvage === "warn") this.#program.error(`warning: ${text}`);
      return { kind: "data", lengthBytes: Math.min(length, this.#plan.unitBytes) };
    }
  }

  async #letSignalsIn(): Promise<void> {
    const now = performance.now();
    if (now - this.#lastTurnMs < TURN_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#lastTurnMs = performance.now();
  }

  /** Starts the copying of one buffer's worth; resolves when there is room for the next. */
  async #copy(at: number, length: number, kind: SourceRun["kind"], source: SourceDisk): Promise<void> {
    this.#plan.check();
    const buffer = await this.#buffer();
    const bytes = buffer.subarray(0, length);
    const reading = kind === "zero" ? void bytes.fill(0) : this.#read(source, at, bytes);
    reading?.catch(() => {});
    const before = this.#turn;
    this.#turn = (async () => {
      try {
        await before;
        await reading;
        if (this.#failure !== undefined) return this.#release(buffer);
        this.#finish(Promise.all(this.#writes(at, bytes)), at, buffer);
      } catch (error) {
        this.#failure ??= { error };
        this.#release(buffer);
      }
    })();
    this.#copied += length;
    await this.#slowDown();
  }

  /** Does something in the order of the disk. */
  #next(body: () => Promise<void>, at: number): void {
    const before = this.#turn;
    this.#turn = (async () => {
      await before;
      if (this.#failure === undefined) await body().catch((error) => this.#failed(error, at));
    })();
  }

  #finish(work: Promise<unknown>, at: number, buffer: Uint8Array): void {
    work.then(() => {}, (error) => this.#failed(error, at)).then(() => this.#release(buffer));
  }

  #failed(error: unknown, at: number): void {
    if (this.#failure !== undefined) return;
    if (!(error instanceof BlockError)) {
      this.#failure = { error };
      return;
    }
    this.#program.error(`error while writing at byte ${at}: ${errnoText(errnoOf(error))}`);
    this.#failure = { error: new Exit(1) };
  }

  async #read(source: SourceDisk, at: number, bytes: Uint8Array): Promise<void> {
    try {
      await source.read(at, IoVector.of(bytes));
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      if (this.#plan.salvage === "off") {
        if (this.#failure !== undefined) throw new Exit(1);
        return this.#program.fail(`error while reading at byte ${at}: ${errnoText(errnoOf(error))}`);
      }
      await this.#readSectors(source, at, bytes);
    }
  }

  /** Sector by sector; what cannot be read becomes zeroes. */
  async #readSectors(source: SourceDisk, at: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; done += SECTOR_BYTES) {
      const sector = bytes.subarray(done, Math.min(done + SECTOR_BYTES, bytes.length));
      try {
        await source.read(at + done, IoVector.of(sector));
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
        sector.fill(0);
        if (this.#plan.salvage === "quiet") continue;
        this.#program.error(`warning: error while reading offset ${at + done}: ${errnoText(errnoOf(error))}`);
      }
    }
  }

  /** Starts the writes of a buffer: what is not zero, in runs of units. */
  #writes(at: number, bytes: Uint8Array): Promise<void>[] {
    const { target, compressed, startsZero } = this.#plan;
    const writes: Promise<void>[] = [];
    for (const { start, end, zero } of this.#runs(bytes)) {
      if (zero) {
        if (!startsZero) writes.push(target.writeZeroes(at + start, end - start, { unmap: true }));
        continue;
      }
      const data = IoVector.of(bytes.subarray(start, end));
      writes.push(compressed ? target.writeCompressed(at + start, data) : target.write(at + start, data));
    }
    return writes;
  }

  /** Runs of units that are zero, or not. */
  #runs(bytes: Uint8Array): { start: number; end: number; zero: boolean }[] {
    const { unitBytes, sparseBytes, compressed } = this.#plan;
    const { length } = bytes;
    if (sparseBytes === 0) return [{ start: 0, end: length, zero: false }];
    const runs: { start: number; end: number; zero: boolean }[] = [];
    for (let start = 0; start < length; start += unitBytes) {
      const end = Math.min(start + unitBytes, length);
      const zero = isZero(bytes.subarray(start, end));
      const last = runs.at(-1);
      if (last !== undefined && last.zero === zero) last.end = end;
      else runs.push({ start, end, zero });
    }
    if (compressed || sparseBytes <= unitBytes) return runs;
    // Zeroes between data that are too few to be worth a hole.
    const merged: typeof runs = [];
    for (const [index, run] of runs.entries()) {
      const inner = index > 0 && index < runs.length - 1;
      const zero = run.zero && !(inner && run.end - run.start < sparseBytes);
      const last = merged.at(-1);
      if (last !== undefined && last.zero === zero) last.end = run.end;
      else merged.push({ ...run, zero });
    }
    return merged;
  }

  async #buffer(): Promise<Uint8Array> {
    for (;;) {
      const free = this.#buffers.pop();
      if (free !== undefined) return free;
      if (this.#made < this.#plan.depth) {
        this.#made++;
        return new Uint8Array(PIECE_BYTES);
      }
      await this.#bufferFreed();
    }
  }

  #bufferFreed(): Promise<void> {
    return new Promise((resolve) => this.#freed = resolve);
  }

  #release(buffer: Uint8Array): void {
    this.#buffers.push(buffer);
    this.#freed?.();
    this.#freed = undefined;
  }

  async #slowDown(): Promise<void> {
    const { rateBytes } = this.#plan;
    if (rateBytes === 0) return;
    const dueMs = this.#startMs + this.#copied / rateBytes * 1000;
    while (performance.now() < dueMs) {
      this.#plan.check();
      await new Promise((resolve) => setTimeout(resolve, Math.min(TURN_MS, dueMs - performance.now())));
    }
  }
}
