/**
 * What is wrong with a character device, in QEMU's words.
 *
 * @module
 */

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
