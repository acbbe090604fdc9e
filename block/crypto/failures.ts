/**
 * The errors of encryption: options that will not do, headers that cannot be, and passphrases that unlock nothing.
 *
 * @module
 */
import type { Errno } from "../../base/errno.ts";
import { BlockError } from "../errors.ts";

/** A volume's header is not what LUKS allows; `text` is QEMU's. */
export function headerError(text: string, errno: Errno = "EINVAL"): BlockError {
  return new BlockError({ kind: "format", format: "luks", text, errno });
}

/** An option that will not do. */
export function optionError(text: string, option?: string): BlockError {
  return new BlockError(option === undefined ? { kind: "option", text } : { kind: "option", option, text });
}

/** A passphrase, a key slot or a volume does not allow what was asked. */
export function stateError(text: string, errno: Errno = "EINVAL"): BlockError {
  return new BlockError({ kind: "state", text, errno });
}

/** An algorithm that LUKS knows and moa has not. */
export function unsupported(feature: string, text: string): BlockError {
  return new BlockError({ kind: "unsupported", feature, text });
}
