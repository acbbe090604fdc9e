/**
 * The event loop's turns: what takes long gives others theirs.
 *
 * @module
 */

/** The next turn of the event loop: timers, sockets and signals get theirs first. */
export function nextTurn(): Promise<void> {
  // The global one is loaded when it is first used; importing node:timers would cost every start some milliseconds.
  // deno-lint-ignore no-node-globals
  return new Promise((resolve) => void setImmediate(resolve));
}
