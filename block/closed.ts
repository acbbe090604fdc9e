/**
 * The driver of a node that is not open (any more): every request ends in ENOMEDIUM.
 *
 * @module
 */
import type { BlockDriver } from "./driver.ts";
import { type BlockError, ioError } from "./errors.ts";

function refuse(operation: "read" | "write" | "discard" | "status" | "truncate"): Promise<never> {
  return Promise.reject<never>(ioError(operation, "ENOMEDIUM") satisfies BlockError);
}

/** Stands in before a driver was opened and after it was closed. */
export const closedDriver: BlockDriver = {
  name: "",
  size: 0,
  limits: { alignBytes: 1 },
  read: () => refuse("read"),
  write: () => refuse("write"),
  writeZeroes: () => refuse("write"),
  discard: () => refuse("discard"),
  flush: () => Promise.resolve(),
  status: () => refuse("status"),
  truncate: () => refuse("truncate"),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
