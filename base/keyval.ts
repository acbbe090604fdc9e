/**
 * QEMU's option syntax: `a=b,c=d`, doubled commas, an implied first key, bare switches.
 *
 * Two sets of rules exist and both are here. The older one ({@link QemuOpts}: `-drive`, `-device`, `-m`, `create -o`)
 * is lenient: a bare word is a switch, the last of equal keys counts. The newer one (`keyval_tree.ts`: `-blockdev`,
 * `-object`, `-machine`) is strict: every key has a value, dotted keys nest, keys that are numbers make lists.
 * Left out: reading JSON (`-blockdev '{...}'`), which callers see by its first character.
 *
 * Source: behaviour of QEMU 7.2; docs/interop of QEMU for dotted keys.
 *
 * @module
 */
import { OptionError } from "./option_error.ts";
import { parseSize } from "./sizes.ts";

export { OptionError };

/** One `name=value`, in the order in which they came. */
export interface OptionPair {
  readonly name: string;
  readonly value: string;
}

/** What {@link parseOptionPairs} found. */
export interface ParsedPairs {
  readonly pairs: readonly OptionPair[];
  /** One for each bare switch that QEMU calls deprecated; the second line of each is a hint. */
  readonly warnings: readonly string[];
  /** A bare `help` or `?` was among them. */
  readonly helpWanted: boolean;
}

/** Whether a word asks for help instead of being a value. */
export function isHelpOption(word: string): boolean {
  return word === "help" || word === "?";
}

/** Reads up to a comma that is not doubled; `next` is behind that comma. */
function takeValue(text: string, from: number): { value: string; next: number } {
  let value = "";
  let at = from;
  for (;;) {
    const comma = text.indexOf(",", at);
    if (comma < 0) return { value: value + text.slice(at), next: text.length };
    value += text.slice(at, comma);
    if (text[comma + 1] !== ",") return { value, next: comma + 1 };
    value += ",";
    at = comma + 2;
  }
}

/** Doubles the commas of a value, so that it can stand in an option string. */
export function escapeValue(value: string): string {
  return value.replaceAll(",", ",,");
}

/**
 * Cuts an option string by the older rules.
 *
 * `impliedKey` is the key of a first element without `=`: `driver` for `-device`. Without one, and further on, a bare
 * word `x` is `x=on` and `nox` is `x=off`, each with a warning; a bare `help` or `?` is noted and kept as a switch.
 *
 * ```ts
 * import { parseOptionPairs } from "./keyval.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseOptionPairs("ide-hd,serial=a,,b", "driver").pairs, [
 *   { name: "driver", value: "ide-hd" },
 *   { name: "serial", value: "a,b" },
 * ]);
 * ```
 */
export function parseOptionPairs(text: string, impliedKey?: string): ParsedPairs {
  const pairs: OptionPair[] = [];
  const warnings: string[] = [];
  let helpWanted = false;
  for (let at = 0; at < text.length;) {
    const stop = text.slice(at).search(/[=,]|$/) + at;
    if (text[stop] === "=") {
      const { value, next } = takeValue(text, stop + 1);
      pairs.push({ name: text.slice(at, stop), value });
      at = next;
    } else if (at === 0 && impliedKey !== undefined) {
      const { value, next } = takeValue(text, 0);
      if (isHelpOption(value)) helpWanted = true;
      pairs.push({ name: impliedKey, value });
      at = next;
    } else {
      const word = text.slice(at, stop);
      const off = word.startsWith("no");
      const pair = off ? { name: word.slice(2), value: "off" } : { name: word, value: "on" };
      if (isHelpOption(word)) helpWanted = true;
      else {
        warnings.push(
          `short-form boolean option '${word}' deprecated\nPlease use ${pair.name}=${pair.value} instead`,
        );
      }
      pairs.push(pair);
      at = stop + 1;
    }
  }
  return { pairs, warnings, helpWanted };
}

/** The types that an option of the older kind may have. */
export type QemuOptType = "string" | "bool" | "number" | "size";

/** Which options a group knows, by name. */
export type QemuOptTable = Readonly<Record<string, QemuOptType>>;

/** How an option string of the older kind is read. */
export interface QemuOptsOptions {
  readonly impliedKey?: string;
  /** Refuse names that are not in it and check values at once. Without it every name goes, and is checked when read. */
  readonly table?: QemuOptTable;
}

/**
 * One option string under the older rules, with typed access; the last of equal names counts.
 *
 * Readers usually `take` what they know and hand {@link remaining} on.
 */
export class QemuOpts {
  /** The `id=` (the first, if there are more), checked to be an identifier. */
  readonly id: string | undefined;
  readonly warnings: readonly string[];
  readonly helpWanted: boolean;
  #pairs: OptionPair[];

  private constructor(parsed: ParsedPairs, id: string | undefined) {
    this.id = id;
    this.warnings = parsed.warnings;
    this.helpWanted = parsed.helpWanted;
    this.#pairs = parsed.pairs.filter(({ name }) => name !== "id");
  }

  /**
   * Parses `text`.
   *
   * @throws {OptionError} a bad `id`, or what `table` does not allow.
   */
  static parse(text: string, options: QemuOptsOptions = {}): QemuOpts {
    const parsed = parseOptionPairs(text, options.impliedKey);
    const id = parsed.pairs.find(({ name }) => name === "id")?.value;
    if (id !== undefined && !isIdentifier(id)) throw badIdentifier("id");
    const opts = new QemuOpts(parsed, id);
    const { table } = options;
    if (table === undefined) return opts;
    for (const { name, value } of opts.#pairs) {
      if (parsed.helpWanted && isHelpOption(name)) continue;
      const type = Object.hasOwn(table, name) ? table[name] : undefined;
      if (type === undefined) throw new OptionError(`Invalid parameter '${name}'`);
      if (type === "bool") parseBool(value, name);
      if (type === "number") parseUnsigned(value, name);
      if (type === "size") parseSize(value, name);
    }
    return opts;
  }

  /** All pairs that were not taken, in order, duplicates and all; without `id`. */
  get remaining(): readonly OptionPair[] {
    return this.#pairs;
  }

  has(name: string): boolean {
    return this.#pairs.some((pair) => pair.name === name);
  }

  get(name: string): string | undefined {
    return this.#pairs.findLast((pair) => pair.name === name)?.value;
  }

  /** @throws {OptionError} it is there and neither on nor off. */
  getBool(name: string): boolean | undefined {
    const value = this.get(name);
    return value === undefined ? undefined : parseBool(value, name);
  }

  /** @throws {OptionError} it is there and no number. */
  getNumber(name: string): number | undefined {
    const value = this.get(name);
    return value === undefined ? undefined : Number(parseUnsigned(value, name));
  }

  /** Bytes. @throws {OptionError} it is there and no size. */
  getSize(name: string, defaultUnit: "b" | "k" | "m" | "g" = "b"): number | undefined {
    const value = this.get(name);
    return value === undefined ? undefined : parseSize(value, name, defaultUnit);
  }

  /** Reads `name` and removes it. */
  take(name: string): string | undefined {
    const value = this.get(name);
    this.#pairs = this.#pairs.filter((pair) => pair.name !== name);
    return value;
  }

  /** Gives options another name, as `readonly` is `read-only`. @throws {OptionError} both are there. */
  rename(from: string, to: string): void {
    if (!this.has(from)) return;
    if (this.has(to)) throw new OptionError(`'${to}' and its alias '${from}' can't be used at the same time`);
    this.#pairs = this.#pairs.map((pair) => pair.name === from ? { name: to, value: pair.value } : pair);
  }

  /** The last value of each name. */
  toRecord(): Record<string, string> {
    return Object.fromEntries(this.#pairs.map(({ name, value }) => [name, value]));
  }
}

/** Whether `text` may be an ID: letters, digits, `-`, `.`, `_`, starting with a letter. */
export function isIdentifier(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9\-._]*$/.test(text);
}

/** The error of an ID that is none. */
export function badIdentifier(name: string): OptionError {
  return new OptionError(
    `Parameter '${name}' expects an identifier`,
    "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
  );
}

/** Reads a switch: on, yes, true, y or off, no, false, n. @throws {OptionError} it is none of them. */
export function parseBool(value: string, name: string): boolean {
  if (["on", "yes", "true", "y"].includes(value)) return true;
  if (["off", "no", "false", "n"].includes(value)) return false;
  throw new OptionError(`Parameter '${name}' expects 'on' or 'off'`);
}

/** Reads what C's strtoull reads with base 0: octal and hexadecimal too, a minus sign wraps at 2^64. */
function scanInteger(value: string): { negative: boolean; magnitude: bigint } | undefined {
  const match = /^[ \t\n\v\f\r]*([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.exec(value);
  if (match === null) return undefined;
  const digits = match[2]!;
  const octal = /^0[0-7]+$/.test(digits);
  return { negative: match[1] === "-", magnitude: BigInt(octal ? `0o${digits.slice(1)}` : digits) };
}

/** Reads a number of the older rules, 0 to 2^64-1. @throws {OptionError} it is none, or too large. */
export function parseUnsigned(value: string, name: string): bigint {
  const scanned = scanInteger(value);
  if (scanned === undefined) throw new OptionError(`Parameter '${name}' expects a number`);
  if (scanned.magnitude >= 1n << 64n) throw new OptionError(`Value '${value}' is too large for parameter '${name}'`);
  return BigInt.asUintN(64, scanned.negative ? -scanned.magnitude : scanned.magnitude);
}

/** Reads a number of the newer rules, -2^63 to 2^63-1. @throws {OptionError} it is none. */
export function parseInteger(value: string, name: string): bigint {
  const number = integerIn(value);
  if (number === undefined) throw new OptionError(`Parameter '${name}' expects integer`);
  return number;
}

/** Whether {@link parseInteger} takes `value`. */
export function isInteger(value: string): boolean {
  return integerIn(value) !== undefined;
}

function integerIn(value: string): bigint | undefined {
  const scanned = scanInteger(value);
  const number = scanned === undefined ? undefined : scanned.negative ? -scanned.magnitude : scanned.magnitude;
  return number === undefined || BigInt.asIntN(64, number) !== number ? undefined : number;
}
