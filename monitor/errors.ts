/**
 * What a command says when it cannot do what it was asked.
 *
 * @module
 */
import { OptionError } from "../base/option_error.ts";
import { BlockError } from "../block/mod.ts";

/** An operating error of the monitor: `message` in QEMU's words, without the prompt's `Error: `. */
export class MonitorError extends Error {
  override readonly name = "MonitorError";
  /** Lines that follow the message and that scripts do not compare. */
  readonly hint: string | undefined;
  /** Messages that are told before it, each with whatever stands before messages. */
  readonly preceding: readonly string[];
  /** QMP's class of the error. */
  readonly errorClass: "GenericError" | "CommandNotFound" | "DeviceNotFound" | "DeviceNotActive";

  constructor(
    message: string,
    options: {
      hint?: string | undefined;
      preceding?: readonly string[];
      class?: MonitorError["errorClass"];
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.preceding = options.preceding ?? [];
    this.errorClass = options.class ?? "GenericError";
  }
}

/** `Device 'x' not found`. */
export function deviceNotFound(name: string): MonitorError {
  return new MonitorError(`Device '${name}' not found`, { class: "DeviceNotFound" });
}

/** The text of whatever a command may throw, and what would help. A bug in moa itself is not an answer: it is rethrown. */
export function explain(error: unknown): { readonly text: string; readonly hint: string | undefined } {
  if (error instanceof MonitorError) return { text: error.message, hint: error.hint };
  if (error instanceof BlockError) return { text: error.message, hint: error.help };
  if (error instanceof OptionError) return { text: error.message, hint: error.hint || undefined };
  if (error instanceof Error && error.name !== "AssertionFailure" && isOperating(error)) {
    const { hint } = error as { readonly hint?: unknown };
    return { text: error.message, hint: typeof hint === "string" && hint !== "" ? hint : undefined };
  }
  throw error;
}

/** Errors of other layers carry a name of their own; what JavaScript throws by itself is a bug. */
function isOperating(error: Error): boolean {
  return ![
    "Error",
    "TypeError",
    "RangeError",
    "ReferenceError",
    "SyntaxError",
    "EvalError",
    "URIError",
    "InternalError",
  ].includes(error.name);
}
