/**
 * Changing flags of open nodes: read-only, cache bypass, flushes. A node and the files below it go together.
 *
 * Towards writing, the file is opened and locked before the format touches it; towards reading, the format has flushed
 * before its file is closed for writing.
 *
 * @module
 */
import type { ReopenChange } from "./driver.ts";
import type { BlockNode } from "./node.ts";
import { applyPermissions, restorePermissions } from "./permissions.ts";

/** Takes `change` over for `node`, whose users are drained, and what it stores its data in. */
export async function reopenChain(node: BlockNode, change: Partial<ReopenChange>): Promise<void> {
  const chain = filesBelow(node);
  const before = chain.map((one) => flagsOf(one));
  const after = before.map((flags) => ({ ...flags, ...change }));
  const toWriting = before[0]!.readOnly && !after[0]!.readOnly;
  const order = chain.map((_, index) => index);
  if (toWriting) order.reverse();
  const changed: number[] = [];
  try {
    if (!toWriting) await node.flush();
    for (const index of order) {
      changed.push(index);
      if (toWriting && index === 0) await lockForWriting(node, chain, after);
      await setFlags(chain[index]!, after[index]!);
    }
    await applyPermissions(node);
  } catch (error) {
    for (const index of changed.reverse()) await setFlags(chain[index]!, before[index]!).catch(() => {});
    await restorePermissions(node);
    throw error;
  }
}

/** The node and what it was opened with to store itself in, metadata and data: parents before children. */
function filesBelow(node: BlockNode): BlockNode[] {
  const found = [node];
  // Those that are found are looked below in their turn.
  for (const { children } of found) {
    for (const { role, node: child, isWithin } of children) {
      if (isWithin === true && role !== "backing" && !found.includes(child)) found.push(child);
    }
  }
  return found;
}

/** Locks are taken for what the format will do before it does it. */
async function lockForWriting(
  node: BlockNode,
  chain: readonly BlockNode[],
  after: readonly ReopenChange[],
): Promise<void> {
  node.readOnly = after[0]!.readOnly;
  await applyPermissions(chain[0]!);
}

function flagsOf(node: BlockNode): ReopenChange {
  return { readOnly: node.readOnly, cacheDirect: node.cacheDirect, cacheNoFlush: node.cacheNoFlush };
}

async function setFlags(node: BlockNode, flags: ReopenChange): Promise<void> {
  await node.driver.reopen?.(flags);
  node.readOnly = flags.readOnly;
  node.cacheDirect = flags.cacheDirect;
  node.cacheNoFlush = flags.cacheNoFlush;
  node.refreshLimits();
}
