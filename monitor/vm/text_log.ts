/**
 * Text that grows, of which the end is kept; and waiting for a pattern in what has not been read.
 *
 * A pattern may span pieces that came one by one. A match is at most {@link LOOK_BACK} characters long: what was searched
 * in vain is not searched again beyond that.
 *
 * @module
 */

/** A text, or a regular expression whose flags `g` and `y` have no effect. */
export type TextPattern = string | RegExp;

/** What was found. */
export interface Found {
  /** The text that matched. */
  readonly text: string;
  /** Groups of the regular expression by number, from 1. */
  readonly groups: readonly (string | undefined)[];
  readonly named: Readonly<Record<string, string | undefined>>;
  /** What came between the last match and this one. */
  readonly before: string;
}

const LOOK_BACK = 16 * 1024;

interface Waiting {
  readonly search: (text: string, from: number) => { readonly at: number; readonly found: Found } | undefined;
  readonly found: (found: Found) => void;
  /** Offset from where the text has not been searched. */
  searched: number;
}

/** The text. Offsets count from its beginning, whatever of it is kept. */
export class TextLog {
  readonly #limit: number;
  #kept = "";
  /** Offset of the first kept character. */
  #start = 0;
  /** Offset up to which everything counts as read. */
  #read = 0;
  readonly #waiting: Waiting[] = [];

  /** Keeps `limit` characters at least and twice as many at most. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get text(): string {
    return this.#kept;
  }

  /** The last `count` lines; the last one may be unfinished. */
  lines(count: number): string[] {
    const lines = this.#kept.slice(-count * 1000).replaceAll("\r", "").split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines.slice(-count);
  }

  append(text: string): void {
    if (text === "") return;
    this.#kept += text;
    if (this.#kept.length > 2 * this.#limit) {
      const cut = this.#kept.length - this.#limit;
      this.#kept = this.#kept.slice(cut);
      this.#start += cut;
    }
    while (this.#waiting.length > 0 && this.#look(this.#waiting[0]!)) this.#waiting.shift();
  }

  /** Everything so far counts as read. */
  skip(): void {
    this.#read = this.#start + this.#kept.length;
  }

  /** Calls `found` once `pattern` is in what is not read yet, now or later; the returned function ends that. */
  next(pattern: TextPattern, found: (found: Found) => void): () => void {
    const waiting = { search: searcher(pattern), found, searched: this.#read };
    // Those who asked before are served before.
    if (this.#waiting.length > 0 || !this.#look(waiting)) this.#waiting.push(waiting);
    return () => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
  }

  #look(waiting: Waiting): boolean {
    const from = Math.max(this.#read, waiting.searched - LOOK_BACK, this.#start);
    const hit = waiting.search(this.#kept, from - this.#start);
    if (hit === undefined) {
      waiting.searched = this.#start + this.#kept.length;
      return false;
    }
    const before = this.#kept.slice(Math.max(0, this.#read - this.#start), hit.at);
    this.#read = this.#start + hit.at + hit.found.text.length;
    waiting.found({ ...hit.found, before });
    return true;
  }
}

/** How to look for `pattern` in a text from an offset on. */
function searcher(pattern: TextPattern): Waiting["search"] {
  if (typeof pattern === "string") {
    return (text, from) => {
      const at = text.indexOf(pattern, from);
      return at < 0 ? undefined : { at, found: { text: pattern, groups: [], named: {}, before: "" } };
    };
  }
  const expression = new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, "")}g`);
  return (text, from) => {
    expression.lastIndex = from;
    const match = expression.exec(text);
    if (match === null) return undefined;
    return {
      at: match.index,
      found: { text: match[0], groups: match.slice(1), named: match.groups ?? {}, before: "" },
    };
  };
}
