/**
 * The jobs of one graph: by id, and what they tell.
 *
 * @module
 */
import { isIdentifier } from "../../base/keyval.ts";
import type { Clock } from "../../base/clocks.ts";
import { Events } from "../../base/events.ts";
import { BlockError } from "../errors.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { visibleNode } from "../rewire.ts";
import { Job, type JobOptions } from "./job.ts";
import type { JobStatus } from "./states.ts";
import type { JobType, JobWork } from "./work.ts";

/** What the protocol's events on a block job say of it; `len` and `offset` in bytes. */
export interface BlockJobFacts {
  readonly type: JobType;
  readonly device: string;
  readonly len: number;
  readonly offset: number;
  readonly speed: number;
  readonly error?: string;
}

/** Events under the protocol's names, and moa's own. */
export interface JobEvents {
  /** Once a second while a job is at work. Bytes; `secondsLeft` is absent while it cannot be told. */
  JOB_PROGRESS: {
    readonly id: string;
    readonly done: number;
    readonly total: number;
    readonly bytesPerSecond: number;
    readonly secondsLeft: number | undefined;
  };
  /** A mirror or backup did not come to its end; `target`: the file (or node) that is not whole. */
  TARGET_INCOMPLETE: { readonly id: string; readonly type: JobType; readonly target: string };
  JOB_STATUS_CHANGE: { readonly id: string; readonly status: JobStatus };
  BLOCK_JOB_COMPLETED: BlockJobFacts;
  BLOCK_JOB_CANCELLED: BlockJobFacts;
  BLOCK_JOB_READY: BlockJobFacts;
  BLOCK_JOB_PENDING: { readonly type: JobType; readonly id: string };
  BLOCK_JOB_ERROR: {
    readonly device: string;
    readonly operation: "read" | "write";
    readonly action: "ignore" | "report" | "stop";
  };
}

/** All jobs of a graph. */
export class JobSet {
  readonly graph: BlockGraph;
  readonly clock: Clock;
  readonly events: Events<JobEvents> = new Events<JobEvents>();
  readonly #jobs = new Map<string, Job>();

  constructor(graph: BlockGraph, clock: Clock) {
    this.graph = graph;
    this.clock = clock;
  }

  /** The newest first. */
  list(): readonly Job[] {
    return [...this.#jobs.values()].reverse();
  }

  find(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /** Refuses ids that no job can have. @throws {BlockError} `Invalid job ID ''` */
  checkId(id: string): void {
    if (!isIdentifier(id)) throw stateError(`Invalid job ID '${id}'`);
    if (this.#jobs.has(id)) throw stateError(`Job ID '${id}' already in use`);
  }

  /**
   * Makes a job; `setUp` takes what it needs, and on a throw the job is gone again. It begins with {@link Job.start}.
   * @throws {BlockError}
   */
  async create(work: JobWork, options: JobOptions, setUp: (job: Job) => Promise<void>): Promise<Job> {
    this.checkId(options.id);
    const job = new Job(this, work, options);
    this.#jobs.set(job.id, job);
    try {
      job.setSpeed(options.speed ?? 0);
      await setUp(job);
    } catch (error) {
      await job.release();
      job.discard();
      throw error;
    }
    return job;
  }

  /** Part of {@link Job}: it is forgotten. */
  remove(job: Job): void {
    this.#jobs.delete(job.id);
  }

  /**
   * Refuses an operation on `node` where somebody has it. A backing file may be streamed into, committed into and
   * backed up.
   * @throws {BlockError} `Node 'a' is busy: ...`
   */
  refuseBusy(
    node: BlockNode,
    operation: "stream" | "commit-source" | "commit-target" | "mirror" | "backup" | "snapshot" | "other",
  ): void {
    const job = this.list().find((one) => one.blocks(node));
    if (job !== undefined) throw busy(this.#shown(node), `block device is in use by block job: ${job.type}`);
    if (operation === "stream" || operation === "commit-target" || operation === "backup") return;
    const overlay = node.parents.find((edge) => edge.role === "backing");
    if (overlay === undefined) return;
    const above = this.graph.find(overlay.owner.name);
    const aboveName = above === undefined ? overlay.owner.name : this.#shown(above);
    throw busy(this.#shown(node), `node is used as backing hd of '${aboveName}'`);
  }

  /** How messages call a node: by its drive where that has a name. */
  #shown(node: BlockNode): string {
    const meant = visibleNode(node);
    for (const { name, node: medium } of this.graph.backends.values()) {
      if (medium !== undefined && visibleNode(medium) === meant) return name;
    }
    return node.name;
  }

  /** Cancels all jobs and waits for them: before their disks are closed. */
  async cancelAll(): Promise<void> {
    for (const job of this.list()) {
      if (job.status !== "concluded") {
        await job.cancel(true).catch(() => {});
        await job.concluded;
      }
      if (job.status === "concluded") job.dismiss();
    }
  }
}

function busy(name: string, reason: string): BlockError {
  return stateError(`Node '${name}' is busy: ${reason}`);
}

function stateError(text: string): BlockError {
  return new BlockError({ kind: "state", text });
}
