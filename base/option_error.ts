/**
 * What is wrong with an option that somebody wrote, in QEMU's words.
 *
 * @module
 */

/** An option is unknown, missing, malformed or out of range. */
export class OptionError extends Error {
  override readonly name = "OptionError";
  /** Lines that QEMU prints after the message, without the program's name; empty where there are none. */
  readonly hint: string;

  constructor(message: string, hint = "") {
    super(message);
    this.hint = hint;
  }
}
