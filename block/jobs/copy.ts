/**
 * What jobs share: cutting a run into pieces, copying one, and doing several at once.
 *
 * @module
 */
import { alignDown, alignUp } from "../../base/bits.ts";
import { IoVector } from "../../base/io_vector.ts";
import { KiB, MiB, NS_PER_S, SECTOR_BYTES } from "../../base/units.ts";
import { copyInKernel } from "../copy_in_kernel.ts";
import { blockStatus } from "../block_status.ts";
import type { BlockNode } from "../node.ts";

/** The largest piece of data that is copied in one request. */
export const PIECE_BYTES = 1 * MiB;
/** A run of zeroes that is written in one request: no bytes move, but others wait for it. */
export const ZERO_PIECE_BYTES = 64 * MiB;
/** What a job has begun to copy when it ends its step, at most: until then nobody can pause it. */
export const BATCH_BYTES = 16 * MiB;
/** Requests in flight at once, where the storage gains from it. */
const MAX_LANES = 16;
/** Writes to one file in the page cache wait for one another: while one is made, the next piece is read. */
const CACHED_FILE_LANES = 2;
/** Under a limit, pieces are as short as this, so that the limit is kept to evenly. */
const LIMITED_PIECE_NS = NS_PER_S / 10;
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

  /** One of `bytes`, or of a piece's if that is more. */
  take(bytes = PIECE_BYTES): Uint8Array {
    const free = this.#free.pop();
    return free !== undefined && free.length >= bytes ? free : new Uint8Array(Math.max(bytes, PIECE_BYTES));
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
  /** Files below both are copied inside the kernel where they can be. */
  readonly inKernel?: boolean;
  readonly buffers: PieceBuffers;
}

/** One request of a job, still to be made. */
export interface Task {
  readonly bytes: number;
  run(): Promise<void>;
}

/** How {@link inLanes} works. */
export interface LanesOptions {
  readonly lanes: number;
  readonly batchBytes: number;
  /** Nothing more is begun: the job was paused or cancelled. */
  readonly isEnough: () => boolean;
}

/**
 * Makes the requests that `next` gives, in their order, some at a time, until there are none, a batch is full or one has
 * failed.
 *
 * @returns the first failure, once all have ended
 */
export async function inLanes(
  next: () => Promise<Task | undefined>,
  { lanes, batchBytes, isEnough }: LanesOptions,
): Promise<{ readonly failure: unknown } | undefined> {
  const running = new Set<Promise<void>>();
  let failed: { readonly failure: unknown } | undefined;
  const fail = (failure: unknown) => void (failed ??= { failure });
  for (let begun = 0; begun < batchBytes && failed === undefined && !isEnough();) {
    const task = await next().catch(fail);
    if (task === undefined) break;
    begun += task.bytes;
    const one: Promise<void> = task.run().catch(fail).finally(() => void running.delete(one));
    running.add(one);
    if (running.size >= lanes) await Promise.race(running);
  }
  await Promise.all(running);
  return failed;
}

/** How many requests at a time `target` gains from. */
export function lanesFor(target: BlockNode): number {
  let node = target;
  for (let below = node.child("file"); below !== undefined; below = node.child("file")) node = below;
  return node.driver.name === "file" && !node.cacheDirect ? CACHED_FILE_LANES : MAX_LANES;
}

/** The longest piece of data for a job with this limit: whole units, at least one. */
export function pieceBytes(bytesPerSecond: number, unitBytes = SECTOR_BYTES): number {
  if (bytesPerSecond === 0) return Math.max(PIECE_BYTES, unitBytes);
  const wanted = Math.min(PIECE_BYTES, bytesPerSecond * LIMITED_PIECE_NS / NS_PER_S);
  return Math.max(unitBytes, Math.floor(wanted / unitBytes) * unitBytes);
}

/** How far one request from `at` may reach: over a piece of data, or over the zeroes that are there. @throws {CopyError} */
export async function reachOf(source: BlockNode, at: number, end: number, dataBytes: number): Promise<number> {
  if (end - at <= dataBytes || at >= source.size) return end;
  const status = await attempt("read", () => blockStatus(source, at, Math.min(end, source.size) - at));
  return at + (status.zero ? status.lengthBytes : Math.min(status.lengthBytes, dataBytes));
}

/** Copies what `source` shows of the range, zeroes as zeroes. @throws {CopyError} */
export async function copyRange(
  source: BlockNode,
  target: BlockNode,
  at: number,
  length: number,
  how: CopyHow,
): Promise<void> {
  const end = Math.min(at + length, source.size);
  const unit = how.compress === true ? packedUnit(target) : 1;
  for (let position = at; position < end;) {
    const start = position;
    const status = await attempt("read", () => blockStatus(source, start, end - start));
    // A cluster is packed whole: one of which a part reads as zeroes is data.
    const whole = start + status.lengthBytes >= end ? end - start : alignDown(status.lengthBytes, unit);
    const isZero = status.zero && whole > 0;
    const run = isZero ? whole : Math.min(end - start, alignUp(status.lengthBytes, unit), Math.max(PIECE_BYTES, unit));
    if (isZero) await attempt("write", () => writeZeroes(target, start, run, how.unmap ?? true));
    else await copyData(source, target, start, run, how);
    position += run;
  }
}

/** What `target` packs as one. */
function packedUnit(target: BlockNode): number {
  return target.driver.limits.optimalTransferBytes ?? MAX_UNIT_BYTES;
}

/** Where the target itself says that it holds zeroes, and may have holes, they are there. */
async function writeZeroes(target: BlockNode, at: number, length: number, unmap: boolean): Promise<void> {
  if (unmap && at + length <= target.size) {
    const there = await target.status(at, length);
    if (there.kind === "zero" && there.lengthBytes >= length) return;
  }
  await target.writeZeroes(at, length, { unmap });
}

async function copyData(
  source: BlockNode,
  target: BlockNode,
  at: number,
  length: number,
  how: CopyHow,
): Promise<void> {
  if (how.inKernel === true && how.compress !== true && await copyInKernel(source, at, target, at, length)) return;
  const buffer = how.buffers.take(length);
  try {
    const data = IoVector.of(buffer.subarray(0, length));
    await attempt("read", () => source.read(at, data));
    await attempt("write", () => how.compress === true ? writeCompressed(target, at, data) : target.write(at, data));
  } finally {
    how.buffers.give(buffer);
  }
}

/** From a cluster of the target's, whole ones, and what is left at the end of the disk. */
async function writeCompressed(target: BlockNode, at: number, data: IoVector): Promise<void> {
  const unit = packedUnit(target);
  for (let done = 0; done < data.length; done += unit) {
    await target.writeCompressed(at + done, data.slice(done, Math.min(unit, data.length - done)));
  }
}

/** The unit in which changes to `target` are noted: its clusters, in bounds. */
export async function defaultUnit(target: BlockNode): Promise<number> {
  const cluster = (await target.driver.info?.())?.clusterSizeBytes;
  if (cluster === undefined) return MAX_UNIT_BYTES;
  return Math.min(MAX_UNIT_BYTES, Math.max(MIN_UNIT_BYTES, cluster));
}
