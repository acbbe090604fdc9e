/**
 * Nodes that are handed over to another program and taken back: `blockdev-set-active`.
 *
 * An inactive node is not written to, no guest reads it, and what it lies in is not locked: another program may have it.
 * Before, all that was written is in the file, bitmaps too; when it is taken back, the image is read again. A node goes
 * with those below it that no active node uses.
 *
 * Left out: formats that keep metadata in memory and do not read it again; they are refused.
 *
 * Source: qapi/block-core.json, `blockdev-set-active` (newer than 7.2); what is refused, and with which words, is that of
 * QEMU 10.
 *
 * @module
 */
import { BlockError, prefixed } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import { BlockNode } from "./node.ts";
import { applyPermissions, restorePermissions } from "./permissions.ts";
import { drained } from "./rewire.ts";

/** Hands `node` over, with what only it uses. @throws {BlockError} in QEMU's words; nothing has changed then */
export async function inactivate(node: BlockNode): Promise<void> {
  if (node.parents.some(({ owner }) => isActive(owner))) throw stateError("Node has active parent node");
  await inactivateTree(node).catch((error) => {
    throw prefixed("Failed to inactivate node: ", error);
  });
}

/** Hands all nodes over. @throws {BlockError} in QEMU's words; what was handed over before has come back */
export async function inactivateAll(graph: BlockGraph): Promise<void> {
  const done: BlockNode[] = [];
  try {
    for (const node of graph.nodes.filter(({ parents }) => !parents.some(({ owner }) => isActive(owner)))) {
      const isNew = node.inactive === undefined;
      await inactivateTree(node);
      if (isNew) done.push(node);
    }
  } catch (error) {
    for (const node of done.reverse()) await activate(node).catch(() => {});
    throw prefixed("Failed to inactivate all nodes: ", error);
  }
}

/** Takes `node` back, with all below it. @throws {BlockError} where another program has it, or its image is damaged */
export async function activate(node: BlockNode): Promise<void> {
  const raised: BlockNode[] = [];
  await drained([node, ...belowIn(node)], async () => {
    try {
      await raiseTree(node, raised);
    } catch (error) {
      for (const one of raised.reverse()) await lower(one).catch(() => {});
      throw error;
    }
  });
}

/** Takes all nodes back. @throws {BlockError} as {@link activate} */
export async function activateAll(graph: BlockGraph): Promise<void> {
  if (!graph.nodes.some(({ inactive }) => inactive !== undefined)) return;
  // From the top, so that of what stays inactive all does.
  const tops = graph.nodes.filter(({ parents }) => !parents.some(({ owner }) => owner instanceof BlockNode));
  for (const node of tops) await activate(node);
}

/** Refuses formats whose metadata would be stale when they are active again. @throws {BlockError} */
export function checkHandover(node: BlockNode): void {
  const { kind, plain, driver } = node;
  if (kind !== "format" || plain || driver.invalidate !== undefined) return;
  const text = `The ${driver.name} format does not read an image again that another program may have changed`;
  throw new BlockError({ kind: "state", text, errno: "ENOTSUP" });
}

async function inactivateTree(top: BlockNode): Promise<void> {
  const nodes = whatGoes(top);
  for (const node of nodes) {
    checkHandover(node);
    if (node.parents.some(({ owner }) => owner.yields !== true && !(owner instanceof BlockNode))) {
      throw stateError("Operation not permitted", "EPERM");
    }
  }
  await drained(nodes, async () => {
    const lowered: BlockNode[] = [];
    try {
      for (const node of nodes) {
        if (node.inactive !== undefined) continue;
        await lower(node);
        lowered.push(node);
      }
    } catch (error) {
      for (const node of lowered.reverse()) await raise(node).catch(() => {});
      throw error;
    }
  });
}

/** `top` and those below it that no active node but these uses: parents before children. */
function whatGoes(top: BlockNode): BlockNode[] {
  const found = [top];
  for (const { children } of found) {
    for (const { node } of children) {
      const isFree = node.parents.every(({ owner }) => !isActive(owner) || found.includes(owner as BlockNode));
      if (isFree && !found.includes(node)) found.push(node);
    }
  }
  return found;
}

function belowIn(node: BlockNode): BlockNode[] {
  const found = node.children.map((edge) => edge.node);
  for (const { children } of found) for (const edge of children) if (!found.includes(edge.node)) found.push(edge.node);
  return found;
}

function isActive(owner: unknown): boolean {
  return owner instanceof BlockNode && owner.inactive === undefined;
}

/** From now on it is not written to; it has been flushed, or not been opened yet. */
export function markInactive(node: BlockNode): void {
  node.inactive = { readOnly: node.readOnly };
  node.readOnly = true;
}

async function lower(node: BlockNode): Promise<void> {
  if (!node.readOnly) {
    await node.flush();
    await setReadOnly(node, true);
  }
  markInactive(node);
  await applyPermissions(node);
}

async function raiseTree(node: BlockNode, raised: BlockNode[]): Promise<void> {
  for (const edge of node.children) await raiseTree(edge.node, raised);
  if (node.inactive === undefined) return;
  await raise(node);
  raised.push(node);
}

/** Files are opened for writing, locked, and only then is the format read that lies in them. */
async function raise(node: BlockNode): Promise<void> {
  const before = node.inactive!;
  const reopen = before.readOnly ? undefined : () => openForWriting(node);
  try {
    if (node.kind === "protocol") await reopen?.();
    node.inactive = undefined;
    node.readOnly = before.readOnly || node.openedReadOnly;
    await applyPermissions(node);
    const { size } = node;
    await node.driver.invalidate?.();
    if (node.kind !== "protocol") await reopen?.();
    node.refreshLimits();
    node.writeGeneration++;
    if (node.size === size) return;
    for (const bitmap of node.bitmaps) bitmap.resize(node.size);
    for (const edge of node.parents) edge.owner.childResized?.(node);
  } catch (error) {
    await setReadOnly(node, true).catch(() => {});
    node.inactive = before;
    node.readOnly = true;
    await restorePermissions(node);
    throw error;
  }
}

async function openForWriting(node: BlockNode): Promise<void> {
  try {
    await setReadOnly(node, false);
  } catch (error) {
    if (!node.autoReadOnly) throw error;
    node.openedReadOnly = true;
  }
}

async function setReadOnly({ driver, cacheDirect, cacheNoFlush }: BlockNode, readOnly: boolean): Promise<void> {
  await driver.reopen?.({ readOnly, cacheDirect, cacheNoFlush });
}

function stateError(text: string, errno?: "EPERM"): BlockError {
  return new BlockError({ kind: "state", text, ...(errno === undefined ? {} : { errno }) });
}
