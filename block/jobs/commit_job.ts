/**
 * `commit` of layers that nobody writes: what lies above the base goes into the base, and the layer above them all
 * then lies on the base.
 *
 * The layer that the guest writes is committed by a mirror instead (mirror.ts). Until the end the chain reads as before:
 * the base gets only what a layer above shows in any case. So a job that was killed is begun again.
 *
 * @module
 */
import { chainStatus, layersAbove } from "../chain.ts";
import { BlockError } from "../errors.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, Permission } from "../permissions.ts";
import { drained, insertFilter, removeFilter, setBacking } from "../rewire.ts";
import {
  attempt,
  BATCH_BYTES,
  CopyError,
  copyRange,
  inLanes,
  lanesFor,
  PieceBuffers,
  pieceBytes,
  type Task,
  ZERO_PIECE_BYTES,
} from "./copy.ts";
import type { Job, JobOptions } from "./job.ts";
import { letGo } from "./let_go.ts";
import { PassThrough } from "./pass_through.ts";
import type { JobErrorPolicy, JobStep, JobWork } from "./work.ts";

/** What to commit, and how. */
export interface CommitJobOptions extends JobOptions {
  /** The highest layer that is committed; not the one that is written. */
  readonly top: BlockNode;
  /** The layer that takes the data. */
  readonly base: BlockNode;
  /** The layer right above `top`. */
  readonly overlay: BlockNode;
  /** The name of the base that goes into the overlay's header; by default its own. */
  readonly backingFile?: string | undefined;
  readonly onError?: JobErrorPolicy | undefined;
  readonly filterNodeName?: string | undefined;
}

/** Runs that no layer holds are passed over so many at a time. */
const MOST_LOOKS = 256;

/** Makes and starts the job. @throws {BlockError} */
export async function startCommit(graph: BlockGraph, options: CommitJobOptions): Promise<Job> {
  const work = new Commit(graph, options);
  const job = await graph.jobs.create(work, options, (made) => work.setUp(made));
  job.start();
  return job;
}

class Commit implements JobWork {
  readonly type = "commit";
  readonly #graph: BlockGraph;
  readonly #options: CommitJobOptions;
  readonly #buffers = new PieceBuffers();
  #filter: BlockNode | undefined;
  #wasReadOnly = false;

  constructor(graph: BlockGraph, options: CommitJobOptions) {
    this.#graph = graph;
    this.#options = options;
  }

  async setUp(job: Job): Promise<void> {
    const graph = this.#graph;
    const { top, base, filterNodeName } = this.#options;
    const { consistentRead, write, resize } = Permission;
    try {
      const driver = new PassThrough("commit_top", top, filterNodeName === undefined);
      this.#filter = await insertFilter(graph, top, { name: filterNodeName, driver });
      if (base.readOnly) {
        await graph.reopen(base, { readOnly: false });
        this.#wasReadOnly = true;
      }
      for (const layer of layersAbove(top, base)) {
        await job.use(layer, "intermediate node", consistentRead, ALL_PERMISSIONS & ~resize);
        job.block(layer);
      }
      await job.use(base, "root", consistentRead | write | resize, ALL_PERMISSIONS);
      job.block(base);
      job.block(this.#filter);
      if (base.size < top.size) await base.truncate(top.size);
    } catch (error) {
      await this.clean(job);
      throw error;
    }
  }

  async *run(job: Job): AsyncGenerator<JobStep, void, void> {
    const { top, onError = "report" } = this.#options;
    const { progress } = job;
    progress.total = top.size;
    while (progress.done < progress.total) {
      const { failed, end, counted } = await this.#copySome(job, progress.done, progress.total);
      if (failed === undefined) {
        progress.done = end;
        yield { bytes: counted };
        continue;
      }
      const { failure } = failed;
      const action = job.failed(failure instanceof CopyError ? failure.operation : "read", onError, failure);
      // What is passed over here would be lost: only a retry is safe.
      if (action !== "stop") throw failure;
      yield { bytes: 0 };
    }
  }

  /** Copies the next pieces that the layers hold; how far that reaches, and what the limit counts of it. */
  async #copySome(job: Job, from: number, total: number) {
    const { top, base } = this.#options;
    const layers = layersAbove(top, base).length;
    const isLimited = job.speed > 0;
    const most = pieceBytes(job.speed);
    let end = from;
    let counted = 0;
    const next = async (): Promise<Task | undefined> => {
      // Where there is nothing to do for long, others get their turn.
      for (let looks = 0; end < total && looks < MOST_LOOKS; looks++) {
        const at = end;
        const found = await attempt("read", () => chainStatus(top, at, Math.min(ZERO_PIECE_BYTES, total - at)));
        const isCopy = found.depth < layers;
        const length = isCopy && found.kind === "data" ? Math.min(found.lengthBytes, most) : found.lengthBytes;
        end = at + length;
        if (!isCopy) continue;
        counted += Math.min(length, most);
        return { bytes: length, run: () => copyRange(top, base, at, length, { buffers: this.#buffers }) };
      }
      return undefined;
    };
    const failed = await inLanes(next, {
      // Under a limit, one piece at a time keeps to it evenly.
      lanes: isLimited ? 1 : lanesFor(base),
      batchBytes: isLimited ? 1 : BATCH_BYTES,
      isEnough: () => job.isPaused || job.isCancelled,
    });
    return { failed, end, counted };
  }

  async prepare(job: Job): Promise<void> {
    const graph = this.#graph;
    const { base, overlay, backingFile } = this.#options;
    await base.flush();
    await drained([overlay], async () => {
      if (overlay.driver.changeBacking === undefined) {
        throw new BlockError({ kind: "unsupported", feature: "backing", text: "Operation not supported" });
      }
      await job.release();
      await this.#removeFilter();
      await this.#rename(overlay, backingFile ?? base.filename, base.driver.name);
      await setBacking(graph, overlay, base);
    });
  }

  /** Writes the new name into the overlay's header, even where the overlay itself is only read. */
  async #rename(overlay: BlockNode, name: string, format: string): Promise<void> {
    const { readOnly } = overlay;
    if (readOnly) await this.#graph.reopen(overlay, { readOnly: false });
    try {
      await overlay.driver.changeBacking!(name, format);
    } finally {
      if (readOnly) await this.#graph.reopen(overlay, { readOnly: true });
    }
  }

  async clean(job: Job): Promise<void> {
    await letGo(this.#graph, job, this.#options.base, {
      wasReadOnly: this.#wasReadOnly,
      removeFilter: () => this.#removeFilter(),
    });
  }

  async #removeFilter(): Promise<void> {
    const filter = this.#filter;
    this.#filter = undefined;
    if (filter !== undefined) await removeFilter(this.#graph, filter);
  }
}
