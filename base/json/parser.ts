/**
 * Tokens into a value, with QEMU's words for what is wrong.
 *
 * @module
 */
import type { Token, TokenKind } from "./lexer.ts";
import { JsonDouble, JsonError, type JsonObject, type JsonValue } from "./value.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const MIN_INT64 = -(2n ** 63n);
const MAX_UINT64 = 2n ** 64n - 1n;

/** The value that `tokens` are; what follows it is left alone. @throws {JsonError} */
export function parseTokens(tokens: readonly Token[]): JsonValue {
  return new Parser(tokens).value();
}

/** The words for a byte that fits nowhere. */
export function strayText(token: Token): string {
  const end = token.bytes.indexOf(0);
  return `JSON parse error, stray '${lossy.decode(end < 0 ? token.bytes : token.bytes.subarray(0, end))}'`;
}

function fail(text: string): never {
  throw new JsonError(`JSON parse error, ${text}`);
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  #next(): Token {
    return this.#tokens[this.#at++] ?? fail("premature EOI");
  }

  #isNext(kind: TokenKind): boolean {
    if (this.#tokens[this.#at]?.kind !== kind) return false;
    this.#at++;
    return true;
  }

  value(): JsonValue {
    const token = this.#next();
    switch (token.kind) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case "string":
        return unquoted(token.bytes);
      case "keyword":
        return keyword(lossy.decode(token.bytes));
      case "integer":
        return integer(lossy.decode(token.bytes));
      case "float":
        return new JsonDouble(Number(lossy.decode(token.bytes)));
      default:
        return fail("expecting value");
    }
  }

  #object(): JsonObject {
    const object: JsonObject = Object.create(null);
    if (this.#isNext("}")) return object;
    for (;;) {
      const key = this.value();
      if (typeof key !== "string") fail("key is not a string in object");
      if (this.#next().kind !== ":") fail("missing : in object pair");
      const value = this.value();
      if (key in object) fail("duplicate key");
      object[key] = value;
      const after = this.#next();
      if (after.kind === "}") return object;
      if (after.kind !== ",") fail("expected separator in dict");
    }
  }

  #array(): JsonValue[] {
    const array: JsonValue[] = [];
    if (this.#isNext("]")) return array;
    for (;;) {
      array.push(this.value());
      const after = this.#next();
      if (after.kind === "]") return array;
      if (after.kind !== ",") fail("expected separator in list");
    }
  }
}

function keyword(word: string): JsonValue {
  switch (word) {
    case "true":
      return true;
    case "false":
      return false;
    case "null":
      return null;
    default:
      return fail(`invalid keyword '${word}'`);
  }
}

function integer(text: string): JsonValue {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number === 0 ? 0 : number;
  const exact = BigInt(text);
  return exact < MIN_INT64 || exact > MAX_UINT64 ? new JsonDouble(number) : exact;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  "\\": "\\",
  "/": "/",
  "b": "\b",
  "f": "\f",
  "n": "\n",
  "r": "\r",
  "t": "\t",
};

/** The string that a token with its quotes stands for. */
function unquoted(token: Uint8Array): string {
  let text: string;
  try {
    text = utf8.decode(token);
  } catch {
    return fail("invalid UTF-8 sequence in string");
  }
  let result = "";
  let from = 1;
  for (let at = text.indexOf("\\"); at >= 0; at = text.indexOf("\\", from)) {
    result += text.slice(from, at);
    const [char, length] = escaped(text, at);
    result += char;
    from = at + length;
  }
  result += text.slice(from, -1);
  for (const char of text.slice(1, -1)) {
    if (char > "\u{fdcf}" && isNonCharacter(char.codePointAt(0)!)) fail("invalid UTF-8 sequence in string");
  }
  return result;
}

/** The character that the escape at `at` means, and how long the escape is. */
function escaped(text: string, at: number): [char: string, length: number] {
  const letter = text[at + 1]!;
  if (letter !== "u") return [ESCAPES[letter] ?? fail("invalid escape sequence in string"), 2];
  const high = hexAt(text, at);
  let point = high;
  let length = 6;
  if (high >= 0xd800 && high < 0xdc00 && text.startsWith("\\u", at + 6)) {
    const low = hexAt(text, at + 6);
    if (low >= 0xdc00 && low < 0xe000) {
      point = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
      length = 12;
    }
  }
  const invalid = point < 0 || (point >= 0xd800 && point < 0xe000) || isNonCharacter(point);
  if (invalid) fail(`${text.slice(at, at + length)} is not a valid Unicode character`);
  return [String.fromCodePoint(point), length];
}

/** The four digits behind `\u`; -1 where they are none. */
function hexAt(text: string, at: number): number {
  const digits = text.slice(at + 2, at + 6);
  return /^[0-9A-Fa-f]{4}$/.test(digits) ? parseInt(digits, 16) : -1;
}

function isNonCharacter(point: number): boolean {
  return (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffe) === 0xfffe;
}
