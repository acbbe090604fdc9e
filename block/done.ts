/**
 * How a request says that it has ended before anybody could wait for it.
 *
 * What the page cache holds is read while the driver's `read` runs. Each layer that only learns of that from a promise
 * costs as much as a third of the system call itself; so a driver that is done returns this very promise, and a layer
 * above that finds it goes on at once. To everybody else it is a promise like any other.
 *
 * @module
 */

/** The promise of what is done already; compare with `===`. */
export const DONE: Promise<void> = Promise.resolve();
