/**
 * `vc`: a text console of 80 by 24 characters, which `-display curses` shows.
 *
 * It keeps what was written as a dumb terminal would: lines, backspace, tabs, the cursor's moves left and right, and
 * clearing. Other escape sequences, colours among them, are taken and do nothing.
 *
 * Source: QEMU's documentation of `-chardev vc`; [ECMA-48] 8.3.
 *
 * @module
 */
import { CharBackend } from "./backend.ts";

const COLUMNS = 80;
const ROWS = 24;
/** Typed before anybody takes it; more is dropped. */
const MAX_TYPED_BYTES = 4096;
const MAX_SEQUENCE = 32;

/** The console as a character device. */
export class VcChardev extends CharBackend {
  readonly kind = "vc";
  readonly columns = COLUMNS;
  #lines: string[][] = [[]];
  #column = 0;
  #sequence: string | undefined;
  #decoder = new TextDecoder();
  #typedBytes = 0;
  #typing: Promise<void> = Promise.resolve();
  /** Called after something was written. */
  changed: () => void = () => {};

  constructor(label: string) {
    super(label);
    this.opened();
  }

  /** The last lines, at most 24. */
  get lines(): readonly string[] {
    return this.#lines.map((line) => Array.from({ length: line.length }, (_, i) => line[i] ?? " ").join(""));
  }

  get cursor(): { readonly column: number; readonly row: number } {
    return { column: Math.min(this.#column, COLUMNS - 1), row: this.#lines.length - 1 };
  }

  /** Hands keys to the frontend, as the bytes that a terminal sends. */
  type(bytes: Uint8Array): void {
    if (this.#typedBytes + bytes.length > MAX_TYPED_BYTES) return;
    this.#typedBytes += bytes.length;
    this.#typing = this.#typing.then(() => this.deliver(bytes)).then(() => void (this.#typedBytes -= bytes.length));
  }

  protected send(bytes: Uint8Array): number {
    for (const char of this.#decoder.decode(bytes, { stream: true })) this.#put(char);
    this.changed();
    return bytes.length;
  }

  #put(char: string): void {
    if (this.#sequence !== undefined) return this.#escape(char);
    switch (char) {
      case "\x1b":
        this.#sequence = "";
        return;
      case "\r":
        this.#column = 0;
        return;
      case "\n":
        return this.#newLine();
      case "\b":
        this.#column = Math.max(0, this.#column - 1);
        return;
      case "\t":
        this.#column = Math.min(COLUMNS - 1, (this.#column | 7) + 1);
        return;
    }
    if (char < " " || char === "\x7f") return;
    if (this.#column >= COLUMNS) {
      this.#column = 0;
      this.#newLine();
    }
    this.#lines.at(-1)![this.#column++] = char;
  }

  #newLine(): void {
    this.#lines.push([]);
    if (this.#lines.length > ROWS) this.#lines.shift();
  }

  /** Collects `[`, numbers and a letter, and does what that says. */
  #escape(char: string): void {
    const sequence = this.#sequence! + char;
    this.#sequence = sequence;
    if (sequence === "[" || (/^\[[\d;?]*$/.test(sequence) && sequence.length < MAX_SEQUENCE)) return;
    this.#sequence = undefined;
    const [, digits, command] = /^\[(\d*)([A-Z])$/.exec(sequence) ?? [];
    const count = Math.max(1, Number(digits));
    const line = this.#lines.at(-1)!;
    if (command === "D") this.#column = Math.max(0, this.#column - count);
    else if (command === "C") this.#column = Math.min(COLUMNS - 1, this.#column + count);
    else if (command === "K") line.length = Math.min(line.length, this.#column);
    else if (command === "J") this.#lines = [[]];
  }
}
