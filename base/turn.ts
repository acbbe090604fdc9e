/**
 * The event loop's turns: what takes long gives others theirs.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** The next turn of the event loop: timers, sockets and signals get theirs first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
