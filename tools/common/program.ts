/**
 * What every tool is given: its name, its outputs, and the two ways to end early.
 *
 * Messages begin with the name under which the program was started, as QEMU's do. Standard output is collected and
 * written at the end or at 4 KiB, standard error at once, since QEMU's is not buffered and `2>&1 |` shows the order.
 *
 * @module
 */
import { writeOrDropSync } from "../../base/outputs.ts";
import type { ObjectRegistry } from "../../block/mod.ts";
import { furtherLine, nearestOption } from "./further_lines.ts";
import { type FoundOption, getopt, type OptionSpec } from "./getopt.ts";

/** The outputs of a tool. */
export interface Outputs {
  out(text: string): void;
  error(text: string): void;
  /** Writes what is still held back, before somebody waits for it. */
  flush?(): void;
}

/** A tool's surroundings; tests make one that collects. */
export class Program {
  #outputs: Outputs;
  /** The name in messages: `"qemu-img"`. */
  readonly name: string;
  /** What follows "Try '" in hints: `"qemu-img"` or `"moa img"`. */
  readonly invocation: string;
  /** Under a QEMU name nothing is said that QEMU does not say. */
  readonly strict: boolean;
  /** What `--object` made: secrets that the images of this command line need. */
  objects: ObjectRegistry | undefined;
  /** The subcommand that runs. */
  command = "";
  /** The folder that the process was started in, where this is one. */
  readonly startFolder: string | undefined;

  constructor(
    name: string,
    outputs: Outputs,
    how: { readonly invocation?: string; readonly strict?: boolean; readonly startFolder?: string | undefined } = {},
  ) {
    this.name = name;
    this.invocation = how.invocation ?? name;
    this.strict = how.strict ?? name.startsWith("qemu-");
    this.startFolder = how.startFolder;
    this.#outputs = outputs;
  }

  out(text: string): void {
    this.#outputs.out(text);
  }

  /** The same, now: what others write to standard output meanwhile comes after it. */
  outAtOnce(text: string): void {
    this.out(text);
    this.flush();
  }

  /** Text on standard error as it is. */
  errorText(text: string): void {
    this.#outputs.error(text);
  }

  /** Lets all that was said so far be seen: before a prompt. */
  flush(): void {
    this.#outputs.flush?.();
  }

  /** Lets `outputs` take all that is said, until the returned function is called. */
  redirect(outputs: Outputs): () => void {
    const before = this.#outputs;
    this.#outputs = outputs;
    return () => this.#outputs = before;
  }

  /** A line on standard error as it is. */
  line(text: string): void {
    this.#outputs.error(`${text}\n`);
  }

  /** A message on standard error, after the program's name. */
  error(message: string): void {
    this.line(`${this.name}: ${message}`);
  }

  /** A message, and its further line for people. */
  report(prefix: string, error: unknown): void {
    const message = prefix + (error instanceof Error ? error.message : String(error));
    // QEMU forgets the newline here, and scripts compare.
    if (this.strict && /\nDetected format of \S+\.$/.test(message)) this.#outputs.error(`${this.name}: ${message}`);
    else this.error(message);
    const hint = hintOf(error);
    if (hint !== "") this.line(hint);
    else this.#furtherLine(message);
  }

  /** Reads a command line; what is wrong with it ends the program. @throws {Exit} */
  getopt(args: readonly string[], spec: OptionSpec): {
    readonly options: readonly (FoundOption & { kind: "option" })[];
    readonly operands: readonly string[];
  } {
    const parsed = getopt(args, spec, this.command);
    const good: (FoundOption & { kind: "option" })[] = [];
    for (const option of parsed.options) {
      if (option.kind === "option") good.push(option);
      else if (option.kind === "missing") this.usage(`missing argument for option '${option.word}'`);
      else {
        const near = this.strict ? undefined : nearestOption(option.word, Object.keys(spec.long));
        this.usage(`unrecognized option '${option.word}'${near === undefined ? "" : `\n${near}`}`);
      }
    }
    return { options: good, operands: parsed.operands };
  }

  /** Says what is wrong with the command line and ends with status 1. @throws {Exit} */
  usage(message: string): never {
    this.error(message);
    this.line(`Try '${this.invocation} --help' for more information`);
    throw new Exit(1);
  }

  /** Says what went wrong and ends with status 1. @throws {Exit} */
  fail(message: string): never {
    this.error(message);
    this.#furtherLine(message);
    throw new Exit(1);
  }

  #furtherLine(message: string): void {
    const line = this.strict ? undefined : furtherLine(message);
    if (line !== undefined) this.line(line);
  }
}

/** Ends a tool with a status; everything has been said. */
export class Exit extends Error {
  override readonly name = "Exit";
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

/** The lines that an error brings besides its message. */
function hintOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { hint, help } = error as { hint?: unknown; help?: unknown };
  return typeof hint === "string" ? hint : typeof help === "string" ? help : "";
}

const FLUSH_BYTES = 4096;
const encoder = new TextEncoder();

/** The process's own outputs; {@link ProcessOutputs.flush} before it ends. */
export class ProcessOutputs implements Outputs {
  #pending = "";
  #lost: unknown;
  readonly #direct = Deno.stdout.isTerminal();

  /** Why some of standard output could not be written, where that is so. */
  get lost(): unknown {
    return this.#lost;
  }

  out(text: string): void {
    this.#pending += text;
    if (this.#direct || this.#pending.length >= FLUSH_BYTES) this.flush();
  }

  error(text: string): void {
    writeOrDropSync(Deno.stderr, encoder.encode(text));
  }

  flush(): void {
    const text = this.#pending;
    this.#pending = "";
    if (text !== "") this.#lost ??= writeOrDropSync(Deno.stdout, encoder.encode(text));
  }
}
