/**
 * `-display curses`: the guest's text screen, and the text consoles, on a terminal.
 *
 * Console 1 is the screen; 2 and so on are the `vc` devices in the order in which they were made: monitor, serial port,
 * parallel port. Alt and a digit switch. A picture that is no text is told by its size. Drawn are the rows that changed.
 *
 * Left out: the shape of the cursor, blinking, a mouse; what does not fit on the terminal is cut off.
 *
 * Source: QEMU's documentation of `-display curses`; [ECMA-48] 8.3; [IBM VGA] "Attribute Byte".
 *
 * @module
 */
import { cp437, type TextCells, textCells, type Vga, visibleSize } from "../../devices/vga/mod.ts";
import type { VcChardev } from "../chardev/vc.ts";
import { keysOfText, type QKeyCode } from "./keyboard.ts";

/** The terminal, and what is shown on it. */
export interface CursesSite {
  readonly size: () => { readonly columns: number; readonly rows: number };
  readonly write: (text: string) => void;
  /** `undefined` where the machine has no graphics card. */
  readonly card: Vga | undefined;
  readonly consoles: readonly VcChardev[];
  readonly press: (keys: readonly QKeyCode[]) => void;
}

/** Colours of attributes in the order in which terminals count them. */
const ANSI = [0, 4, 2, 6, 1, 5, 3, 7];
const ESCAPE = "\x1b";
/** Keys by the sequences that terminals send after ESC. */
const SEQUENCES: ReadonlyMap<string, QKeyCode> = new Map([
  ...["up", "down", "right", "left"].flatMap((key, i): [string, string][] => [
    [`[${"ABCD"[i]}`, key],
    [`O${"ABCD"[i]}`, key],
  ]),
  ...["home", "end"].flatMap((key, i): [string, string][] => [[`[${"HF"[i]}`, key], [`O${"HF"[i]}`, key]]),
  ...["f1", "f2", "f3", "f4"].map((key, i): [string, string] => [`O${"PQRS"[i]}`, key]),
  ...[1, 2, 3, 4, 5, 6].map((n, i): [string, string] => [
    `[${n}~`,
    ["home", "insert", "delete", "end", "pgup", "pgdn"][i]!,
  ]),
  ...[11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24].map((n, i): [string, string] => [`[${n}~`, `f${i + 1}`]),
]);

/** What is on the terminal. */
export class CursesDisplay {
  readonly #site: CursesSite;
  #console = 1;
  #shown: string[] = [];
  #cursor = "";

  constructor(site: CursesSite) {
    this.#site = site;
  }

  /** Takes the terminal over. */
  open(): void {
    this.#site.write("\x1b[?1049h\x1b[2J");
    this.draw();
  }

  /** Gives it back as it was. */
  close(): void {
    this.#site.write("\x1b[0m\x1b[?25h\x1b[?1049l");
  }

  /** The terminal has another size: everything is drawn anew. */
  resized(): void {
    this.#shown = [];
    this.#cursor = "";
    this.#site.write("\x1b[0m\x1b[2J");
    this.draw();
  }

  /** Draws what has changed. */
  draw(): void {
    const { columns, rows } = this.#site.size();
    const { lines, width, cursor } = this.#content(columns, rows);
    const top = Math.max(0, Math.floor((rows - lines.length) / 2));
    const left = Math.max(0, Math.floor((columns - width) / 2));
    let text = "";
    for (let row = 0; row < rows; row++) {
      const line = lines[row - top] ?? "";
      if (this.#shown[row] === line) continue;
      this.#shown[row] = line;
      text += `\x1b[${row + 1};1H\x1b[0m\x1b[2K\x1b[${row + 1};${left + 1}H${line}`;
    }
    this.#shown.length = rows;
    const isSeen = cursor !== undefined && top + cursor.row < rows && left + cursor.column < columns;
    const place = isSeen ? `\x1b[${top + cursor.row + 1};${left + cursor.column + 1}H\x1b[?25h` : "\x1b[?25l";
    if (text !== "" || place !== this.#cursor) this.#site.write(`${text}\x1b[0m${place}`);
    this.#cursor = place;
  }

  /** Takes what the terminal sent at once. */
  typed(bytes: Uint8Array): void {
    const text = new TextDecoder("latin1").decode(bytes);
    for (let at = 0; at < text.length;) {
      const length = text[at] === ESCAPE ? 1 + escapeLength(text.slice(at + 1)) : 1;
      this.#key(text.slice(at, at + length), bytes.subarray(at, at + length));
      at += length;
    }
  }

  #key(text: string, bytes: Uint8Array): void {
    const digit = /^\x1b([1-9])$/.exec(text)?.[1];
    if (digit !== undefined) {
      if (Number(digit) > 1 + this.#site.consoles.length) return;
      this.#console = Number(digit);
      this.resized();
    } else if (this.#console > 1) this.#site.consoles[this.#console - 2]?.type(bytes.slice());
    else {
      const keys = keysOf(text);
      if (keys !== undefined) this.#site.press(keys);
    }
  }

  #content(columns: number, rows: number): Content {
    if (this.#console > 1) {
      const { lines, cursor, columns: width } = this.#site.consoles[this.#console - 2]!;
      return {
        lines: [...lines.map((line) => line.slice(0, columns)), ...Array(24 - lines.length).fill("")],
        width,
        cursor,
      };
    }
    const { card } = this.#site;
    if (card === undefined) return message("This VM has no graphic display device.");
    const cells = textCells(card);
    if (cells !== undefined) return { ...styledCells(cells, columns, rows), width: cells.columns };
    const { width, height } = visibleSize(card);
    return message(`${width} x ${height} Graphic mode`);
  }
}

interface Content {
  readonly lines: readonly string[];
  readonly width: number;
  readonly cursor?: { readonly column: number; readonly row: number } | undefined;
}

function message(text: string): Content {
  return { lines: [text], width: text.length };
}

function styledCells({ columns, rows, cells, cursor }: TextCells, maxColumns: number, maxRows: number) {
  const lines: string[] = [];
  for (let row = 0; row < Math.min(rows, maxRows); row++) {
    let line = "";
    let style = -1;
    for (let column = 0; column < Math.min(columns, maxColumns); column++) {
      const at = 2 * (row * columns + column);
      const look = cells[at + 1]!;
      if (look !== style) line += sgr(look);
      style = look;
      line += cp437(cells[at]!);
    }
    lines.push(line);
  }
  return { lines, cursor };
}

/** An attribute byte as a terminal's colours; bright ones are 90 and 100 on. */
function sgr(look: number): string {
  const front = ((look & 8) === 0 ? 30 : 90) + ANSI[look & 7]!;
  const back = ((look & 0x80) === 0 ? 40 : 100) + ANSI[(look >> 4) & 7]!;
  return `\x1b[${front};${back}m`;
}

/** How many characters after an ESC belong to it. */
function escapeLength(rest: string): number {
  const sequence = /^(?:\[\d*(?:;\d+)?[A-Za-z~]|O[A-Z])/.exec(rest)?.[0];
  return sequence?.length ?? Math.min(1, rest.length);
}

/** The guest's keys for a key of the terminal. */
function keysOf(text: string): readonly QKeyCode[] | undefined {
  if (text === ESCAPE) return ["esc"];
  if (text.startsWith(ESCAPE)) {
    const key = SEQUENCES.get(text.slice(1));
    if (key !== undefined) return [key];
    const plain = text.length === 2 ? keysOf(text[1]!) : undefined;
    return plain === undefined ? undefined : ["alt", ...plain];
  }
  if (text === "\x7f" || text === "\b") return ["backspace"];
  if (text === "\0") return ["ctrl", "spc"];
  const code = text.charCodeAt(0);
  if (code < 0x1b && !"\t\r\n".includes(text)) return ["ctrl", String.fromCharCode(code + 0x60)];
  try {
    return keysOfText(text)[0];
  } catch {
    // A character that a US keyboard has no key for.
    return undefined;
  }
}
