/**
 * `stream`: what a layer shows of the layers below it is copied into the layer, which then needs fewer of them or none.
 *
 * Copies are made as copy-on-read makes them, so that they never go over what the guest writes meanwhile. At the end the
 * layer's backing node, and the name in its header, is the base, or nothing. A job that was cancelled or killed leaves a
 * chain that reads as before; begun again, it goes on where data is missing.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { KiB } from "../../base/units.ts";
import { isAllocatedAbove, layersAbove } from "../chain.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, Permission } from "../permissions.ts";
import { drained, insertFilter, removeFilter, setBacking } from "../rewire.ts";
import { PARALLEL_PIECES, PieceBuffers } from "./copy.ts";
import type { Job, JobOptions } from "./job.ts";
import { letGo } from "./let_go.ts";
import { PassThrough } from "./pass_through.ts";
import type { JobErrorPolicy, JobStep, JobWork } from "./work.ts";

/** How to stream. */
export interface StreamOptions extends JobOptions {
  /** The layer that stays below; without one, none does. */
  readonly base?: BlockNode | undefined;
  /** The name of the base that goes into the header; by default its own. */
  readonly backingFile?: string | undefined;
  /** By default `report`. */
  readonly onError?: JobErrorPolicy | undefined;
  readonly filterNodeName?: string | undefined;
}

const PIECE_BYTES = 512 * KiB;

/** Makes and starts the job. @throws {BlockError} */
export async function startStream(graph: BlockGraph, top: BlockNode, options: StreamOptions): Promise<Job> {
  const work = new Stream(graph, top, options);
  const job = await graph.jobs.create(work, options, (made) => work.setUp(made));
  job.start();
  return job;
}

class Stream implements JobWork {
  readonly type = "stream";
  readonly #graph: BlockGraph;
  readonly #top: BlockNode;
  readonly #options: StreamOptions;
  readonly #buffers = new PieceBuffers();
  #filter: BlockNode | undefined;
  #wasReadOnly = false;
  /** What was passed over with `ignore`: the layers below are still needed. */
  #failure: unknown;

  constructor(graph: BlockGraph, top: BlockNode, options: StreamOptions) {
    this.#graph = graph;
    this.#top = top;
    this.#options = options;
  }

  async setUp(job: Job): Promise<void> {
    const graph = this.#graph;
    const top = this.#top;
    const { consistentRead, writeUnchanged, resize } = Permission;
    try {
      if (top.readOnly) {
        await graph.reopen(top, { readOnly: false });
        this.#wasReadOnly = true;
      }
      const name = this.#options.filterNodeName;
      const driver = new PassThrough("copy-on-read", top, name === undefined);
      this.#filter = await insertFilter(graph, top, { name, driver });
      for (const layer of layersAbove(top, this.#options.base)) {
        const used = layer === top ? consistentRead | writeUnchanged : 0;
        await job.use(layer, layer === top ? "main node" : "intermediate node", used, ALL_PERMISSIONS & ~resize);
        job.block(layer);
      }
      job.block(this.#filter);
    } catch (error) {
      await this.clean(job);
      throw error;
    }
  }

  async *run(job: Job): AsyncGenerator<JobStep, void, void> {
    const top = this.#top;
    const { base } = this.#options;
    // With nothing to be copied from, nothing is done.
    if (top.backing === undefined || top.backing === base) return;
    const { progress } = job;
    progress.total = top.size;
    for (let at = 0; at < progress.total;) {
      // Under a limit, one piece at a time keeps to it evenly.
      const batch = await this.#begin(at, progress.total, job.speed > 0 ? 1 : PARALLEL_PIECES);
      const failure = (await Promise.allSettled(batch.copies)).find((one) => one.status === "rejected");
      if (failure !== undefined) {
        const action = job.failed("read", this.#options.onError ?? "report", failure.reason);
        if (action === "report") throw failure.reason;
        if (action === "stop") {
          yield { bytes: 0 };
          continue;
        }
        this.#failure ??= failure.reason;
      }
      at = batch.end;
      progress.done = at;
      yield { bytes: batch.bytes };
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Begins to copy the next pieces that are to be copied, and says how far they reach. */
  async #begin(
    at: number,
    total: number,
    most: number,
  ): Promise<{ readonly copies: Promise<void>[]; readonly end: number; readonly bytes: number }> {
    const copies: Promise<void>[] = [];
    let end = at;
    let bytes = 0;
    while (end < total && copies.length < most) {
      let piece: { readonly bytes: number; readonly isCopy: boolean };
      try {
        piece = await this.#look(end, Math.min(PIECE_BYTES, total - end));
      } catch (error) {
        copies.push(Promise.reject(error));
        piece = { bytes: PIECE_BYTES, isCopy: false };
      }
      if (piece.isCopy) {
        copies.push(this.#copy(end, piece.bytes));
        bytes += piece.bytes;
      }
      end = Math.min(total, end + piece.bytes);
      // Where a limit counts, and where there is nothing to do, each piece is a step.
      if (most === 1) break;
    }
    return { copies, end, bytes };
  }

  async #look(at: number, length: number): Promise<{ readonly bytes: number; readonly isCopy: boolean }> {
    const top = this.#top;
    const own = await top.status(at, length);
    if (own.kind !== "unallocated") return { bytes: own.lengthBytes, isCopy: false };
    const below = await isAllocatedAbove(top.backing!, this.#options.base, at, own.lengthBytes);
    return { bytes: Math.min(below.lengthBytes, own.lengthBytes), isCopy: below.allocated };
  }

  async #copy(at: number, length: number): Promise<void> {
    const buffer = this.#buffers.take();
    try {
      await this.#top.copyUp(at, IoVector.of(buffer.subarray(0, length)));
    } finally {
      this.#buffers.give(buffer);
    }
  }

  async prepare(job: Job): Promise<void> {
    const top = this.#top;
    const { base, backingFile } = this.#options;
    if (top.backing === undefined || top.backing === base) return;
    await top.flush();
    await drained([top], async () => {
      const name = backingFile ?? base?.filename;
      await top.driver.changeBacking?.(name, base?.driver.name);
      await job.release();
      await setBacking(this.#graph, top, base);
    });
  }

  async clean(job: Job): Promise<void> {
    await letGo(this.#graph, job, this.#top, {
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
