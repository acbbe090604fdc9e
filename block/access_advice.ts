/**
 * What a user of a node knows of the requests to come, told to whatever protocol lies below: it changes no result, only
 * how soon it is there. Drivers that have no use for it have no method for it.
 *
 * @module
 */
import type { BlockDriver } from "./driver.ts";
import type { BlockNode } from "./node.ts";

/**
 * `grows`: the file is written from front to back and becomes as long as what is written.
 * `fills-holes`: large writes go where the file has holes.
 * `large-reads-aside`: large reads are made while the one who asked does other work, here the reading of another image.
 * `processors-are-busy`: what a read takes is missed elsewhere; the least work is best, wherever it is done.
 */
export type AccessAdvice = "grows" | "fills-holes" | "large-reads-aside" | "processors-are-busy";

/** A driver that takes advice. */
export interface AdvisedDriver extends BlockDriver {
  advise(advice: AccessAdvice): void;
}

function takesAdvice(driver: BlockDriver): driver is AdvisedDriver {
  return "advise" in driver;
}

/** Tells `node` and what is below it, down to the protocol, by way of its `file` children. */
export function advise(node: BlockNode, advice: AccessAdvice): void {
  for (let at: BlockNode | undefined = node; at !== undefined; at = at.child("file")) {
    if (takesAdvice(at.driver)) at.driver.advise(advice);
  }
}
