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
import { attempt, CopyError, copyRange, PIECE_BYTES, PieceBuffers } from "./copy.ts";
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
    for (let at = 0; at < progress.total;) {
      try {
        const { bytes, isCopy } = await this.#piece(at, Math.min(PIECE_BYTES, progress.total - at));
        at += bytes;
        progress.done = at;
        yield { bytes: isCopy ? bytes : 0 };
      } catch (error) {
        const action = job.failed(error instanceof CopyError ? error.operation : "read", onError, error);
        // What is passed over here would be lost: only a retry is safe.
        if (action !== "stop") throw error;
        yield { bytes: 0 };
      }
    }
  }

  async #piece(at: number, length: number): Promise<{ bytes: number; isCopy: boolean }> {
    const { top, base } = this.#options;
    const layers = layersAbove(top, base).length;
    const found = await attempt("read", () => chainStatus(top, at, length));
    const bytes = found.lengthBytes;
    if (found.depth >= layers) return { bytes, isCopy: false };
    await copyRange(top, base, at, bytes, { buffers: this.#buffers });
    return { bytes, isCopy: true };
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
