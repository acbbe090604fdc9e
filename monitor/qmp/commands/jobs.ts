/**
 * Jobs that run: what they are at, and what users say to them.
 *
 * Each verb is there twice, for jobs and for block jobs; they differ in how they name the job and what they say when
 * there is none.
 *
 * Source: qapi/job.json, qapi/block-core.json.
 *
 * @module
 */
import type { BlockGraph, Job } from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { bool, empty, int, list, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { blockJobInfo, describeJob, jobInfo, moreOf } from "../types/jobs.ts";

function jobNamed(graph: BlockGraph, id: string): Job {
  const job = graph.jobs.find(id);
  if (job === undefined) throw new MonitorError("Job not found");
  return job;
}

/** A block job by its id. @throws {MonitorError} */
export function blockJobNamed(graph: BlockGraph, id: string): Job {
  const job = graph.jobs.find(id);
  if (job?.isBlockJob !== true) throw new MonitorError(`Block job '${id}' not found`, { class: "DeviceNotActive" });
  return job;
}

export const queryJobs = qmpCommand({
  name: "query-jobs",
  summary: "All jobs, the newest first.",
  data: empty,
  returns: list(jobInfo),
  run: ({ graph, strict }) =>
    graph.jobs.list().map((job) => ({
      id: job.id,
      type: job.type,
      status: job.status,
      "current-progress": job.progress.done,
      "total-progress": job.progress.total,
      error: job.error,
      ...(strict ? {} : moreOf(job)),
    })),
});

export const queryBlockJobs = qmpCommand({
  name: "query-block-jobs",
  summary: "All block jobs, the newest first.",
  data: empty,
  returns: list(blockJobInfo),
  run: ({ graph, strict }) =>
    graph.jobs.list().filter(({ isBlockJob }) => isBlockJob)
      .map((job) => ({ ...describeJob(job), ...(strict ? {} : moreOf(job)) })),
});

const byId = struct({ id: str });
const byDevice = struct({ device: str });

export const jobPause = qmpCommand({
  name: "job-pause",
  summary: "Has a job stand still until it is resumed.",
  data: byId,
  run: ({ graph }, { id }) => jobNamed(graph, id).pause(),
});

export const jobResume = qmpCommand({
  name: "job-resume",
  summary: "Has a paused job go on.",
  data: byId,
  run: ({ graph }, { id }) => jobNamed(graph, id).resume(),
});

export const jobCancel = qmpCommand({
  name: "job-cancel",
  summary: "Ends a job at once; what it made is incomplete.",
  data: byId,
  run: ({ graph }, { id }) => jobNamed(graph, id).cancel(true),
});

export const jobComplete = qmpCommand({
  name: "job-complete",
  summary: "Ends a job that is ready and switches over to what it made.",
  data: byId,
  run: ({ graph }, { id }) => jobNamed(graph, id).complete(),
});

export const jobFinalize = qmpCommand({
  name: "job-finalize",
  summary: "Lets a job that has done its work end.",
  data: byId,
  run: ({ graph }, { id }) => jobNamed(graph, id).finalize(),
});

export const jobDismiss = qmpCommand({
  name: "job-dismiss",
  summary: "Forgets a job that has concluded.",
  data: byId,
  run: ({ graph }, { id }) => jobNamed(graph, id).dismiss(),
});

export const blockJobSetSpeed = qmpCommand({
  name: "block-job-set-speed",
  summary: "Limits a job to so many bytes a second; 0 for no limit.",
  data: struct({ device: str, speed: int }),
  run: ({ graph }, { device, speed }) => blockJobNamed(graph, device).setSpeed(speed),
});

export const blockJobCancel = qmpCommand({
  name: "block-job-cancel",
  summary: "Ends a job; a mirror that is ready without switching over, which with force is left incomplete.",
  data: struct({ device: str, force: optional(bool) }),
  run: ({ graph }, { device, force = false }) => blockJobNamed(graph, device).cancel(force),
});

export const blockJobPause = qmpCommand({
  name: "block-job-pause",
  summary: "Has a job stand still until it is resumed.",
  data: byDevice,
  run: ({ graph }, { device }) => blockJobNamed(graph, device).pause(),
});

export const blockJobResume = qmpCommand({
  name: "block-job-resume",
  summary: "Has a paused job go on.",
  data: byDevice,
  run: ({ graph }, { device }) => blockJobNamed(graph, device).resume(),
});

export const blockJobComplete = qmpCommand({
  name: "block-job-complete",
  summary: "Ends a job that is ready and switches over to what it made.",
  data: byDevice,
  run: ({ graph }, { device }) => blockJobNamed(graph, device).complete(),
});

export const blockJobFinalize = qmpCommand({
  name: "block-job-finalize",
  summary: "Lets a job that has done its work end.",
  data: byId,
  run: ({ graph }, { id }) => blockJobNamed(graph, id).finalize(),
});

export const blockJobDismiss = qmpCommand({
  name: "block-job-dismiss",
  summary: "Forgets a job that has concluded.",
  data: byId,
  run: ({ graph }, { id }) => blockJobNamed(graph, id).dismiss(),
});
