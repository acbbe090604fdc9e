/**
 * What is wrong with a wish, and with which one.
 *
 * @module
 */

/** When it was found: while drives were opened, or while the board and its devices were made. */
export type WiringStage = "drives" | "devices";

/** An operating error of wiring; `message` is that of its cause, in QEMU's words. */
export class WiringError extends Error {
  override readonly name = "WiringError";
  /** `-drive file=a.img`, as the user wrote it; absent where the whole machine is meant. */
  readonly origin: string | undefined;
  readonly stage: WiringStage;

  constructor(message: string, stage: WiringStage, origin?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.stage = stage;
    this.origin = origin;
  }

  /** The same for a script's author, who may see nothing but the message: whose wish it was, and what would help. */
  withHelp(): WiringError {
    const { origin, hint, message, stage, cause } = this;
    const words = `${origin === undefined ? "" : `${origin}: `}${message}${hint === undefined ? "" : `\n${hint}`}`;
    return new WiringError(words, stage, origin, cause);
  }

  /** Lines that follow the message and that scripts do not compare. */
  get hint(): string | undefined {
    const { hint, help } = (this.cause ?? {}) as { hint?: unknown; help?: unknown };
    return typeof hint === "string" && hint !== "" ? hint : typeof help === "string" ? help : undefined;
  }
}

/** Names of errors that JavaScript throws by itself: those are bugs, and pass. */
const BUGS = ["Error", "TypeError", "RangeError", "ReferenceError", "AssertionFailure"];

/** Runs `work`; what it throws gets its origin. */
export async function blame<T>(
  stage: WiringStage,
  origin: string | undefined,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || BUGS.includes(error.name) || error instanceof WiringError) throw error;
    throw new WiringError(error.message, stage, origin, error);
  }
}
