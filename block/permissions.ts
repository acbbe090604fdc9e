/**
 * Who uses a node, for what, and what each lets others do with it: QEMU's permission system.
 *
 * Every edge of the graph says what its owner does with the node below (`used`) and what it lets others do meanwhile
 * (`shared`). All edges of a node must go together; what they say together is what the node itself asks of its children,
 * translated by their role. Drivers are told at the end: the file driver turns it into locks and open modes.
 *
 * Graph-mod, which QEMU has given up, is not here.
 *
 * @module
 */
import { BlockError } from "./errors.ts";
import type { BlockNode } from "./node.ts";

/** Things that a user of a node may want, or let others do. A bit each; the numbers are those of QEMU's image locks. */
export const Permission = { consistentRead: 1, write: 2, writeUnchanged: 4, resize: 8 } as const;

/** All permissions. */
export const ALL_PERMISSIONS = 15;

/** What a device that keeps its disk to itself lets others do. */
export const DEVICE_SHARED: number = Permission.consistentRead | Permission.writeUnchanged | Permission.resize;

/** The same of a drive with exchangeable media: its guest does not learn of a new size, so that nobody may change it. */
export const REMOVABLE_SHARED: number = Permission.consistentRead | Permission.writeUnchanged;

const NAMES: readonly (readonly [number, string])[] = [
  [Permission.consistentRead, "consistent read"],
  [Permission.write, "write"],
  [Permission.writeUnchanged, "write unchanged"],
  [Permission.resize, "resize"],
];

/** Bits as QEMU's messages list them: `"write, resize"`. */
export function permissionNames(bits: number): string {
  return NAMES.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name).join(", ");
}

/** What stands above an edge: a node, a backend or a job. */
export interface EdgeOwner {
  readonly name: string;
  /** As messages name it: `node 'a'`, `block device 'ide0-hd0'`. */
  readonly description: string;
  quiesce(): void;
  unquiesce(): void;
  settle(): Promise<void>;
  /** Does without a node that is inactive, as a guest does. */
  readonly yields?: boolean;
  childResized?(child: BlockNode): void;
  /** Another node takes the place of the one below `edge`, or none; all is drained. Without it, none can. */
  childReplaced?(edge: BlockEdge, node: BlockNode | undefined): void;
}

/** A user of a node: the link from what stands above it. */
export interface BlockEdge {
  readonly role: string;
  readonly owner: EdgeOwner;
  /** Changes only where another node takes its place (rewire.ts). */
  node: BlockNode;
  /** What the owner does with the node: bits of {@link Permission}. */
  used: number;
  /** What the owner lets others do. */
  shared: number;
  /** The node was described within its owner, and takes from it what its own options leave open. */
  isWithin?: boolean;
}

/** A pair of permission sets. */
export interface PermissionPair {
  readonly used: number;
  readonly shared: number;
}

const NOTHING: PermissionPair = { used: 0, shared: ALL_PERMISSIONS };

/** What all users of a node together do with it, and what all of them let others do. */
export function cumulative(node: BlockNode): PermissionPair {
  if (node.inactive !== undefined) return NOTHING;
  let used = 0;
  let shared = ALL_PERMISSIONS;
  for (const edge of node.parents) {
    used |= edge.used;
    shared &= edge.shared;
  }
  return { used, shared };
}

/** What a node asks of `child` in `role`, given what is asked of the node itself. */
export function childPermissions(
  node: BlockNode,
  child: BlockNode,
  role: string,
  asked: PermissionPair,
): PermissionPair {
  if (node.inactive !== undefined) return NOTHING;
  const { used, shared } = ownPermissions(node, role, asked);
  // `force-share`: others may do what they like, a reader takes what comes.
  return { used, shared: child.forceShare ? ALL_PERMISSIONS : shared };
}

function ownPermissions(node: BlockNode, role: string, asked: PermissionPair): PermissionPair {
  const { consistentRead, write, writeUnchanged, resize } = Permission;
  const special = node.driver.childPermissions?.(role, asked);
  if (special !== undefined) return special;
  if (role === "backing") {
    const shared = consistentRead | writeUnchanged | ((asked.shared & write) !== 0 ? write | resize : 0);
    return { used: asked.used & consistentRead, shared };
  }
  if (node.plain || role === "filtered") return asked;
  const writing = node.readOnly ? 0 : write | resize;
  return { used: asked.used | consistentRead | writing, shared: asked.shared & ~(write | resize) };
}

/** Checks what all users of `node`, and of the nodes below, want of one another, then tells the drivers. */
export async function applyPermissions(node: BlockNode): Promise<void> {
  const touched: BlockNode[] = [];
  const before = new Map<BlockEdge, PermissionPair>();
  try {
    spread(node, touched, before);
    for (const one of touched) if (one.openedReadOnly && wantsWriting(cumulative(one).used)) await openForWriting(one);
    for (const one of touched) await tell(one);
  } catch (error) {
    for (const [edge, { used, shared }] of before) Object.assign(edge, { used, shared });
    throw error;
  }
}

/** Tells the drivers again what stands now: after an edge was taken back since {@link applyPermissions} refused it. */
export async function restorePermissions(node: BlockNode): Promise<void> {
  await applyPermissions(node).catch(() => {});
}

function spread(node: BlockNode, touched: BlockNode[], before: Map<BlockEdge, PermissionPair>): void {
  checkUsers(node);
  const asked = cumulative(node);
  checkNode(node, asked.used);
  touched.push(node);
  for (const edge of node.children) {
    const wanted = childPermissions(node, edge.node, edge.role, asked);
    if (wanted.used === edge.used && wanted.shared === edge.shared) continue;
    if (!before.has(edge)) before.set(edge, { used: edge.used, shared: edge.shared });
    Object.assign(edge, wanted);
    spread(edge.node, touched, before);
  }
}

/** Refuses a user whom an inactive node cannot serve. @throws {BlockError} in QEMU's words */
export function refuseInactive(owner: EdgeOwner, isNode: boolean, node: BlockNode, role: string, used: number): void {
  if (node.inactive === undefined || (owner.yields ?? (owner as Partial<BlockNode>).inactive !== undefined)) return;
  const missing = permissionNames(used & ~Permission.consistentRead);
  if (!isNode && missing === "") return;
  const text = isNode
    ? `Inactive '${node.name}' can't be a ${role} child of active '${owner.name}'`
    : `Permission '${missing}' unavailable on inactive node`;
  throw new BlockError({ kind: "permission", node: node.name, text });
}

function wantsWriting(used: number): boolean {
  return (used & (Permission.write | Permission.writeUnchanged)) !== 0;
}

/** A file that was opened for reading since nobody could write it yet (`auto-read-only`): now somebody would. */
async function openForWriting(node: BlockNode): Promise<void> {
  const { cacheDirect, cacheNoFlush } = node;
  await node.driver.reopen?.({ readOnly: false, cacheDirect, cacheNoFlush });
  node.readOnly = false;
  node.openedReadOnly = false;
}

async function tell(node: BlockNode): Promise<void> {
  const { used, shared } = cumulative(node);
  await node.driver.setPermissions?.(used, shared);
}

/** Compares each user with each other, the newest first, as QEMU does: so that messages name the same two. */
function checkUsers(node: BlockNode): void {
  if (node.inactive !== undefined) return;
  for (const a of node.parents.toReversed()) {
    for (const b of node.parents.toReversed()) {
      const conflict = a === b ? 0 : b.used & ~a.shared;
      if (conflict === 0) continue;
      throw new BlockError({
        kind: "permission",
        node: node.name,
        text: `Permission conflict on node '${node.name}': permissions '${permissionNames(conflict)}' are both ` +
          `required by ${describeUse(b)} and unshared by ${describeUse(a)}.`,
      });
    }
  }
}

function describeUse(edge: BlockEdge): string {
  return `${edge.owner.description} (uses node '${edge.node.name}' as '${edge.role}' child)`;
}

function checkNode(node: BlockNode, used: number): void {
  const { write, resize } = Permission;
  if (wantsWriting(used) && node.readOnly && !node.openedReadOnly) {
    throw new BlockError({ kind: "permission", node: node.name, text: "Block node is read-only" });
  }
  const { alignBytes } = node.driver.limits;
  if ((used & write) !== 0 && (used & resize) === 0 && node.size % alignBytes !== 0) {
    throw new BlockError({
      kind: "permission",
      node: node.name,
      text: "Cannot get 'write' permission without 'resize': Image size is not a multiple of request alignment",
    });
  }
}
