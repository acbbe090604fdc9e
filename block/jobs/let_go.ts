/**
 * The end of a job that put a filter over a node: the job's hold, the filter and the way the node was opened go back.
 *
 * @module
 */
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import type { Job } from "./job.ts";

/** Gives back what `job` took of `node`, which stays open meanwhile even where nobody else has it. */
export async function letGo(
  graph: BlockGraph,
  job: Job,
  node: BlockNode,
  how: { readonly wasReadOnly: boolean; readonly removeFilter: () => Promise<void> },
): Promise<void> {
  graph.hold(node);
  try {
    try {
      await job.release();
    } finally {
      await how.removeFilter();
    }
    if (how.wasReadOnly) await graph.reopen(node, { readOnly: true });
  } finally {
    await graph.release(node);
  }
}
