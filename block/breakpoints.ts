/**
 * Breakpoints of requests: the next request that comes to a point with a name (`write_aio`, `l2_load`) is suspended there
 * under a tag until somebody resumes it. A driver that can do it (blkdebug) offers them; qemu-io's `break`, `wait_break`,
 * `resume` and `remove_break` use them.
 *
 * Source: behaviour of QEMU 7.2's blkdebug.
 *
 * @module
 */
import type { BlockNode } from "./node.ts";

/** What a driver offers that can suspend requests. */
export interface Breakpoints {
  /** The next request that comes to `event` stops; `say` is told of it, in whole lines. False where there is no such event. */
  set(event: string, tag: string, say: (text: string) => void): boolean;
  /** Forgets the breakpoints called `tag` and resumes what they suspended. False where none was still to come. */
  remove(tag: string): boolean;
  /** Resumes the request that was suspended last as `tag`. False where there is none. */
  resume(tag: string): boolean;
  /** Whether a request is suspended as `tag`. */
  isSuspended(tag: string): boolean;
  /** Resolves when a further request is suspended, as whatever. */
  nextStop(): Promise<void>;
  /** How many times requests are suspended now. */
  readonly suspendedCount: number;
  /** Forgets all breakpoints and resumes all requests. */
  clear(): void;
}

/** The breakpoints of the first driver at or below `node` that has any, down the chain of what holds the data. */
export function findBreakpoints(node: BlockNode | undefined): Breakpoints | undefined {
  for (let at = node; at !== undefined; at = at.child("file") ?? at.child("image") ?? at.child("backing")) {
    if (at.driver.breakpoints !== undefined) return at.driver.breakpoints;
  }
  return undefined;
}
