/**
 * What jobs share: cutting a run into pieces, copying one, and doing several at once.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { KiB, MiB } from "../../base/units.ts";
import { blockStatus } from "../block_status.ts";
import { errnoOf } from "../errors.ts";
import type { BlockNode } from "../node.ts";

/** The largest piece that is copied in one request. */
export const PIECE_BYTES = 1 * MiB;
/** Pieces in flight at once. */
export const PARALLEL_PIECES = 8;
/** Granularities that are chosen where users choose none. */
const MIN_UNIT_BYTES = 4 * KiB;
const MAX_UNIT_BYTES = 64 * KiB;

/** A request that failed, and whose: what error policies are chosen by. */
export class CopyError extends Error {
  override readonly name = "CopyError";
  readonly operation: "read" | "write";
  override readonly cause: unknown;

  constructor(operation: "read" | "write", cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause));
    this.operation = operation;
    this.cause = cause;
  }
}

/** Runs `work`; what it throws says whether it read or wrote. @throws {CopyError} */
export async function attempt<T>(operation: "read" | "write", work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof CopyError ? error : new CopyError(operation, error);
  }
}

/** Pooled buffers of one piece each: a job makes as many as it has pieces in flight. */
export class PieceBuffers {
  readonly #free: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(PIECE_BYTES);
  }

  give(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }
}

/** How {@link copyRange} writes. */
export interface CopyHow {
  /** What reads as zeroes may be unmapped in the target. */
  readonly unmap?: boolean;
  /** Whole clusters are written compressed. */
  readonly compress?: boolean;
  readonly buffers: PieceBuffers;
}

/** Copies what `source` shows of the range, zeroes as zeroes; the range is no longer than a piece. @throws {CopyError} */
export async function copyRange(
  source: BlockNode,
  target: BlockNode,
  at: number,
  length: number,
  how: CopyHow,
): Promise<void> {
  const end = Math.min(at + length, source.size);
  for (let position = at; position < end;) {
    const start = position;
    const status = await attempt("read", () => blockStatus(source, start, end - start));
    const run = Math.min(status.lengthBytes, end - start);
    if (status.zero) {
      const unmap = how.unmap ?? true;
      await attempt("write", () => target.writeZeroes(start, run, { unmap }));
    } else await copyData(source, target, start, run, how);
    position += run;
  }
}

async function copyData(
  source: BlockNode,
  target: BlockNode,
  at: number,
  length: number,
  how: CopyHow,
): Promise<void> {
  const buffer = how.buffers.take();
  try {
    const data = IoVector.of(buffer.subarray(0, length));
    await attempt("read", () => source.read(at, data));
    await attempt("write", () => how.compress === true ? writeCompressed(target, at, data) : target.write(at, data));
  } finally {
    how.buffers.give(buffer);
  }
}

/** As far as clusters are whole, and they may be written so: else plainly. */
async function writeCompressed(target: BlockNode, at: number, data: IoVector): Promise<void> {
  const unit = target.driver.limits.optimalTransferBytes ?? MAX_UNIT_BYTES;
  for (let done = 0; done < data.length; done += unit) {
    const part = data.slice(done, Math.min(unit, data.length - done));
    try {
      await target.writeCompressed(at + done, part);
    } catch (error) {
      // What is allocated already cannot be packed again.
      if (errnoOf(error) !== "EIO" && errnoOf(error) !== "EINVAL") throw error;
      await target.write(at + done, part);
    }
  }
}

/** The unit in which changes to `target` are noted: its clusters, in bounds. */
export async function defaultUnit(target: BlockNode): Promise<number> {
  const cluster = (await target.driver.info?.())?.clusterSizeBytes;
  if (cluster === undefined) return MAX_UNIT_BYTES;
  return Math.min(MAX_UNIT_BYTES, Math.max(MIN_UNIT_BYTES, cluster));
}
