/**
 * Operating errors of the block layer: what was attempted, on what, why it failed and what would help.
 *
 * A {@link BlockError} is thrown for everything that an image, a file or an option can cause. Its `failure` is for
 * programs, its `message` for people and in QEMU's words; {@link describe} is the only place where the one becomes the
 * other.
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";
import { type Errno, errnoText } from "../base/errno.ts";

/** What a request wanted when it failed. */
export type Operation = "read" | "write" | "flush" | "discard" | "write-zeroes" | "status" | "truncate" | "copy";

/** Why something failed, by kind. */
export type BlockFailure =
  /** A request failed at run time. */
  | {
    readonly kind: "io";
    readonly operation: Operation;
    readonly errno: Errno;
    readonly node?: string;
    readonly path?: string;
    readonly offsetBytes?: number;
    readonly lengthBytes?: number;
  }
  /** A file, device or node could not be opened: `Could not open 'F': reason`. */
  | { readonly kind: "open"; readonly path: string; readonly errno: Errno; readonly reason?: string }
  /** Another process holds the image: `Failed to get "write" lock`. */
  | {
    readonly kind: "locked";
    readonly path: string;
    readonly permission: string;
    readonly shared?: boolean;
    /** What was being done, in front of the message: `Could not open backing file: `. */
    readonly prefix?: string;
  }
  /** The image is not what its format says, or says what cannot be: `text` is the whole message. */
  | { readonly kind: "format"; readonly format: string; readonly text: string; readonly errno?: Errno }
  /** The image contradicts itself; nothing more is written to it. */
  | { readonly kind: "corrupt"; readonly node: string; readonly text: string; readonly offsetBytes?: number }
  /** An option is unknown, missing, or has a value that will not do. */
  | { readonly kind: "option"; readonly option?: string; readonly text: string }
  /** Something real that moa does not do, by name. */
  | { readonly kind: "unsupported"; readonly feature: string; readonly text: string }
  /** Two users of a node want what does not go together. */
  | { readonly kind: "permission"; readonly node: string; readonly text: string }
  /** A node, device, snapshot or medium is not there, or is in use. */
  | { readonly kind: "state"; readonly text: string; readonly errno?: Errno };

/** Every operating error of the block layer. */
export class BlockError extends Error {
  override readonly name = "BlockError";
  readonly failure: BlockFailure;
  /** A second line for people: what would help. Never part of `message`, which scripts compare. */
  readonly help: string | undefined;

  constructor(failure: BlockFailure, options: { cause?: unknown; help?: string } = {}) {
    super(describe(failure), options.cause === undefined ? undefined : { cause: options.cause });
    this.failure = failure;
    this.help = options.help ?? helpFor(failure);
  }

  /** The same for a script's author, who may see nothing but the message: with the line that would help. */
  withHelp(): BlockError {
    if (this.help === undefined) return this;
    const told = new BlockError(this.failure, { cause: this.cause, help: this.help });
    told.message = `${this.message}\n${this.help}`;
    return told;
  }

  /** The error number that fits best, for controllers and exit codes. */
  get errno(): Errno {
    const { failure } = this;
    switch (failure.kind) {
      case "io":
      case "open":
        return failure.errno;
      case "format":
      case "state":
        return failure.errno ?? "EINVAL";
      case "corrupt":
        return "EIO";
      case "unsupported":
        return "ENOTSUP";
      case "option":
        return "EINVAL";
      case "permission":
        return "EPERM";
      case "locked":
        return "EAGAIN";
      default:
        return unreachable(failure);
    }
  }
}

/** The message of a failure, in QEMU's words. */
export function describe(failure: BlockFailure): string {
  switch (failure.kind) {
    case "io":
      return errnoText(failure.errno);
    case "open":
      return `Could not open '${failure.path}': ${failure.reason ?? errnoText(failure.errno)}`;
    case "locked":
      return `${failure.prefix ?? ""}Failed to get ${failure.shared ? "shared " : ""}"${failure.permission}" lock`;
    case "format":
    case "corrupt":
    case "option":
    case "unsupported":
    case "permission":
    case "state":
      return failure.text;
  }
}

function helpFor(failure: BlockFailure): string | undefined {
  return failure.kind === "locked" ? `Is another process using the image [${failure.path}]?` : undefined;
}

/** A request's failure, shortly. */
export function ioError(
  operation: Operation,
  errno: Errno,
  where: { node?: string; path?: string; offsetBytes?: number; lengthBytes?: number } = {},
): BlockError {
  return new BlockError({ kind: "io", operation, errno, ...where });
}

/** The error number of anything that a block request may throw; `EIO` for what is no block error. */
export function errnoOf(error: unknown): Errno {
  return error instanceof BlockError ? error.errno : "EIO";
}

/** The same error with words before its message. */
export function prefixed(prefix: string, error: unknown): unknown {
  if (!(error instanceof BlockError)) return error;
  const text = prefix + error.message;
  const { failure, errno } = error;
  if (failure.kind === "locked") {
    return new BlockError({ ...failure, prefix: prefix + (failure.prefix ?? "") }, { cause: error });
  }
  const outer = failure.kind === "open" || failure.kind === "io" ? { kind: "state", text, errno } as const : undefined;
  const help = error.help === undefined ? {} : { help: error.help };
  return new BlockError(outer ?? ("text" in failure ? { ...failure, text } : { kind: "state", text }), {
    cause: error,
    ...help,
  });
}
