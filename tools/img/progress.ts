/**
 * How far a command is.
 *
 * `-p` draws it as qemu-img does, on standard output; without it SIGUSR1 prints the same once. As `moa`, not under a
 * QEMU name, there are two more forms: `--progress=jsonl` writes one JSON object a line to standard error, at most ten a
 * second, and on a terminal `-p` is a bar with the rate and the time left.
 *
 * @module
 */
import type { Program } from "../common/program.ts";
import { barText } from "./progress_bar.ts";

/** What the command line asks for besides `-p`. */
export interface ProgressWish {
  readonly form: "plain" | "jsonl" | "bar";
  /** The arguments without it. */
  readonly args: readonly string[];
}

const LINE_MS = 100;
const OPTION = "--progress";

/** Takes `--progress=FORM` out of a command line; under a QEMU name there is no such option. @throws {Exit} */
export function progressWish(program: Program, args: readonly string[]): ProgressWish {
  const plain = !program.strict && Deno.stdout.isTerminal() ? "bar" : "plain";
  const end = args.indexOf("--");
  const at = args.findIndex((word, i) => word.startsWith(`${OPTION}=`) && (end < 0 || i < end));
  if (program.strict || at < 0) return { form: plain, args };
  const form = args[at]!.slice(OPTION.length + 1);
  if (form !== "jsonl" && form !== "plain" && form !== "bar") {
    program.fail(`${OPTION} must be jsonl, bar or plain, not '${form}'`);
  }
  return { form, args: args.toSpliced(at, 1) };
}

/** Which command reports, and in which form. */
export interface ProgressHow {
  /** The subcommand: `"convert"`. */
  readonly operation: string;
  readonly form: ProgressWish["form"];
}

/** The progress of one command; dispose of it after its last line. */
export class Progress implements Disposable {
  readonly #program: Program;
  readonly #shown: boolean;
  readonly #skip: number;
  readonly #how: ProgressHow;
  readonly #startMs = performance.now();
  #percent = 0;
  #doneBytes = 0;
  #sizeBytes = 0;
  #lastShown = 0;
  #lastLineMs = -Infinity;
  #drawn = false;
  readonly #onSignal = () => this.#program.line(this.#text());

  /** `shown`: with `-p`. `skip` is by how many percent it has to change to be drawn again. */
  constructor(
    program: Program,
    shown: boolean,
    skip: number,
    how: ProgressHow = { operation: "", form: "plain" },
  ) {
    this.#program = program;
    this.#shown = shown && how.form !== "jsonl";
    this.#skip = skip;
    this.#how = how;
    if (!this.#shown) Deno.addSignalListener("SIGUSR1", this.#onSignal);
  }

  /** Whether anybody wants to know how much there is to do, before it is done. */
  get wanted(): boolean {
    return this.#shown || this.#how.form === "jsonl";
  }

  /** `doneBytes` of `sizeBytes` are done; nothing to do is all done. */
  at(doneBytes: number, sizeBytes: number): void {
    this.#doneBytes = Math.min(doneBytes, sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.set(sizeBytes === 0 ? 100 : 100 * doneBytes / sizeBytes);
  }

  /** Sets how much is done, 0 to 100. */
  set(percent: number): void {
    const now = Math.min(percent, 100);
    this.#percent = now;
    if (now === 100) this.#doneBytes = this.#sizeBytes;
    if (this.#how.form === "jsonl") return this.#line(now === 100);
    if (!this.#shown) return;
    if (this.#how.form === "bar") return this.#bar(now === 100);
    if (Math.abs(now - this.#lastShown) <= this.#skip && now !== 0 && now !== 100) return;
    this.#lastShown = now;
    this.#program.out(`${this.#text()}\r`);
  }

  /** Adds to what is done. */
  add(percent: number): void {
    this.set(this.#percent + percent);
  }

  #text(): string {
    return `    (${this.#percent.toFixed(2)}/100%)`;
  }

  /** Whether a line is due; the last one always is, once. */
  #due(last: boolean): boolean {
    const now = performance.now();
    if (last ? this.#drawn : now - this.#lastLineMs < LINE_MS) return false;
    this.#lastLineMs = now;
    this.#drawn = last;
    return true;
  }

  #line(last: boolean): void {
    if (!this.#due(last)) return;
    const elapsed = (performance.now() - this.#startMs) / 1000;
    const eta = this.#percent === 0 ? null : round(elapsed * (100 - this.#percent) / this.#percent);
    this.#program.line(JSON.stringify({
      operation: this.#how.operation,
      transferred: this.#doneBytes,
      size: this.#sizeBytes,
      elapsed: round(elapsed),
      eta,
    }));
  }

  #bar(last: boolean): void {
    if (!this.#due(last)) return;
    const seconds = (performance.now() - this.#startMs) / 1000;
    const bytes = { done: this.#doneBytes, size: this.#sizeBytes };
    this.#program.out(`\r${barText(this.#percent, seconds, bytes)}`);
  }

  [Symbol.dispose](): void {
    if (this.#shown) this.#program.out("\n");
    else Deno.removeSignalListener("SIGUSR1", this.#onSignal);
  }
}

/** Seconds to the millisecond. */
function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
