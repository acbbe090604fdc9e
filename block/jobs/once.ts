/**
 * Jobs of one step, which cannot be slowed down: making an image, changing one, snapshots of a machine. They stay when
 * they have concluded, until the user has seen how they ended.
 *
 * Source: qapi/job.json; qapi/block-core.json, `blockdev-create`; qapi/migration.json, `snapshot-save`.
 *
 * @module
 */
import type { BlockGraph } from "../graph.ts";
import type { Job } from "./job.ts";
import type { JobType } from "./work.ts";

/** Starts a job that does `work` once. @throws {BlockError} where the id will not do */
export async function startOnce(
  graph: BlockGraph,
  how: { readonly id: string; readonly type: JobType },
  work: () => Promise<void>,
): Promise<Job> {
  const once = {
    type: how.type,
    async *run(job: Job): AsyncGenerator<never, void, void> {
      job.progress.total = 1;
      try {
        await work();
      } finally {
        job.progress.done = 1;
      }
      // All is done in one go.
      yield* [];
    },
  };
  const job = await graph.jobs.create(once, { id: how.id, autoDismiss: false }, () => Promise.resolve());
  job.start();
  return job;
}
