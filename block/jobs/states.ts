/**
 * The states of a job, what may be said to it in each, and which state follows which: QEMU's two tables.
 *
 * Source: qapi/job.json, JobStatus and JobVerb; who may say what when was measured with the real program.
 *
 * @module
 */

/** All states, in the protocol's order. */
export const JOB_STATES = [
  "undefined",
  "created",
  "running",
  "paused",
  "ready",
  "standby",
  "waiting",
  "pending",
  "aborting",
  "concluded",
  "null",
] as const;

/** Where a job is in its life. `standby` is `ready` while it is paused. */
export type JobStatus = (typeof JOB_STATES)[number];

/** What users say to jobs. */
export type JobVerb = "cancel" | "pause" | "resume" | "set-speed" | "complete" | "finalize" | "dismiss";

const AT_WORK: readonly JobStatus[] = ["created", "running", "paused", "ready", "standby"];

/** The states in which a job takes each verb. */
export const VERB_STATES: Readonly<Record<JobVerb, readonly JobStatus[]>> = {
  cancel: [...AT_WORK, "waiting", "pending"],
  pause: AT_WORK,
  resume: AT_WORK,
  "set-speed": AT_WORK,
  complete: ["ready", "standby"],
  finalize: ["pending"],
  dismiss: ["concluded"],
};

/** The states that may follow each state. */
export const NEXT_STATES: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  undefined: ["created"],
  created: ["running", "aborting", "null"],
  running: ["paused", "ready", "waiting", "aborting"],
  paused: ["running"],
  ready: ["standby", "waiting", "aborting"],
  standby: ["ready"],
  waiting: ["pending", "aborting"],
  pending: ["aborting", "concluded"],
  aborting: ["concluded"],
  concluded: ["null"],
  null: [],
};
