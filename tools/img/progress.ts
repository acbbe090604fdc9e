/**
 * `-p`: how far a command is, as qemu-img draws it on standard output; without it, SIGUSR1 prints the same once.
 *
 * @module
 */
import type { Program } from "../common/program.ts";

/** The progress of one command; dispose of it after its last line. */
export class Progress implements Disposable {
  readonly #program: Program;
  readonly #shown: boolean;
  readonly #skip: number;
  #percent = 0;
  #lastShown = 0;
  readonly #onSignal = () => this.#program.line(this.#text());

  /** `skip` is by how many percent it has to change to be drawn again. */
  constructor(program: Program, shown: boolean, skip: number) {
    this.#program = program;
    this.#shown = shown;
    this.#skip = skip;
    if (!shown) Deno.addSignalListener("SIGUSR1", this.#onSignal);
  }

  /** Sets how much is done, 0 to 100. */
  set(percent: number): void {
    const now = Math.min(percent, 100);
    this.#percent = now;
    if (!this.#shown) return;
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

  [Symbol.dispose](): void {
    if (this.#shown) this.#program.out("\n");
    else Deno.removeSignalListener("SIGUSR1", this.#onSignal);
  }
}
