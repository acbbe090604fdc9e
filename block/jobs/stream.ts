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
import { blockStatus } from "../block_status.ts";
import { isAllocatedAbove, layersAbove } from "../chain.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, Permission } from "../permissions.ts";
import { drained, insertFilter, removeFilter, setBacking } from "../rewire.ts";
import { BATCH_BYTES, inLanes, lanesFor, PIECE_BYTES, PieceBuffers, type Task, ZERO_PIECE_BYTES } from "./copy.ts";
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

/** What becomes of a run: the layer has it or shows the base, or it is copied, or set to zero. */
type RunKind = "nothing" | "data" | "zeroes";

/** Under a limit QEMU's piece: how far a job had come that was cancelled is seen in its image. */
const LIMITED_PIECE_BYTES = 512 * KiB;

/** Runs that need nothing are passed over so many at a time. */
const MOST_LOOKS = 256;

/** How far some copies made at a time reach, and what the limit counts of them. */
class Batch {
  end: number;
  counted = 0;

  constructor(at: number) {
    this.end = at;
  }
}

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
      const batch = new Batch(at);
      const failed = await this.#copySome(job, batch);
      if (failed !== undefined) {
        const action = job.failed("read", this.#options.onError ?? "report", failed.failure);
        if (action === "report") throw failed.failure;
        if (action === "stop") {
          // What others of the batch have copied is found to be there.
          yield { bytes: 0 };
          continue;
        }
        this.#failure ??= failed.failure;
      }
      at = batch.end;
      progress.done = at;
      yield { bytes: batch.counted };
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Copies the next pieces that are to be copied, and says how far they reach. */
  #copySome(job: Job, batch: Batch): Promise<{ readonly failure: unknown } | undefined> {
    const isLimited = job.speed > 0;
    const most = isLimited ? LIMITED_PIECE_BYTES : PIECE_BYTES;
    const { total } = job.progress;
    const next = async (): Promise<Task | undefined> => {
      // Where there is nothing to do for long, others get their turn.
      for (let looks = 0; batch.end < total && looks < MOST_LOOKS; looks++) {
        const at = batch.end;
        // What cannot even be looked at is passed over where failures are.
        batch.end = Math.min(total, at + most);
        const { bytes, kind } = await this.#look(at, Math.min(ZERO_PIECE_BYTES, total - at));
        const length = kind === "data" ? Math.min(bytes, most) : bytes;
        batch.end = at + length;
        if (kind === "nothing") continue;
        batch.counted += Math.min(length, most);
        return { bytes: length, run: () => this.#copy(at, length, kind) };
      }
      return undefined;
    };
    return inLanes(next, {
      // Under a limit, one piece at a time keeps to it evenly.
      lanes: isLimited ? 1 : lanesFor(this.#top),
      batchBytes: isLimited ? 1 : BATCH_BYTES,
      isEnough: () => job.isPaused || job.isCancelled,
    });
  }

  /** What is to be done with the first run at `at`. */
  async #look(at: number, length: number): Promise<{ readonly bytes: number; readonly kind: RunKind }> {
    const top = this.#top;
    const own = await top.status(at, length);
    if (own.kind !== "unallocated") return { bytes: own.lengthBytes, kind: "nothing" };
    const below = await isAllocatedAbove(top.backing!, this.#options.base, at, own.lengthBytes);
    const bytes = Math.min(below.lengthBytes, own.lengthBytes);
    if (!below.allocated) return { bytes, kind: "nothing" };
    if (at >= top.backing!.size) return { bytes, kind: "zeroes" };
    const { zero, lengthBytes } = await blockStatus(top.backing!, at, Math.min(bytes, top.backing!.size - at));
    return { bytes: Math.min(lengthBytes, bytes), kind: zero ? "zeroes" : "data" };
  }

  async #copy(at: number, length: number, kind: "data" | "zeroes"): Promise<void> {
    if (kind === "zeroes") return await this.#top.copyUp(at, { zeroBytes: length });
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
