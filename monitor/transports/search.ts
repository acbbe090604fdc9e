/**
 * Ctrl-R: searching back through the lines that were typed, which node:readline does not have.
 *
 * It stands between the terminal's bytes and readline. Outside of a search all bytes pass; inside, they are taken here,
 * and at its end readline gets what a person would have typed: the line emptied, then the one that was found.
 *
 * @module
 */

/** What a search draws and hands on. */
export interface SearchOptions {
  /** Lines, the youngest first. */
  readonly lines: () => readonly string[];
  /** Draws on the terminal. */
  readonly draw: (text: string) => void;
  /** Hands bytes to readline. */
  readonly pass: (bytes: Uint8Array) => void;
  /** Has readline draw its prompt and line again. */
  readonly redraw: () => void;
}

const CTRL_R = 0x12;
const CTRL_G = 0x07;
const CTRL_C = 0x03;
const ENTER = 0x0d;
const NEWLINE = 0x0a;
const ESCAPE = 0x1b;

/** The state of one terminal's search. */
export class HistorySearch {
  readonly #options: SearchOptions;
  readonly #decoder = new TextDecoder();
  /** Bytes typed; `undefined` outside of a search. */
  #query: number[] | undefined;
  /** How many matches to skip. */
  #skip = 0;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /** Takes bytes from the terminal. */
  feed(bytes: Uint8Array): void {
    let passed = 0;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (this.#query === undefined) {
        if (byte !== CTRL_R) continue;
        if (i > passed) this.#options.pass(bytes.subarray(passed, i));
        this.#query = [];
        this.#skip = 0;
        this.#show();
      } else if (!this.#key(byte)) {
        // The key that ends a search keeps its meaning: an arrow moves, Enter runs.
        this.#options.pass(bytes.subarray(i));
        return;
      }
      passed = i + 1;
    }
    if (this.#query === undefined && passed < bytes.length) this.#options.pass(bytes.subarray(passed));
  }

  /** Takes a key of a search; false where it ended the search and means something by itself. */
  #key(byte: number): boolean {
    const query = this.#query!;
    switch (byte) {
      case CTRL_R:
        if (this.#match(this.#skip + 1) !== undefined) this.#skip++;
        break;
      case 0x08:
      case 0x7f:
        dropCharacter(query);
        this.#skip = 0;
        break;
      case CTRL_G:
      case CTRL_C:
        this.#leave(undefined);
        return true;
      case ENTER:
      case NEWLINE:
      case ESCAPE:
        this.#leave(this.#match(this.#skip));
        return false;
      default:
        if (byte < 0x20) {
          this.#leave(this.#match(this.#skip));
          return false;
        }
        query.push(byte);
        this.#skip = 0;
    }
    this.#show();
    return true;
  }

  #text(): string {
    return this.#decoder.decode(Uint8Array.from(this.#query!));
  }

  /** The match after `skip` others. */
  #match(skip: number): string | undefined {
    const text = this.#text();
    if (text === "") return undefined;
    return this.#options.lines().filter((line) => line.includes(text))[skip];
  }

  #show(): void {
    const found = this.#match(this.#skip);
    const text = this.#text();
    const label = found === undefined && text !== "" ? "failed reverse-i-search" : "reverse-i-search";
    this.#options.draw(`\r\x1b[K(${label})\`${text}': ${found ?? ""}`);
  }

  #leave(found: string | undefined): void {
    this.#query = undefined;
    this.#options.draw("\r\x1b[K");
    // Emptying the line makes readline draw its prompt again.
    if (found !== undefined) this.#options.pass(new TextEncoder().encode(`\x05\x15${found}`));
    else this.#options.redraw();
  }
}

/** Drops the last character, which may be several bytes. */
function dropCharacter(bytes: number[]): void {
  while (bytes.length > 0 && (bytes.pop()! & 0xc0) === 0x80);
}
