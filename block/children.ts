/**
 * Children that a node takes and gives back while it is open.
 *
 * Source: qapi/block-core.json, `x-blockdev-change`.
 *
 * @module
 */
import { BlockError } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import type { BlockNode } from "./node.ts";
import { formatJson } from "./options/json.ts";
import { childPermissions, cumulative } from "./permissions.ts";
import { drained } from "./rewire.ts";

/** Makes `node` one more child of `parent`. @throws {BlockError} and nothing has changed */
export async function addChild(graph: BlockGraph, parent: BlockNode, node: BlockNode): Promise<void> {
  const { childList } = parent.driver;
  if (childList === undefined) throw stateError(`The node ${parent.name} does not support adding a child`);
  if (node.parents.length > 0) throw stateError(`The node ${node.name} already has a parent`);
  const role = childList.nextRole();
  if (isWithin(parent, node)) {
    throw stateError(`Making '${node.name}' a ${role} child of '${parent.name}' would create a cycle`);
  }
  await drained([parent, node], async () => {
    const { used, shared } = childPermissions(parent, node, role, cumulative(parent));
    parent.children.push(await graph.attach(parent, node, role, used, shared));
    childList.add(role, node);
    nameAnew(parent);
  });
}

/** Takes the child in `role` away; it is closed where nobody else has it. @throws {BlockError} and nothing has changed */
export async function removeChild(graph: BlockGraph, parent: BlockNode, role: string): Promise<void> {
  const index = parent.children.findIndex((edge) => edge.role === role);
  const edge = parent.children[index];
  if (edge === undefined) throw stateError(`Node '${parent.name}' does not have child '${role}'`);
  const { childList } = parent.driver;
  if (childList === undefined) throw stateError(`The node ${parent.name} does not support removing a child`);
  await drained([parent], async () => {
    childList.remove(role, edge.node);
    parent.children.splice(index, 1);
    nameAnew(parent);
    await graph.detach(edge);
  });
}

/** Whether `node` is `top`, or lies below it. */
export function isWithin(node: BlockNode, top: BlockNode): boolean {
  return node === top || top.children.some((edge) => isWithin(node, edge.node));
}

function nameAnew(parent: BlockNode): void {
  const children = parent.children.map(({ node }) => node.fullOptions);
  parent.fullOptions = { ...parent.fullOptions, children };
  parent.filename = `json:${formatJson(parent.fullOptions)}`;
}

function stateError(text: string): BlockError {
  return new BlockError({ kind: "state", text });
}
