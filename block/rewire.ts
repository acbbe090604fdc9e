/**
 * Changing the graph while guests use it: another node in the place of one, a filter put in and taken out, another
 * backing node.
 *
 * Whoever is concerned is drained meanwhile: requests in flight end before, new ones wait. What permissions refuse is
 * put back as it was.
 *
 * Left out: children in roles that their driver does not take another in (`replaceable`).
 *
 * @module
 */
import { BlockError } from "./errors.ts";
import type { BlockDriver } from "./driver.ts";
import type { BlockGraph } from "./graph.ts";
import { BlockNode } from "./node.ts";
import { resolveAgainst } from "./options/filename.ts";
import { formatJson } from "./options/json.ts";
import {
  ALL_PERMISSIONS,
  applyPermissions,
  type BlockEdge,
  childPermissions,
  cumulative,
  type EdgeOwner,
  restorePermissions,
} from "./permissions.ts";

/** Runs `work` while nobody sends requests to any of `nodes`. */
export async function drained<T>(nodes: readonly BlockNode[], work: () => Promise<T>): Promise<T> {
  const begun: BlockNode[] = [];
  try {
    for (const node of nodes) {
      begun.push(node);
      await node.drainedBegin();
    }
    return await work();
  } finally {
    for (const node of begun.reverse()) node.drainedEnd();
  }
}

/**
 * Has those users of `from` that `moves` says use `to` from now on; by default all but `to` itself.
 * @throws {BlockError} where a user cannot change over, or permissions stand against it; nothing has changed then
 */
export async function replaceNode(
  from: BlockNode,
  to: BlockNode,
  moves: (edge: BlockEdge) => boolean = () => true,
): Promise<void> {
  await drained([from, to], async () => {
    const edges = from.parents.filter((edge) => edge.owner as unknown !== to && moves(edge));
    for (const { owner, role } of edges) {
      if (owner instanceof BlockNode ? takesAnother(owner, role) : owner.childReplaced !== undefined) continue;
      const text = `${owner.description} cannot take another node as its '${role}' child`;
      throw new BlockError({ kind: "unsupported", feature: "replace", text });
    }
    for (const edge of edges) move(edge, to);
    try {
      await applyPermissions(from);
      await applyPermissions(to);
    } catch (error) {
      for (const edge of edges) move(edge, from);
      await restorePermissions(to);
      await restorePermissions(from);
      throw error;
    }
  });
}

/** Whether a node's driver can change over. */
function takesAnother(node: BlockNode, role: string): boolean {
  return node.driver.replaceable?.includes(role) === true;
}

/** Both nodes are drained, so that the owner of the edge stays told. */
function move(edge: BlockEdge, to: BlockNode): void {
  const { parents } = edge.node;
  parents.splice(parents.indexOf(edge), 1);
  edge.node = to;
  to.parents.push(edge);
  edge.owner.childReplaced?.(edge, to);
}

/** A filter that is to be put in. */
export interface FilterOptions {
  /** Its name; without one the graph makes one, and users see the node below. */
  readonly name?: string | undefined;
  readonly driver: BlockDriver;
  /** Another child that it will have: what lies on `node` there stays there, or the graph had a loop. */
  readonly other?: BlockNode | undefined;
}

/** Puts a filter over `node`: all its users go through it. Held until {@link removeFilter}. @throws {BlockError} */
export async function insertFilter(graph: BlockGraph, node: BlockNode, options: FilterOptions): Promise<BlockNode> {
  const filter = new BlockNode({
    name: options.name ?? graph.nextName(),
    kind: "filter",
    readOnly: node.readOnly,
    cacheDirect: node.cacheDirect,
    cacheNoFlush: node.cacheNoFlush,
    discard: true,
    filename: node.filename,
    traces: graph.traces,
  });
  filter.exactFilename = node.exactFilename;
  filter.fullOptions = node.fullOptions;
  graph.enter(filter);
  graph.hold(filter);
  try {
    filter.children.push(await graph.attach(filter, node, "backing", 0, ALL_PERMISSIONS));
    filter.attachDriver(options.driver);
    const { other } = options;
    await replaceNode(node, filter, ({ owner }) => other === undefined || !isAtOrBelow(other, owner));
    return filter;
  } catch (error) {
    await graph.release(filter);
    throw error;
  }
}

/** Whether `owner` is `top` or a node below it. */
function isAtOrBelow(top: BlockNode, owner: EdgeOwner): boolean {
  return (top as EdgeOwner) === owner || top.children.some(({ node }) => isAtOrBelow(node, owner));
}

/** Takes a filter out again: its users go to the node below. */
export async function removeFilter(graph: BlockGraph, filter: BlockNode): Promise<void> {
  const below = filter.children[0]!.node;
  await replaceNode(filter, below);
  await graph.release(filter);
}

/**
 * Makes `node` the child of `parent` in `role`, which its driver takes another in; the one before is closed where nobody
 * else uses it.
 * @throws {BlockError} where permissions stand against it; nothing has changed then
 */
export async function setChild(
  graph: BlockGraph,
  parent: BlockNode,
  role: string,
  node: BlockNode | undefined,
): Promise<void> {
  await drained(node === undefined ? [parent] : [parent, node], async () => {
    const before = parent.children.findIndex((edge) => edge.role === role);
    const old = parent.children[before];
    if (old?.node === node) return;
    if (node !== undefined) {
      const { used, shared } = childPermissions(parent, node, role, cumulative(parent));
      parent.children.push(await graph.attach(parent, node, role, used, shared));
    }
    if (old !== undefined) parent.children.splice(before, 1);
    parent.childReplaced({ ...(old ?? parent.children.at(-1)!), role }, node);
    if (old !== undefined) await graph.detach(old);
  });
}

/**
 * Makes `backing` (or none) the backing node of `overlay`; the one before is closed where nobody else uses it.
 * @throws {BlockError} where the format cannot, or permissions stand against it; nothing has changed then
 */
export async function setBacking(
  graph: BlockGraph,
  overlay: BlockNode,
  backing: BlockNode | undefined,
): Promise<void> {
  if (!takesAnother(overlay, "backing")) {
    const text = `Driver '${overlay.driver.name}' of node '${overlay.name}' does not support backing files`;
    throw new BlockError({ kind: "unsupported", feature: "backing", text });
  }
  await setChild(graph, overlay, "backing", backing);
  await refreshName(overlay);
}

/** Names a node anew after its backing node, or what its header says of that, has changed. */
export async function refreshName(node: BlockNode): Promise<void> {
  const backing = node.backing === undefined ? undefined : visibleNode(node.backing);
  const header = (await node.driver.info?.())?.backingFile;
  const place = node.child("file")?.exactFilename ?? "";
  const meant = header === undefined || place === "" ? header : resolveAgainst(place, header);
  const { backing: _before, ...own } = node.fullOptions;
  const isMeant = backing?.filename === meant;
  node.fullOptions = isMeant ? own : { ...own, backing: backing === undefined ? null : backing.fullOptions };
  const isPlain = isMeant && Object.keys(own).every((name) => name === "driver" || name === "file");
  node.exactFilename = isPlain ? place : "";
  node.filename = node.exactFilename || `json:${formatJson(node.fullOptions)}`;
}

/** What users mean by a node: filters that jobs put in by themselves are not seen. */
export function visibleNode(node: BlockNode): BlockNode {
  let visible = node;
  while (visible.driver.isImplicit === true) visible = visible.children[0]!.node;
  return visible;
}
