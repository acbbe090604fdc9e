/**
 * Drained sections: users hold new requests back, and requests that wait for their turn in a throttle group go on, since
 * their time may never come while the machine stands still.
 *
 * @module
 */
import type { BlockDriver } from "./driver.ts";
import type { BlockNode } from "./node.ts";

/** Suspends the drivers below `node` that have anybody wait; the caller resumes those that are returned. */
export function suspendBelow(node: BlockNode): readonly BlockDriver[] {
  const found = new Set<BlockDriver>();
  collect(node, found);
  for (const driver of found) driver.suspend?.();
  return [...found];
}

/** The same with the driver of `node` itself. */
export function suspendWithin(node: BlockNode): readonly BlockDriver[] {
  node.driver.suspend?.();
  return [node.driver, ...suspendBelow(node)];
}

/** A drained section begins: the driver of `node` lets all through, and its users hold new requests back. */
export function quiesceAbove({ driver, parents }: BlockNode): void {
  driver.suspend?.();
  for (const { owner } of parents) owner.quiesce();
}

/** It ends. */
export function unquiesceAbove({ driver, parents }: BlockNode): void {
  driver.resume?.();
  for (const { owner } of parents) owner.unquiesce();
}

function collect(node: BlockNode, found: Set<BlockDriver>): void {
  for (const { node: child } of node.children) {
    if (child.driver.suspend !== undefined) found.add(child.driver);
    collect(child, found);
  }
}
