/**
 * The errors of this format: an image that cannot be opened, one that does what moa does not, and one that turns out to
 * contradict itself while it is in use.
 *
 * @module
 */
import type { Errno } from "../../../base/errno.ts";
import { BlockError } from "../../errors.ts";

/** The image is not what a qcow2 image may be; `text` is QEMU's. */
export function formatError(text: string, errno: Errno = "EINVAL", cause?: unknown): BlockError {
  return new BlockError({ kind: "format", format: "qcow2", text, errno }, cause === undefined ? {} : { cause });
}

/** A feature of the format that moa does not have. */
export function unsupported(feature: string, text: string): BlockError {
  return new BlockError({ kind: "unsupported", feature, text });
}

/** An option that will not do. */
export function optionError(text: string, option?: string): BlockError {
  return new BlockError(option === undefined ? { kind: "option", text } : { kind: "option", option, text });
}

/** Something that the image's present state does not allow. */
export function stateError(text: string, errno: Errno = "EINVAL"): BlockError {
  return new BlockError({ kind: "state", text, errno });
}

/** As C's `%#x` prints it: zero without a prefix. */
export function hex(value: number): string {
  return value === 0 ? "0" : `0x${value.toString(16)}`;
}
