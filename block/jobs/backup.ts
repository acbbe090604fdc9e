/**
 * `backup`: the target becomes what the source was when the job began, while the guest writes on.
 *
 * A filter over the source copies what the guest is about to write over; the job copies the rest. What is copied at all
 * is said by the mode: everything, what the source itself holds, what a dirty bitmap has, or only what is written over.
 *
 * The user's bitmap is busy meanwhile and goes on recording. At the end it holds what a next incremental backup needs: what
 * was written since this one began, and where this one failed, what it had before as well.
 *
 * @module
 */
import { KiB } from "../../base/units.ts";
import { DirtyBitmap } from "../bitmap.ts";
import { chainStatus } from "../chain.ts";
import { BlockError } from "../errors.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, childPermissions, Permission } from "../permissions.ts";
import { drained, insertFilter, removeFilter } from "../rewire.ts";
import { CopyBeforeWrite } from "./backup_top.ts";
import {
  BATCH_BYTES,
  CopyError,
  defaultUnit,
  inLanes,
  lanesFor,
  PieceBuffers,
  pieceBytes,
  reachOf,
  type Task,
  ZERO_PIECE_BYTES,
} from "./copy.ts";
import type { Job, JobOptions } from "./job.ts";
import type { JobErrorPolicy, JobStep, JobWork } from "./work.ts";

/** What becomes of a bitmap: always, never, or where the job went well it forgets what was copied. */
export type BitmapMode = "on-success" | "never" | "always";

/** How to back up. */
export interface BackupOptions extends JobOptions {
  readonly source: BlockNode;
  readonly target: BlockNode;
  readonly sync: "full" | "top" | "none" | "bitmap";
  readonly bitmap?: DirtyBitmap | undefined;
  readonly bitmapMode?: BitmapMode | undefined;
  readonly compress?: boolean | undefined;
  /** Requests in flight at most; by default as many as the target gains from. */
  readonly maxWorkers?: number | undefined;
  /** Bytes of a request at most, from a unit of the job's; 0 for no limit of the user's. */
  readonly maxChunkBytes?: number | undefined;
  /** Data is copied inside the kernel where both ends are files; by default it is not: that is slow but for reflinks. */
  readonly useCopyRange?: boolean | undefined;
  readonly onSourceError?: JobErrorPolicy | undefined;
  readonly onTargetError?: JobErrorPolicy | undefined;
  readonly filterNodeName?: string | undefined;
  /** Held by whoever made the target for this job alone: let go at the end. */
  readonly releaseTarget?: boolean;
}

/** Makes and starts the job; the moment that is copied is that of its start. @throws {BlockError} */
export async function startBackup(graph: BlockGraph, options: BackupOptions): Promise<Job> {
  return await drained([options.source], async () => {
    const job = await createBackup(graph, options);
    job.start();
    return job;
  });
}

/** Makes the job; writes of the guest are caught from now on. It is to be started, or abandoned. @throws {BlockError} */
export async function createBackup(graph: BlockGraph, options: BackupOptions): Promise<Job> {
  const { source, target, compress, maxChunkBytes = 0 } = options;
  if (source.size !== target.size) throw stateError("Source and target image have different sizes");
  if (compress === true && target.driver.writeCompressed === undefined) {
    throw stateError(`Compression is not supported for this drive ${target.name}`);
  }
  const unit = await unitFor(target);
  if (maxChunkBytes !== 0 && maxChunkBytes < unit) {
    throw stateError(`Required max-chunk (${maxChunkBytes}) is less than backup cluster size (${unit})`);
  }
  return await drained([source], async () => {
    const work = new Backup(graph, options);
    return await graph.jobs.create(work, options, (made) => work.setUp(made));
  });
}

/** What is copied as a whole, in bytes. */
async function unitFor(target: BlockNode): Promise<number> {
  return Math.max(64 * KiB, await defaultUnit(target), target.driver.limits.optimalTransferBytes ?? 0);
}

class Backup implements JobWork {
  readonly type = "backup";
  readonly #graph: BlockGraph;
  readonly #options: BackupOptions;
  #top: CopyBeforeWrite | undefined;
  #filter: BlockNode | undefined;
  /** What the guest wrote since the job began. */
  #since: DirtyBitmap | undefined;
  #succeeded = false;
  /** What was to be copied when the job began. */
  #totalBytes = 0;

  /** With `none`, to be cancelled is its regular end. */
  get fills(): BlockNode | undefined {
    return this.#options.sync === "none" ? undefined : this.#options.target;
  }

  constructor(graph: BlockGraph, options: BackupOptions) {
    this.#graph = graph;
    this.#options = options;
  }

  async setUp(job: Job): Promise<void> {
    const graph = this.#graph;
    const { source, target, filterNodeName, bitmap, compress, useCopyRange } = this.#options;
    try {
      const unit = await unitFor(target);
      const left = new DirtyBitmap({ sizeBytes: source.size, granularityBytes: unit });
      this.#top = new CopyBeforeWrite(source, {
        target,
        left,
        how: { buffers: new PieceBuffers(), compress: compress ?? false, inKernel: useCopyRange ?? false },
        isImplicit: filterNodeName === undefined,
      });
      this.#filter = await insertFilter(graph, source, { name: filterNodeName, driver: this.#top, other: target });
      const nothing = { used: 0, shared: ALL_PERMISSIONS };
      const { used, shared } = childPermissions(this.#filter, target, "target", nothing);
      this.#filter.children.push(await graph.attach(this.#filter, target, "target", used, shared));
      await job.use(source, "main node", Permission.consistentRead, ALL_PERMISSIONS & ~Permission.resize);
      for (const node of [source, target, this.#filter]) job.block(node);
      await this.#markAll(left);
      this.#totalBytes = left.dirtyBytes;
      if (bitmap !== undefined) {
        bitmap.busy = true;
        const { granularityBytes } = bitmap;
        this.#since = new DirtyBitmap({ sizeBytes: source.size, granularityBytes });
        source.bitmaps.push(this.#since);
      }
    } catch (error) {
      await this.clean(job);
      throw error;
    }
  }

  /** Marks what is to be copied, as things stand now. */
  async #markAll(left: DirtyBitmap): Promise<void> {
    const { source, sync, bitmap } = this.#options;
    if (sync === "bitmap") left.merge(bitmap!);
    else if (sync !== "top") left.set(0, source.size);
    else {
      for (let at = 0; at < source.size;) {
        const found = await chainStatus(source, at, source.size - at);
        if (found.depth === 0 && found.present) left.set(at, found.lengthBytes);
        at += found.lengthBytes;
      }
    }
  }

  async *run(job: Job): AsyncGenerator<JobStep, void, void> {
    const top = this.#top!;
    const { sync, source } = this.#options;
    const total = this.#totalBytes;
    job.progress.total = sync === "none" || sync === "full" ? source.size : total;
    if (sync === "none") {
      for (;;) yield { until: new Promise<never>(() => {}) };
    }
    for (let done = false; !done;) {
      const before = top.left.dirtyBytes;
      done = await this.#copySome(job, top);
      job.progress.done = Math.min(job.progress.total, total - top.left.dirtyBytes);
      if (!done) yield { bytes: Math.max(0, before - top.left.dirtyBytes) };
    }
    // What writes of the guest have begun to copy is waited for.
    await top.copy(0, source.size);
    await this.#options.target.flush();
    this.#succeeded = true;
  }

  /** Copies some pieces side by side; true where nothing is left to begin with. */
  async #copySome(job: Job, top: CopyBeforeWrite): Promise<boolean> {
    const { target, maxWorkers, maxChunkBytes } = this.#options;
    const { left } = top;
    const unit = left.granularityBytes;
    const isLimited = job.speed > 0;
    const most = Math.max(unit, Math.min(pieceBytes(job.speed, unit), maxChunkBytes || Infinity));
    let cursor = 0;
    const next = async (): Promise<Task | undefined> => {
      const range = left.nextDirty(cursor, undefined, maxChunkBytes ? most : ZERO_PIECE_BYTES);
      if (range === undefined) return undefined;
      const [at, end] = left.unitsOf(range);
      const reach = await reachOf(top.below, at, end, most);
      const stop = reach < end ? Math.max(at + unit, reach - reach % unit) : end;
      cursor = Math.min(stop, end);
      const run = () => top.copyUnits(at, Math.min(stop, end)).then(() => {});
      return { bytes: stop - at, run };
    };
    const before = left.dirtyBytes;
    const failed = await inLanes(next, {
      // Under a limit, one piece at a time keeps to it evenly.
      lanes: isLimited ? 1 : Math.min(maxWorkers || Infinity, lanesFor(target)),
      batchBytes: isLimited ? 1 : BATCH_BYTES,
      isEnough: () => job.isPaused || job.isCancelled,
    });
    if (failed === undefined) return before === 0;
    const { failure } = failed;
    const operation = failure instanceof CopyError ? failure.operation : "read";
    const cause = failure instanceof CopyError ? failure.cause : failure;
    const { onSourceError = "report", onTargetError = "report" } = this.#options;
    if (job.failed(operation, operation === "read" ? onSourceError : onTargetError, cause) === "report") throw cause;
    return false;
  }

  async clean(job: Job): Promise<void> {
    const { source, target, releaseTarget } = this.#options;
    const filter = this.#filter;
    this.#filter = undefined;
    this.#settleBitmap();
    try {
      await drained([source], async () => {
        try {
          if (filter !== undefined) await removeFilter(this.#graph, filter);
        } finally {
          await job.release();
        }
      });
    } finally {
      // Closing fails where its last flush does; the target is let go all the same.
      if (releaseTarget === true) await this.#graph.release(target);
    }
  }

  #settleBitmap(): void {
    const since = this.#since;
    if (since === undefined) return;
    this.#since = undefined;
    const { source, bitmap, bitmapMode = "on-success" } = this.#options;
    source.bitmaps.splice(source.bitmaps.indexOf(since), 1);
    bitmap!.busy = false;
    if (bitmapMode === "never" || (bitmapMode === "on-success" && !this.#succeeded)) return;
    bitmap!.clear();
    bitmap!.merge(since);
    if (!this.#succeeded) bitmap!.merge(this.#top!.left);
  }
}

function stateError(text: string): BlockError {
  return new BlockError({ kind: "state", text });
}
