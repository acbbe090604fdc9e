/**
 * HMP's arguments: what stands after a command's name, read as its declaration says.
 *
 * Grammar and messages were measured on QEMU 7.2. What is refused ends in an {@link HmpSyntaxError} whose message holds
 * the lines to show, the last one without its newline.
 *
 * @module
 */
import { parseSizeText } from "../../base/sizes.ts";
import type { Argument, Arguments, DataFormat } from "../schema/arguments.ts";
import {
  type Cursor,
  HmpSyntaxError,
  isSpace,
  parseExpression,
  type RegisterLookup,
  skipSpaces,
} from "./expression.ts";

/** The `/fmt` that the next command takes where it names none: one monitor remembers it. */
export interface FormatMemory {
  format: DataFormat["format"];
  sizeBytes: number;
}

/** What QEMU starts with: hexadecimal words of 4 bytes. */
export function newFormatMemory(): FormatMemory {
  return { format: "x", sizeBytes: 4 };
}

/** What parsing needs of its monitor. */
export interface ArgumentContext {
  readonly formats: FormatMemory;
  readonly register: RegisterLookup;
}

/** Reads all of `declared` from `cursor` to the end of the line. `names` is the command's full name, `stop|s`. */
export function parseArguments(
  names: string,
  declared: Arguments,
  cursor: Cursor,
  context: ArgumentContext,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const entries = Object.entries(declared);
  entries.forEach(([name, argument], index) => {
    const flags = entries.slice(index).map(([, later]) => later.kind === "-" ? later.letter : undefined);
    const value = new ArgumentReader(names, cursor, context).read(argument, flags);
    if (value !== undefined) values[name] = value;
  });
  skipSpaces(cursor);
  if (cursor.at < cursor.text.length) {
    throw new HmpSyntaxError(`${names}: extraneous characters at the end of line`);
  }
  return values;
}

/** Reads one argument. */
class ArgumentReader {
  readonly #names: string;
  readonly #cursor: Cursor;
  readonly #context: ArgumentContext;

  constructor(names: string, cursor: Cursor, context: ArgumentContext) {
    this.#names = names;
    this.#cursor = cursor;
    this.#context = context;
  }

  read(argument: Argument<unknown>, flags: readonly (string | undefined)[]): unknown {
    switch (argument.kind) {
      case "F":
        return this.#word(argument, "filename expected");
      case "B":
        return this.#word(argument, "block device name expected");
      case "s":
      case "O":
        return this.#word(argument, "string expected");
      case "S":
        return this.#rest(argument);
      case "/":
        return this.#format();
      case "i":
      case "l":
        return this.#integer(argument);
      case "o":
        return this.#size(argument);
      case "b":
        return this.#onOff();
      case "-":
        if (this.#flag(argument.letter!, flags) === undefined) return undefined;
        return argument.takesWord ? this.#word({ kind: "s", optional: false }, "string expected") : true;
    }
  }

  #atEnd(): boolean {
    skipSpaces(this.#cursor);
    return this.#cursor.at >= this.#cursor.text.length;
  }

  #word(argument: Argument<unknown>, expected: string): string | undefined {
    if (this.#atEnd()) {
      if (argument.optional) return undefined;
      throw new HmpSyntaxError(`${this.#names}: ${expected}`);
    }
    const word = readWord(this.#cursor);
    if (word.trouble === undefined) return word.text;
    throw new HmpSyntaxError(`${this.#names}: ${expected}`, { aside: word.trouble });
  }

  #rest(argument: Argument<unknown>): string | undefined {
    if (this.#atEnd()) {
      if (argument.optional) return undefined;
      throw new HmpSyntaxError(`${this.#names}: string expected`);
    }
    const text = this.#cursor.text.slice(this.#cursor.at).trimEnd();
    this.#cursor.at = this.#cursor.text.length;
    return text;
  }

  #format(): DataFormat {
    const memory = this.#context.formats;
    skipSpaces(this.#cursor);
    if (this.#cursor.text[this.#cursor.at] !== "/") {
      return { count: 1, format: memory.format, sizeBytes: memory.format === "i" ? -1 : memory.sizeBytes };
    }
    this.#cursor.at++;
    const digits = /^[0-9]*/.exec(this.#cursor.text.slice(this.#cursor.at))![0];
    this.#cursor.at += digits.length;
    const letters = this.#formatLetters();
    const format = letters.format ?? memory.format;
    let sizeBytes = letters.sizeBytes ?? -1;
    if (format !== "i") memory.sizeBytes = sizeBytes = letters.sizeBytes ?? memory.sizeBytes;
    memory.format = format;
    return { count: digits === "" ? 1 : countOf(digits), format, sizeBytes };
  }

  #formatLetters(): { format?: DataFormat["format"]; sizeBytes?: number } {
    const found: { format?: DataFormat["format"]; sizeBytes?: number } = {};
    for (;; this.#cursor.at++) {
      const char = this.#cursor.text[this.#cursor.at];
      if (char === undefined || isSpace(char)) return found;
      const sizeBytes = { b: 1, h: 2, w: 4, g: 8, L: 8 }[char];
      if (sizeBytes !== undefined) found.sizeBytes = sizeBytes;
      else if (isFormat(char)) found.format = char;
      else throw new HmpSyntaxError(`invalid char in format: '${char}'`);
    }
  }

  #integer(argument: Argument<unknown>): bigint | undefined {
    skipSpaces(this.#cursor);
    if (argument.introducedBy !== undefined) {
      if (this.#cursor.text[this.#cursor.at] !== argument.introducedBy) return undefined;
      this.#cursor.at++;
      skipSpaces(this.#cursor);
    } else if (argument.optional && this.#atEnd()) return undefined;
    const value = parseExpression(this.#cursor, this.#context.register);
    if (argument.kind === "i" && value >> 32n !== 0n) {
      throw new HmpSyntaxError(`'${this.#names}' has failed: integer is for 32-bit values`);
    }
    return value;
  }

  #size(argument: Argument<unknown>): number | undefined {
    if (argument.optional && this.#atEnd()) return undefined;
    skipSpaces(this.#cursor);
    const rest = this.#cursor.text.slice(this.#cursor.at);
    const number = /^(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[bBkKmMgGtTpPeE]?/.exec(rest)?.[0];
    const parsed = number === undefined ? undefined : parseSizeText(number, "m");
    if (number === undefined || parsed?.kind !== "size" || parsed.bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new HmpSyntaxError("invalid size");
    }
    this.#cursor.at += number.length;
    return Number(parsed.bytes);
  }

  #onOff(): boolean {
    skipSpaces(this.#cursor);
    const word = /^[^ \t\n\v\f\r]*/.exec(this.#cursor.text.slice(this.#cursor.at))![0];
    if (word !== "on" && word !== "off") throw new HmpSyntaxError("Expected 'on' or 'off'");
    this.#cursor.at += word.length;
    return word === "on";
  }

  #flag(letter: string, flags: readonly (string | undefined)[]): true | undefined {
    skipSpaces(this.#cursor);
    const { text, at } = this.#cursor;
    if (text[at] !== "-") return undefined;
    const found = text[at + 1];
    if (found === letter) {
      this.#cursor.at = at + 2;
      return true;
    }
    if (found !== undefined && flags.includes(found)) return undefined;
    // Where nothing stands after the dash, QEMU's message ends there too, and the next line goes on behind it.
    throw new HmpSyntaxError(`${this.#names}: unsupported option -${found ?? ""}`, { newline: found !== undefined });
  }
}

/** A count is 32 bits wide and has a sign; one that overflows into it counts nothing. */
function countOf(digits: string): number {
  return Math.max(0, Number(BigInt.asIntN(32, BigInt(digits))));
}

function isFormat(char: string): char is DataFormat["format"] {
  return "xduoic".includes(char);
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", "\\": "\\", "'": "'", '"': '"' };

/** One word, or a quoted string with C's escapes; `trouble` says why there is none. */
export function readWord(cursor: Cursor): { readonly text: string; readonly trouble?: string } {
  const { text } = cursor;
  if (text[cursor.at] !== '"') {
    const start = cursor.at;
    while (cursor.at < text.length && !isSpace(text[cursor.at])) cursor.at++;
    return { text: text.slice(start, cursor.at) };
  }
  let word = "";
  for (cursor.at++; cursor.at < text.length; cursor.at++) {
    const char = text[cursor.at]!;
    if (char === '"') {
      cursor.at++;
      return { text: word };
    }
    if (char !== "\\") {
      word += char;
      continue;
    }
    const escaped = text[++cursor.at] ?? "";
    const meant = ESCAPES[escaped];
    if (meant === undefined) return { text: "", trouble: `unsupported escape code: '\\${escaped}'` };
    word += meant;
  }
  return { text: "", trouble: "unterminated string" };
}
