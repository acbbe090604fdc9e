/**
 * A stream of JSON values, one behind the other, as a protocol sends them; and a text that is just one.
 *
 * A client may send anything: what is kept of a value under way is limited, and after an error the stream goes on.
 *
 * @module
 */
import { JsonLexer, type Token } from "./lexer.ts";
import { parseTokens, strayText } from "./parser.ts";
import { JsonError, type JsonValue } from "./value.ts";

const MAX_NESTING = 1024;
const MAX_TOKENS = 2 ** 21;
const MAX_BYTES = 64 * 1024 * 1024;

/** What a stream hands out. */
export type JsonMessage = { readonly value: JsonValue } | { readonly error: string };

/** Takes bytes and hands out values and errors, in order. */
export class JsonStream {
  readonly #lexer = new JsonLexer((token) => this.#take(token));
  readonly #emit: (message: JsonMessage) => void;
  #tokens: Token[] = [];
  #braces = 0;
  #brackets = 0;
  #bytes = 0;

  constructor(emit: (message: JsonMessage) => void) {
    this.#emit = emit;
  }

  push(bytes: Uint8Array): void {
    this.#lexer.push(bytes);
  }

  /** No more bytes come; a value that is not complete is an error. */
  finish(): void {
    this.#lexer.finish();
    if (this.#tokens.length > 0) this.#parse();
  }

  #take(token: Token): void {
    switch (token.kind) {
      case "error":
        return this.#fail(strayText(token));
      case "too long":
        return this.#fail("JSON token size limit exceeded");
      case "{":
        this.#braces++;
        break;
      case "}":
        this.#braces--;
        break;
      case "[":
        this.#brackets++;
        break;
      case "]":
        this.#brackets--;
        break;
    }
    this.#bytes += token.bytes.length;
    if (this.#bytes > MAX_BYTES) return this.#fail("JSON token size limit exceeded");
    if (this.#tokens.length >= MAX_TOKENS) return this.#fail("JSON token count limit exceeded");
    if (this.#braces + this.#brackets > MAX_NESTING) return this.#fail("JSON nesting depth limit exceeded");
    // A piece of the stream is used again; what is kept is kept apart.
    this.#tokens.push(token.bytes.length === 0 ? token : { kind: token.kind, bytes: token.bytes.slice() });
    const open = (this.#braces > 0 || this.#brackets > 0) && this.#braces >= 0 && this.#brackets >= 0;
    if (!open) this.#parse();
  }

  #parse(): void {
    const tokens = this.#tokens;
    this.#reset();
    let value: JsonValue;
    try {
      value = parseTokens(tokens);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      return this.#emit({ error: error.message });
    }
    this.#emit({ value });
  }

  #fail(error: string): void {
    this.#reset();
    this.#emit({ error });
  }

  #reset(): void {
    this.#tokens = [];
    this.#braces = 0;
    this.#brackets = 0;
    this.#bytes = 0;
  }
}

const encoder = new TextEncoder();

/**
 * The one value that `text` is.
 *
 * ```ts
 * import { parseJson } from "./stream.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseJson("[9007199254740993, 'a']"), [9007199254740993n, "a"]);
 * ```
 *
 * @throws {JsonError} in QEMU's words
 */
export function parseJson(text: string): JsonValue {
  let value: JsonValue | undefined;
  const stream = new JsonStream((message) => {
    if ("error" in message) throw new JsonError(message.error);
    if (value !== undefined) throw new JsonError("Expecting at most one JSON value");
    value = message.value;
  });
  stream.push(encoder.encode(text));
  stream.finish();
  if (value === undefined) throw new JsonError("Expecting a JSON value");
  return value;
}
