/**
 * Bytes into JSON's tokens, as QEMU takes them: strings in single quotes too, and a rule for going on after an error.
 *
 * Bytes may come in pieces of any size. After a byte that fits nowhere, everything up to the next control character or
 * structural character is skipped.
 *
 * @module
 */
import { concatBytes } from "../bytes.ts";

/** What a token is; a structural character stands for itself. */
export type TokenKind =
  | "{"
  | "}"
  | "["
  | "]"
  | ":"
  | ","
  | "integer"
  | "float"
  | "keyword"
  | "string"
  | "error"
  | "too long";

/** A token with its text as it was written, strings with their quotes; structural characters have none. */
export interface Token {
  readonly kind: TokenKind;
  readonly bytes: Uint8Array;
}

type State =
  | "start"
  | "keyword"
  | "string"
  | "escape"
  | "minus"
  | "zero"
  | "digits"
  | "point"
  | "fraction"
  | "exponent mark"
  | "exponent sign"
  | "exponent"
  | "recovery";

/** A token longer than this is an error. */
export const MAX_TOKEN_BYTES = 64 * 1024 * 1024;

const NONE = new Uint8Array(0);
const STRUCTURAL = new Map<number, TokenKind>([..."{}[]:,"].map((char) => [char.charCodeAt(0), char as TokenKind]));
const [QUOTE, SINGLE_QUOTE, BACKSLASH, MINUS, PLUS, POINT, ZERO] = [0x22, 0x27, 0x5c, 0x2d, 0x2b, 0x2e, 0x30];
const [SMALL_E, LARGE_E] = [0x65, 0x45];

/** Splits a stream of bytes. */
export class JsonLexer {
  #state: State = "start";
  #quote = QUOTE;
  /** The token's bytes of earlier pieces; they are joined once, at its end. */
  #head: Uint8Array[] = [];
  #headBytes = 0;
  readonly #emit: (token: Token) => void;

  constructor(emit: (token: Token) => void) {
    this.#emit = emit;
  }

  /** Takes the next piece. */
  push(chunk: Uint8Array): void {
    /** Where the token under way begins in this piece. */
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      const kind = this.#step(byte);
      switch (kind) {
        case undefined:
          if (this.#state === "start" || this.#state === "recovery") from = at + 1;
          break;
        case "string":
        case "error":
          this.#end(kind, chunk.subarray(from, at + 1));
          from = at + 1;
          break;
        case "integer":
        case "float":
        case "keyword":
          // The byte belongs to what follows.
          this.#end(kind, chunk.subarray(from, at));
          from = at--;
          break;
        default:
          this.#emit({ kind, bytes: NONE });
          from = at + 1;
      }
      if (at + 1 - from + this.#headBytes > MAX_TOKEN_BYTES) {
        this.#end("too long", NONE);
        from = at + 1;
      }
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  /** The stream has ended: what is under way is a number, a keyword, or an error. */
  finish(): void {
    const state = this.#state;
    const kind = state === "start" || state === "recovery" ? undefined : (LAST[state] ?? "error");
    if (kind !== undefined) this.#end(kind, NONE);
    this.#state = "start";
    this.#forget();
  }

  #keep(tail: Uint8Array): void {
    this.#head.push(tail.slice());
    this.#headBytes += tail.length;
  }

  #forget(): void {
    this.#head = [];
    this.#headBytes = 0;
  }

  #end(kind: TokenKind, tail: Uint8Array): void {
    const bytes = this.#headBytes === 0 || kind === "too long" ? tail : concatBytes([...this.#head, tail]);
    this.#forget();
    this.#state = kind === "error" || kind === "too long" ? "recovery" : "start";
    this.#emit({ kind, bytes });
  }

  /** Takes one byte; which token it ends: a number or a keyword ends before it, all others with it. */
  #step(byte: number): TokenKind | undefined {
    switch (this.#state) {
      case "recovery": {
        const structural = STRUCTURAL.get(byte);
        if (structural !== undefined || byte < 0x20) this.#state = "start";
        return structural;
      }
      case "start":
        return this.#begin(byte);
      case "string":
        if (byte < 0x20 || byte >= 0xfe) return "error";
        if (byte === BACKSLASH) this.#state = "escape";
        return byte === this.#quote ? "string" : undefined;
      case "escape":
        if (byte < 0x20 || byte >= 0xfe) return "error";
        this.#state = "string";
        return undefined;
      case "keyword":
        return isLetter(byte) ? undefined : "keyword";
      default:
        return this.#number(byte);
    }
  }

  #begin(byte: number): TokenKind | undefined {
    const structural = STRUCTURAL.get(byte);
    if (structural !== undefined) return structural;
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d && byte !== 0x0b && byte !== 0x0c)) return undefined;
    if (byte === QUOTE || byte === SINGLE_QUOTE) {
      this.#quote = byte;
      this.#state = "string";
    } else if (byte === MINUS) this.#state = "minus";
    else if (byte === ZERO) this.#state = "zero";
    else if (isDigit(byte)) this.#state = "digits";
    else if (isLetter(byte)) this.#state = "keyword";
    else return "error";
    return undefined;
  }

  #number(byte: number): TokenKind | undefined {
    const digit = isDigit(byte);
    const isExponentMark = byte === SMALL_E || byte === LARGE_E;
    const go = (state: State) => {
      this.#state = state;
      return undefined;
    };
    switch (this.#state) {
      case "minus":
        return digit ? go(byte === ZERO ? "zero" : "digits") : "error";
      case "zero":
        if (digit) return "error";
        return byte === POINT ? go("point") : isExponentMark ? go("exponent mark") : "integer";
      case "digits":
        if (digit) return undefined;
        return byte === POINT ? go("point") : isExponentMark ? go("exponent mark") : "integer";
      case "point":
        return digit ? go("fraction") : "error";
      case "fraction":
        if (digit) return undefined;
        return isExponentMark ? go("exponent mark") : "float";
      case "exponent mark":
        return digit ? go("exponent") : byte === MINUS || byte === PLUS ? go("exponent sign") : "error";
      case "exponent sign":
        return digit ? go("exponent") : "error";
      default:
        return digit ? undefined : "float";
    }
  }
}

/** What is complete when the stream ends in a state. */
const LAST: Partial<Record<State, TokenKind>> = {
  keyword: "keyword",
  zero: "integer",
  digits: "integer",
  fraction: "float",
  exponent: "float",
};

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isLetter(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}
