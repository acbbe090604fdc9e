/**
 * `mirror`: the target becomes what the guest sees of the source, and stays so until the user ends it; then guests may
 * go over to the target. With the source's own backing node as the target this is the active `commit`.
 *
 * A bitmap in the filter over the source says what the target has not. The job copies until it is empty, says that it is
 * ready, and follows the guest's writes. To end, it drains the source, copies what is left, and changes nodes.
 *
 * A target that the job has not brought to the end is incomplete; the source is never changed but by a commit, whose base
 * only gets what the layers above it show in any case.
 *
 * @module
 */
import { chainStatus, layersAbove } from "../chain.ts";
import { BlockError } from "../errors.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, Permission } from "../permissions.ts";
import { drained, insertFilter, removeFilter, replaceNode, setBacking } from "../rewire.ts";
import {
  attempt,
  BATCH_BYTES,
  CopyError,
  copyRange,
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
import { MirrorTop } from "./mirror_top.ts";
import type { RangeTurn } from "./range_turns.ts";
import type { JobErrorPolicy, JobStep, JobWork } from "./work.ts";

/** How to mirror. */
export interface MirrorOptions extends JobOptions {
  readonly source: BlockNode;
  readonly target: BlockNode;
  /** `full`: all that the guest sees; `top`: what the source itself holds; `none`: what is written from now on. */
  readonly sync: "full" | "top" | "none";
  /** `commit` where the target is a layer below the source. */
  readonly type?: "mirror" | "commit";
  /** The node whose users go over to the target; by default those of the source. */
  readonly replaces?: BlockNode | undefined;
  /** Bytes; a power of two from 512 to 64 MiB. By default the target's clusters. */
  readonly granularityBytes?: number | undefined;
  /** Bytes in flight at most, though at least one unit; by default as many as the target gains from. */
  readonly bufferBytes?: number | undefined;
  /** What reads as zeroes may be unmapped in the target; by default it may. */
  readonly unmap?: boolean | undefined;
  readonly copyMode?: "background" | "write-blocking" | undefined;
  readonly onSourceError?: JobErrorPolicy | undefined;
  readonly onTargetError?: JobErrorPolicy | undefined;
  readonly filterNodeName?: string | undefined;
  /** Has the target lie on this node when the job completes. */
  readonly targetBacking?: BlockNode | undefined;
  /** Held by whoever made the target for this job alone: let go at the end. */
  readonly releaseTarget?: boolean;
}

/** Makes and starts the job. @throws {BlockError} */
export async function startMirror(graph: BlockGraph, options: MirrorOptions): Promise<Job> {
  const work = new Mirror(graph, options);
  const job = await graph.jobs.create(work, options, (made) => work.setUp(made));
  job.start();
  return job;
}

class Mirror implements JobWork {
  readonly type: "mirror" | "commit";
  readonly #graph: BlockGraph;
  readonly #options: MirrorOptions;
  readonly #buffers = new PieceBuffers();
  #top: MirrorTop | undefined;
  #filter: BlockNode | undefined;
  #targetWasReadOnly = false;
  #wanted: "nothing" | "switch over" | "end" = "nothing";
  #isDrained = false;
  /** Why the target refused a write of the guest. */
  #failure: unknown;
  /** Where the search for dirty ranges goes on. */
  #cursor = 0;

  get fills(): BlockNode | undefined {
    return this.#isCommit ? undefined : this.#options.target;
  }

  constructor(graph: BlockGraph, options: MirrorOptions) {
    this.#graph = graph;
    this.#options = options;
    this.type = options.type ?? "mirror";
  }

  get #isCommit(): boolean {
    return this.type === "commit";
  }

  async setUp(job: Job): Promise<void> {
    const graph = this.#graph;
    const { source, target, filterNodeName, granularityBytes, copyMode } = this.#options;
    const { consistentRead, write, writeUnchanged, resize } = Permission;
    const failed = (error: unknown) => {
      if (this.#refused(job, new CopyError("write", error)) === "report") this.#failure ??= error;
      job.wake();
    };
    try {
      if (target.readOnly) {
        await graph.reopen(target, { readOnly: false });
        this.#targetWasReadOnly = true;
      }
      const wholeBytes = await this.#wholeBytes();
      this.#top = new MirrorTop({
        source,
        target,
        isImplicit: filterNodeName === undefined,
        unitBytes: Math.max(granularityBytes ?? await defaultUnit(target), wholeBytes),
        isWhole: wholeBytes > 0,
        isBlocking: copyMode === "write-blocking",
        isCommit: this.#isCommit,
        failed,
      });
      this.#filter = await insertFilter(graph, source, { name: filterNodeName, driver: this.#top });
      await job.use(source, "main node", this.#isCommit ? 0 : consistentRead, ALL_PERMISSIONS & ~resize);
      const shared = this.#isCommit ? ALL_PERMISSIONS : writeUnchanged | consistentRead;
      await job.use(target, "root", write | (this.#isCommit ? resize : 0), shared);
      for (const node of [source, target, this.#filter]) job.block(node);
      if (this.#isCommit) {
        for (const layer of layersAbove(source, target)) job.block(layer);
        if (target.size < source.size) await target.truncate(source.size);
      }
    } catch (error) {
      await this.clean(job);
      throw error;
    }
  }

  /**
   * The unit of which no part may be copied alone: a cluster, where the rest of the disk is to lie below the target and
   * does not yet, so that what surrounds a part would become zeroes. 0: there is none.
   */
  async #wholeBytes(): Promise<number> {
    const { target, sync } = this.#options;
    if (this.#isCommit || sync === "full" || target.backing !== undefined) return 0;
    return (await target.driver.info?.())?.clusterSizeBytes ?? 0;
  }

  async *run(job: Job): AsyncGenerator<JobStep, void, void> {
    const top = this.#top!;
    const { source, target } = this.#options;
    if (!this.#isCommit && source.size !== target.size) {
      throw stateError("Source and target image have different sizes");
    }
    yield* this.#markAll(top);
    job.progress.total = top.dirty.dirtyBytes;
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const left = top.dirty.dirtyBytes;
      job.progress.total = Math.max(job.progress.done + left, 0);
      if (left > 0) {
        yield { bytes: await this.#copySome(job, top) };
        continue;
      }
      if (!job.isReady) {
        await attempt("write", () => target.flush());
        if (top.dirty.dirtyBytes === 0) job.becameReady();
        continue;
      }
      if (this.#wanted === "nothing") {
        yield { until: top.written };
        continue;
      }
      // With nobody writing any more, what is copied now is all.
      await job.aside(() => this.#filter!.drainedBegin());
      this.#isDrained = true;
      if (top.dirty.dirtyBytes === 0) {
        await target.flush();
        return;
      }
      this.#filter!.drainedEnd();
      this.#isDrained = false;
    }
  }

  /** Marks what has to be copied first. */
  async *#markAll(top: MirrorTop): AsyncGenerator<JobStep, void, void> {
    const { source, target, sync } = this.#options;
    if (sync === "none") return;
    if (sync === "full" && !this.#isCommit) return top.dirty.set(0, source.size);
    const layers = this.#isCommit ? layersAbove(source, target).length : 1;
    for (let at = 0; at < source.size;) {
      const found = await chainStatus(source, at, source.size - at);
      if (found.depth < layers && (found.present || found.layer === source)) {
        if (found.present) top.dirty.set(at, found.lengthBytes);
      }
      at += found.lengthBytes;
      yield { bytes: 0 };
    }
  }

  /** Copies some pieces side by side; how many bytes count towards the limit. */
  async #copySome(job: Job, top: MirrorTop): Promise<number> {
    const { target, bufferBytes } = this.#options;
    const unit = top.dirty.granularityBytes;
    const isLimited = job.speed > 0;
    const most = Math.max(unit, Math.min(pieceBytes(job.speed, unit), bufferBytes || Infinity));
    let counted = 0;
    const next = async (): Promise<Task | undefined> => {
      const turn = await this.#nextTurn(top, most);
      if (turn === undefined) return undefined;
      const { at, end } = turn;
      this.#cursor = end;
      const run = () =>
        this.#copyOne(top, at, end).then((bytes) => {
          job.progress.done += bytes;
        }).finally(() => top.turns.give(turn));
      counted += Math.min(end - at, most);
      return { bytes: end - at, run };
    };
    const failed = await inLanes(next, {
      // Under a limit, one piece at a time keeps to it evenly.
      lanes: isLimited ? 1 : Math.max(1, Math.min(lanesFor(target), Math.floor((bufferBytes || Infinity) / most))),
      batchBytes: isLimited ? 1 : Math.min(BATCH_BYTES, bufferBytes || Infinity),
      isEnough: () => job.isPaused || job.isCancelled,
    });
    job.progress.total = job.progress.done + top.dirty.dirtyBytes;
    if (failed === undefined) return counted;
    const { failure } = failed;
    if (this.#refused(job, failure) === "report") throw failure instanceof CopyError ? failure.cause : failure;
    return counted;
  }

  /** Takes the next units that have to be copied, where nobody is at work: data of `most` bytes, or a run of zeroes. */
  async #nextTurn(top: MirrorTop, most: number): Promise<RangeTurn | undefined> {
    const { dirty, turns } = top;
    const unit = dirty.granularityBytes;
    for (;;) {
      const range = dirty.nextDirty(this.#cursor, undefined, ZERO_PIECE_BYTES) ??
        dirty.nextDirty(0, undefined, ZERO_PIECE_BYTES);
      if (range === undefined) return undefined;
      const [at, end] = dirty.unitsOf(range);
      const reach = await reachOf(this.#options.source, at, end, most);
      // Of the last unit of a run only a part may be zero: it is a piece of its own then.
      const whole = reach < end ? Math.max(at + unit, reach - reach % unit) : end;
      const stop = Math.min(whole, end);
      // The guest may have come in between.
      const other = turns.find(at, stop);
      if (other !== undefined) {
        await other.ended;
        continue;
      }
      if (dirty.nextZero(at, stop) !== undefined) continue;
      // At once: the guest's next write finds the turn taken, and marks the units again.
      const turn = turns.takeNow(at, stop);
      dirty.clear(at, stop - at);
      return turn;
    }
  }

  async #copyOne(top: MirrorTop, at: number, end: number): Promise<number> {
    const { source, target, unmap = true } = this.#options;
    try {
      await copyRange(source, target, at, end - at, { unmap, buffers: this.#buffers });
      return end - at;
    } catch (error) {
      top.dirty.set(at, end - at);
      throw error;
    }
  }

  #refused(job: Job, error: unknown): "ignore" | "report" | "stop" {
    const { onSourceError = "report", onTargetError = "report" } = this.#options;
    const operation = error instanceof CopyError ? error.operation : "read";
    const cause = error instanceof CopyError ? error.cause : error;
    return job.failed(operation, operation === "read" ? onSourceError : onTargetError, cause);
  }

  complete(): void {
    this.#wanted = "switch over";
  }

  endEarly(): boolean {
    if (this.#wanted === "nothing") this.#wanted = "end";
    return true;
  }

  async prepare(job: Job): Promise<void> {
    const { source, target, replaces } = this.#options;
    const from = replaces ?? source;
    // Nobody writes to the source any more from here on, until its users have changed over.
    await drained([source, target, from], async () => {
      this.#graph.hold(target);
      // The source may go with its last user; not while its users change over.
      this.#graph.hold(from);
      try {
        await job.release();
        await this.#removeFilter();
        if (this.#wanted === "switch over") await this.#switchOver(from);
      } finally {
        await this.#graph.release(from);
        await this.#graph.release(target);
      }
    });
  }

  async #switchOver(from: BlockNode): Promise<void> {
    const { target, targetBacking } = this.#options;
    if (targetBacking !== undefined) await setBacking(this.#graph, target, targetBacking);
    if (from.readOnly && !target.readOnly) await this.#graph.reopen(target, { readOnly: true });
    this.#targetWasReadOnly = false;
    const own = layersAbove(target);
    await replaceNode(from, target, ({ owner }) => !own.some((layer) => layer as unknown === owner));
  }

  async clean(job: Job): Promise<void> {
    const { target, releaseTarget } = this.#options;
    const graph = this.#graph;
    graph.hold(target);
    try {
      try {
        await job.release();
      } finally {
        await this.#removeFilter();
      }
      if (this.#targetWasReadOnly) await graph.reopen(target, { readOnly: true });
    } finally {
      // The hold above is not the last one where the target is let go.
      if (releaseTarget === true) await graph.release(target);
      await graph.release(target);
    }
  }

  async #removeFilter(): Promise<void> {
    const filter = this.#filter;
    if (filter === undefined) return;
    this.#filter = undefined;
    try {
      await removeFilter(this.#graph, filter);
    } finally {
      if (this.#isDrained) filter.drainedEnd();
      this.#isDrained = false;
    }
  }
}

function stateError(text: string): BlockError {
  return new BlockError({ kind: "state", text });
}
