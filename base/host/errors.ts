/**
 * How a failed call of the host is told: as the kernel does, by a negative error number, or as an exception for calls
 * that are not on any hot path.
 *
 * @module
 */
import { type Errno, errnoFromNumber, errnoText } from "../errno.ts";

/** A system call failed. */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly errno: Errno;
  /** The call: `"open"`. */
  readonly call: string;

  constructor(call: string, errno: Errno) {
    super(`${call}: ${errnoText(errno)}`);
    this.call = call;
    this.errno = errno;
  }
}

/** `result` itself, or a {@link HostError} for one below zero, which is an error number. */
export function check(call: string, result: number): number {
  if (result < 0) throw new HostError(call, errnoFromNumber(-result));
  return result;
}
