/**
 * What is wrong with a character device, in QEMU's words.
 *
 * @module
 */
import { errnoText, isErrno } from "../../base/errno.ts";

/** A character device cannot be had, or not be used so. */
export class ChardevError extends Error {
  override readonly name = "ChardevError";
  /** Lines that follow the message. */
  readonly hint: string | undefined;
  /** Messages that are told before it. */
  readonly preceding: readonly string[];

  constructor(
    message: string,
    options: { readonly hint?: string; readonly preceding?: readonly string[]; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.preceding = options.preceding ?? [];
  }
}

/** `Connection refused (os error 111)` without its number, and without what Deno says before the host's words. */
export function hostReason(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  if (typeof code === "string" && isErrno(code)) return errnoText(code);
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ \(os error \d+\).*$/s, "");
}
