/**
 * What a kind of job brings: its steps, and what is done with the outcome.
 *
 * @module
 */
import type { BlockNode } from "../node.ts";
import type { Job } from "./job.ts";

/** The kinds of job that moa has, under QEMU's names. */
export type JobType =
  | "commit"
  | "stream"
  | "mirror"
  | "backup"
  | "create"
  | "amend"
  | "snapshot-load"
  | "snapshot-save"
  | "snapshot-delete";

/** Those that work over a disk of the graph. */
export const BLOCK_JOB_TYPES: readonly JobType[] = ["commit", "stream", "mirror", "backup"];

/**
 * What a step of a job says: bytes that it has copied, which the speed limit counts; or that there is nothing to do
 * until a promise resolves, or somebody says something to the job.
 */
export type JobStep = { readonly bytes: number } | { readonly until: Promise<void> };

/** One job's work. Between two steps it may be paused, slowed down or cancelled. */
export interface JobWork {
  readonly type: JobType;
  /** What it fills, and what is not whole where it does not come to its end. */
  readonly fills?: BlockNode | undefined;
  /** The steps; leaving the generator early is how a cancelled job ends. */
  run(job: Job): AsyncGenerator<JobStep, void, void>;
  /** After all went well, and before anybody is told: may still throw. */
  prepare?(job: Job): Promise<void>;
  /** What is undone where the job failed or was cancelled. */
  abort?(job: Job): Promise<void>;
  /** At the end in every case: gives back what the job took. */
  clean?(job: Job): Promise<void>;
  /** The user wants a job that is ready to end; absent where it ends by itself. */
  complete?(job: Job): Promise<void> | void;
  /** The user cancels without force a job that is ready: true where it then ends well, without having switched over. */
  endEarly?(job: Job): boolean;
}

/** What to do with a request of a job that failed. */
export type JobErrorPolicy = "report" | "ignore" | "stop" | "enospc" | "auto";
