/**
 * The copying of `convert`: reads ahead, writes several pieces at once, leaves out what is zero.
 *
 * Pieces are cut at the target's own unit (a cluster of qcow2, 4 KiB else), read into a fixed number of buffers, looked
 * through for units of zeroes, and written; writes start in the order of the disk, so that the target grows in that order.
 * Memory is the buffers', whatever the size of the disk.
 *
 * What the page cache has is read at once by this thread, and goes on to be written without a promise in between; writes
 * are the kernel's threads'. With `offload` (`-C`) data is copied inside the kernel where both ends are plain files.
 *
 * @module
 */
import { errnoText } from "../../base/errno.ts";
import { IoVector } from "../../base/io_vector.ts";
import { KiB, MiB } from "../../base/units.ts";
import { BlockError, type BlockNode, DONE, errnoOf } from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { CopyBuffers } from "./copy_buffers.ts";
import { type Offload, readSectors } from "./copy_ways.ts";
import type { SourceDisk, SourceRun } from "./source_disk.ts";
import { Pace, Turns } from "./turns.ts";
import { zeroRuns } from "./zero_runs.ts";

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
  /** Copies inside the kernel, where that is wanted and can be done. */
  readonly offload?: Offload | undefined;
  /** Called now and then; throws to end it. */
  readonly check: () => void;
  /** Told of bytes that are done. */
  readonly progress: (bytes: number) => void;
}

/** Large enough for few calls, small enough for all buffers together to stay in the processor's cache. */
const PIECE_BYTES = MiB;
/** Compressing takes longer than anything else about a piece: smaller ones keep all threads busy. */
const COMPRESSED_PIECE_BYTES = 512 * KiB;

/** A run of the target's disk, in whole units but for its end. */
interface Piece {
  readonly at: number;
  readonly length: number;
  readonly kind: SourceRun["kind"];
}

/** Copies the whole disk. @throws {Exit} after saying what could not be read or written. */
export async function copyDisk(program: Program, plan: CopyPlan): Promise<void> {
  using copier = new Copier(program, plan);
  await copier.run();
}

/** The bytes that will be copied or zeroed, for the progress. */
export async function bytesToCopy(program: Program, plan: CopyPlan): Promise<number> {
  using copier = new Copier(program, plan);
  return await copier.count();
}

class Copier implements Disposable {
  readonly #program: Program;
  readonly #plan: CopyPlan;
  readonly #pieceBytes: number;
  readonly #cut: { readonly unitBytes: number; readonly sparseBytes: number };
  #pool: CopyBuffers | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Ends when the writes of the last piece that had to wait have been started. */
  #turn: Promise<void> = Promise.resolve();
  /** Pieces that wait for their turn: those behind them wait too. */
  #queued = 0;
  readonly #turns = new Turns();
  readonly #pace: Pace;
  #copied = 0;

  constructor(program: Program, plan: CopyPlan) {
    this.#program = program;
    this.#plan = plan;
    const { unitBytes, sparseBytes, compressed, offload } = plan;
    this.#pieceBytes = Math.max(unitBytes, compressed ? COMPRESSED_PIECE_BYTES : PIECE_BYTES);
    // A compressed cluster is one thing: no zeroes are too short to be left out. What is copied in the kernel is not
    // looked at, and so none of it is.
    const shortest = offload !== undefined ? 0 : compressed ? Math.min(sparseBytes, unitBytes) : sparseBytes;
    this.#cut = { unitBytes, sparseBytes: shortest };
    this.#pace = new Pace(plan.rateBytes);
  }

  [Symbol.dispose](): void {
    this.#pool?.[Symbol.dispose]();
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
    this.#pool = new CopyBuffers(this.#plan.depth, this.#pieceBytes);
    try {
      for await (const piece of this.#pieces()) {
        if (this.#failure !== undefined) break;
        await this.#copyPiece(piece);
      }
    } catch (error) {
      this.#failure ??= { error };
    }
    await this.#turn;
    await this.#pool.all();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #copyPiece({ at, length, kind }: Piece): Promise<void> {
    const { target, sparseBytes, startsZero, offload } = this.#plan;
    if (kind === "backing") return;
    if (kind === "zero" && sparseBytes > 0) {
      if (!startsZero) this.#next(() => target.writeZeroes(at, length, { unmap: true }), at);
      return;
    }
    for (let done = 0; done < length && this.#failure === undefined;) {
      const step = Math.min(this.#pieceBytes - (at + done) % this.#pieceBytes, length - done);
      this.#plan.check();
      if (kind !== "data" || offload === undefined || !await this.#offload(offload, at + done, step)) {
        const buffer = await this.#buffer();
        this.#copy(buffer, at + done, step, kind);
      }
      done += step;
      this.#copied += step;
      if (this.#plan.rateBytes > 0) await this.#slowDown();
      await this.#turns.take();
    }
  }

  /** Cuts the disk into pieces; data that is told of bit by bit, as compressed clusters are, is put together again. */
  async *#pieces(): AsyncGenerator<Piece> {
    let data: Piece | undefined;
    for await (const piece of this.#runs()) {
      if (data !== undefined) {
        const joins = piece.kind === "data" && data.length < this.#pieceBytes;
        if (joins) {
          data = { ...data, length: data.length + piece.length };
          continue;
        }
        yield data;
        data = undefined;
      }
      if (piece.kind === "data" && piece.length < this.#pieceBytes) data = piece;
      else yield piece;
    }
    if (data !== undefined) yield data;
  }

  /** The runs of the source, in whole units. */
  async *#runs(): AsyncGenerator<Piece> {
    const { source, unitBytes, check } = this.#plan;
    const size = source.sizeBytes;
    for (let at = 0; at < size;) {
      check();
      await this.#turns.take();
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

  /** A free buffer, waited for if need be. */
  async #buffer(): Promise<Uint8Array> {
    for (;;) {
      const free = this.#pool!.take();
      if (free !== undefined) return free;
      await this.#pool!.given();
    }
  }

  /** Copies inside the kernel; `false` where that cannot be done, here and from now on. */
  async #offload(offload: Offload, at: number, length: number): Promise<boolean> {
    if (!await offload.copy(at, length)) return false;
    this.#plan.progress(length);
    return true;
  }

  /** Starts the copying of one buffer's worth. */
  #copy(buffer: Uint8Array, at: number, length: number, kind: SourceRun["kind"]): void {
    const bytes = buffer.subarray(0, length);
    const reading = kind === "zero" ? this.#clear(bytes) : this.#read(at, bytes);
    if (reading === DONE && this.#queued === 0) return this.#write(buffer, at, length);
    reading.catch(() => {});
    const before = this.#turn;
    this.#queued++;
    this.#turn = (async () => {
      try {
        await before;
        await reading;
        if (this.#failure !== undefined) return this.#pool!.give(buffer);
        this.#write(buffer, at, length);
      } catch (error) {
        this.#failure ??= { error };
        this.#pool!.give(buffer);
      } finally {
        this.#queued--;
      }
    })();
  }

  #clear(bytes: Uint8Array): Promise<void> {
    bytes.fill(0);
    return DONE;
  }

  /** Does something in the order of the disk. */
  #next(body: () => Promise<void>, at: number): void {
    const before = this.#turn;
    this.#queued++;
    this.#turn = (async () => {
      await before;
      try {
        if (this.#failure === undefined) await body();
      } catch (error) {
        this.#failed(error, at);
      } finally {
        this.#queued--;
      }
    })();
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

  #read(at: number, bytes: Uint8Array): Promise<void> {
    const work = this.#plan.source.read(at, IoVector.of(bytes));
    return work === DONE ? DONE : this.#readSlowly(work, at, bytes);
  }

  async #readSlowly(work: Promise<void>, at: number, bytes: Uint8Array): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      const { salvage, source } = this.#plan;
      if (salvage === "off") {
        if (this.#failure !== undefined) throw new Exit(1);
        return this.#program.fail(`error while reading at byte ${at}: ${errnoText(errnoOf(error))}`);
      }
      await readSectors(source, at, bytes, (offset, cause) => {
        if (salvage === "quiet") return;
        this.#program.error(`warning: error while reading offset ${offset}: ${errnoText(errnoOf(cause))}`);
      });
    }
  }

  /** Starts the writes of a buffer: what is not zero, in runs of units. The buffer is given back after the last one. */
  #write(buffer: Uint8Array, at: number, length: number): void {
    const { target, compressed, startsZero } = this.#plan;
    const bytes = buffer.subarray(0, length);
    let left = 1;
    const ended = () => {
      if (--left > 0) return;
      this.#pool!.give(buffer);
      this.#plan.progress(length);
    };
    const failed = (error: unknown, where: number) => {
      this.#failed(error, where);
      ended();
    };
    for (const { start, end, zero } of zeroRuns(bytes, this.#cut)) {
      if (zero && startsZero) continue;
      const data = IoVector.of(bytes.subarray(start, end));
      const work = zero
        ? target.writeZeroes(at + start, end - start, { unmap: true })
        : compressed
        ? target.writeCompressed(at + start, data)
        : target.write(at + start, data);
      if (work === DONE) continue;
      left++;
      work.then(ended, (error) => failed(error, at + start));
    }
    ended();
  }

  async #slowDown(): Promise<void> {
    await this.#pace.wait(this.#copied, this.#plan.check);
  }
}
