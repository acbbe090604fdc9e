/**
 * Types of jobs: what they are told, what they tell.
 *
 * Source: qapi/job.json, qapi/block-core.json.
 *
 * @module
 */
import { type Job, JOB_STATES } from "../../../block/mod.ts";
import { bool, int, newer, number, oneOf, optional, str, struct } from "../../schema/qapi/types.ts";

/** All kinds of job that QEMU has; some are not built here. */
export const jobType = oneOf(
  "commit",
  "stream",
  "mirror",
  "backup",
  "create",
  "amend",
  "snapshot-load",
  "snapshot-save",
  "snapshot-delete",
);

export const jobStatus = oneOf(...JOB_STATES);

/** What is done with a request of a job that failed. */
export const onError = oneOf("report", "ignore", "enospc", "stop", "auto");

/** What is copied. */
export const syncMode = oneOf("top", "full", "none", "incremental", "bitmap");

/** How fast it gets on, in bytes a second over its last ten seconds at work, and the seconds that are left. */
const pace = { rate: newer(int), "time-left": newer(number) };
/** The file (or node) that a job has left incomplete. */
const incomplete = newer(str);

/** QAPI's JobInfo. */
export const jobInfo = struct({
  id: str,
  type: jobType,
  status: jobStatus,
  "current-progress": int,
  "total-progress": int,
  error: optional(str),
  ...pace,
  incomplete,
});

/** QAPI's BlockJobInfo. */
export const blockJobInfo = struct({
  type: str,
  device: str,
  len: int,
  offset: int,
  busy: bool,
  paused: bool,
  speed: int,
  "io-status": oneOf("ok", "failed", "nospace"),
  ready: bool,
  status: jobStatus,
  "auto-finalize": bool,
  "auto-dismiss": bool,
  error: optional(str),
  ...pace,
  incomplete,
});

/** A job as `query-block-jobs` tells it. */
export function describeJob(job: Job): NonNullable<typeof blockJobInfo.infer> {
  return {
    type: job.type,
    device: job.id,
    len: job.progress.total,
    offset: job.progress.done,
    busy: job.isBusy,
    paused: job.isPaused,
    speed: job.speed,
    "io-status": job.ioStatus,
    ready: job.isReady,
    status: job.status,
    "auto-finalize": job.autoFinalize,
    "auto-dismiss": job.autoDismiss,
    error: job.error,
  };
}

/** How fast a job gets on, in whole bytes and tenths of a second; `time-left` only where it is known. */
export function paceMembers({ bytesPerSecond, secondsLeft }: Job["pace"]): Pace {
  const tenths = secondsLeft === undefined ? undefined : Math.round(secondsLeft * 10) / 10;
  return { rate: Math.round(bytesPerSecond), "time-left": tenths };
}

interface Pace {
  readonly rate: number;
  readonly "time-left": number | undefined;
}

/** `JOB_PROGRESS`, moa's own. */
export const jobProgress = struct({
  id: str,
  "current-progress": int,
  "total-progress": int,
  ...pace,
});

/** What programs are told of a job beyond what QEMU tells. */
export function moreOf({ pace: own, incomplete: target }: Job): Pace & { readonly incomplete: string | undefined } {
  return { ...paceMembers(own), incomplete: target };
}
