/**
 * The line editor behind pipes and sockets: bytes in, echo out, lines at the end.
 *
 * QEMU echoes whatever it is sent, even through a pipe: after each key the cursor goes back to where the line began, the
 * whole line is written again and the rest of the row is cleared. Programs that drive a monitor strip exactly that, so
 * it is repeated here byte for byte (measured on 7.2). On a terminal `terminal.ts` takes over.
 *
 * Keys: ^A ^E (home, end), ^D and Delete, Backspace, ^W (word), ^L (clear), cursor keys, Tab, Enter as CR or LF. Others
 * of the control range do nothing.
 *
 * @module
 */

/** What Tab found. */
export interface Completion {
  /** Where in the line the word begins that is completed. */
  readonly start: number;
  readonly candidates: readonly string[];
}

/** What an editor needs. */
export interface EditorOptions {
  readonly prompt: string;
  /** Takes the echo. Control codes are meant; a newline goes out as CR LF. */
  readonly write: (text: string) => void;
  /** Called with each line, in order; the editor shows no prompt until {@link LineEditor.showPrompt}. */
  readonly onLine: (line: string) => void;
  /** What could stand at the end of `line`. */
  readonly complete?: (line: string) => Promise<Completion> | Completion;
}

const MAX_LINE_CHARS = 4095;
const MAX_HISTORY = 64;
const ESCAPE = 0x1b;

/** Lines typed before, the oldest first; one that is typed again moves to the end. */
export class LineHistory {
  readonly lines: string[] = [];

  add(line: string): void {
    if (line === "") return;
    const known = this.lines.indexOf(line);
    if (known >= 0) this.lines.splice(known, 1);
    else if (this.lines.length >= MAX_HISTORY) this.lines.shift();
    this.lines.push(line);
  }
}

/** Edits one line after another. Bytes are characters here: what a terminal calls UTF-8 passes through unchanged. */
export class LineEditor {
  readonly history: LineHistory = new LineHistory();
  readonly #options: EditorOptions;
  #line = "";
  #cursor = 0;
  /** What the screen shows of the line, and where its cursor stands. */
  #shownLine = "";
  #shownCursor = 0;
  #escape: "none" | "escape" | "csi" | "ss3" = "none";
  #parameter = 0;
  #recalled = -1;

  constructor(options: EditorOptions) {
    this.#options = options;
  }

  /** Shows the prompt with what was typed so far. */
  showPrompt(): void {
    this.#options.write(this.#options.prompt);
    this.#forgetScreen();
    this.#update();
  }

  /** Forgets what was typed, and shows the prompt. */
  restart(): void {
    this.#line = "";
    this.#cursor = 0;
    this.#escape = "none";
    this.showPrompt();
  }

  /** Takes one byte. Tab may take a while; the next byte waits for it. */
  async key(byte: number): Promise<void> {
    if (this.#escape !== "none") this.#escapeKey(byte);
    else if (byte === 0x0d || byte === 0x0a) return this.#enter();
    else if (byte === 0x09) await this.#tab();
    else this.#plainKey(byte);
    this.#update();
  }

  /** Whether {@link key} would end the line. */
  get inEscape(): boolean {
    return this.#escape !== "none";
  }

  #plainKey(byte: number): void {
    switch (byte) {
      case 0x01:
        this.#cursor = 0;
        break;
      case 0x04:
        this.#deleteAt(this.#cursor);
        break;
      case 0x05:
        this.#cursor = this.#line.length;
        break;
      case 0x08:
      case 0x7f:
        if (this.#cursor > 0) this.#deleteAt(--this.#cursor);
        break;
      case 0x0c:
        this.#options.write("\x1b[2J\x1b[1;1H" + this.#options.prompt);
        this.#forgetScreen();
        break;
      case 0x17:
        this.#deleteWord();
        break;
      case ESCAPE:
        this.#escape = "escape";
        break;
      case 0x9b:
        this.#escape = "csi";
        this.#parameter = 0;
        break;
      default:
        if (byte >= 0x20) this.#insert(String.fromCharCode(byte));
    }
  }

  #escapeKey(byte: number): void {
    const state = this.#escape;
    this.#escape = "none";
    if (state === "escape") {
      if (byte === 0x5b) {
        this.#escape = "csi";
        this.#parameter = 0;
      } else if (byte === 0x4f) this.#escape = "ss3";
      return;
    }
    if (state === "ss3") {
      if (byte === 0x46) this.#cursor = this.#line.length;
      else if (byte === 0x48) this.#cursor = 0;
      return;
    }
    if (byte >= 0x30 && byte <= 0x39) {
      this.#escape = "csi";
      this.#parameter = (this.#parameter * 10 + byte - 0x30) % 1000;
      return;
    }
    this.#controlSequence(String.fromCharCode(byte));
  }

  #controlSequence(final: string): void {
    switch (final) {
      case "A":
      case "F":
        return this.#recall(-1);
      case "B":
      case "E":
        return this.#recall(1);
      case "C":
        this.#cursor = Math.min(this.#line.length, this.#cursor + 1);
        return;
      case "D":
        this.#cursor = Math.max(0, this.#cursor - 1);
        return;
      case "~":
        if (this.#parameter === 1) this.#cursor = 0;
        else if (this.#parameter === 3) this.#deleteAt(this.#cursor);
        else if (this.#parameter === 4) this.#cursor = this.#line.length;
    }
  }

  #insert(text: string): void {
    if (this.#line.length + text.length > MAX_LINE_CHARS) return;
    this.#line = this.#line.slice(0, this.#cursor) + text + this.#line.slice(this.#cursor);
    this.#cursor += text.length;
  }

  #deleteAt(at: number): void {
    this.#line = this.#line.slice(0, at) + this.#line.slice(at + 1);
  }

  /** The white space before the cursor and the word before that. */
  #deleteWord(): void {
    const kept = this.#line.slice(0, this.#cursor).replace(/\S*\s*$/, "");
    this.#line = kept + this.#line.slice(this.#cursor);
    this.#cursor = kept.length;
  }

  #recall(step: -1 | 1): void {
    const { lines } = this.history;
    if (step === -1) {
      if (this.#recalled === 0 || lines.length === 0) return;
      this.#recalled = this.#recalled < 0 ? lines.length - 1 : this.#recalled - 1;
    } else {
      if (this.#recalled < 0) return;
      this.#recalled = this.#recalled + 1 < lines.length ? this.#recalled + 1 : -1;
    }
    this.#line = lines[this.#recalled] ?? "";
    this.#cursor = this.#line.length;
  }

  #enter(): void {
    const line = this.#line;
    this.history.add(line);
    this.#recalled = -1;
    this.#line = "";
    this.#cursor = 0;
    this.#forgetScreen();
    this.#options.write("\n");
    this.#options.onLine(line);
  }

  async #tab(): Promise<void> {
    const before = this.#line.slice(0, this.#cursor);
    const completion = await this.#options.complete?.(before);
    if (completion === undefined) return;
    const candidates = [...new Set(completion.candidates)].sort();
    const typed = before.slice(completion.start);
    const only = candidates.length === 1 ? candidates[0] : undefined;
    if (only !== undefined) {
      this.#insert(only.slice(typed.length) + (only.endsWith("/") ? "" : " "));
    } else if (candidates.length > 1) {
      this.#insert(commonPrefix(candidates).slice(typed.length));
      this.#options.write(`\n${columns(candidates)}`);
      this.#options.write(this.#options.prompt);
      this.#forgetScreen();
    }
  }

  #forgetScreen(): void {
    this.#shownLine = "";
    this.#shownCursor = 0;
  }

  /** Brings the screen up to date, in QEMU's way. */
  #update(): void {
    let out = "";
    if (this.#line !== this.#shownLine) {
      out = "\x1b[D".repeat(this.#shownCursor) + this.#line + "\x1b[K";
      this.#shownLine = this.#line;
      this.#shownCursor = this.#line.length;
    }
    const move = this.#cursor - this.#shownCursor;
    out += (move > 0 ? "\x1b[C" : "\x1b[D").repeat(Math.abs(move));
    this.#shownCursor = this.#cursor;
    if (out !== "") this.#options.write(out);
  }
}

function commonPrefix(words: readonly string[]): string {
  const [first = "", ...others] = words;
  let length = first.length;
  for (const word of others) {
    while (!word.startsWith(first.slice(0, length))) length--;
  }
  return first.slice(0, length);
}

const SCREEN_COLUMNS = 80;
const MIN_COLUMN = 10;

/** Candidates in columns, as wide as the longest and two more. */
function columns(words: readonly string[]): string {
  const width = Math.min(SCREEN_COLUMNS, Math.max(MIN_COLUMN, Math.max(...words.map((word) => word.length)) + 2));
  const each = Math.floor(SCREEN_COLUMNS / width);
  let out = "";
  words.forEach((word, index) => {
    out += word.padEnd(width);
    if ((index + 1) % each === 0 || index === words.length - 1) out += "\n";
  });
  return out;
}
