/**
 * Values as QEMU prints them: ASCII only, and the keys of an object in the order of its hash table.
 *
 * Programs compare these texts. QEMU 7.2's objects print their buckets ascending, the newest key first within one.
 *
 * @module
 */
import { JsonDouble, type JsonObject, type JsonValue } from "./value.ts";

const BUCKETS = 512;
const encoder = new TextEncoder();
/** Names of a protocol come again and again. Bounded, since a client may make names up. */
const knownBuckets = 4096;

/** Prints values; keeps what it learned about names. */
export class JsonWriter {
  readonly #buckets = new Map<string, number>();

  /** One line; with `pretty`, four blanks a level. No newline at the end. */
  format(value: JsonValue, pretty = false): string {
    return pretty ? this.#pretty(value, "\n") : this.#line(value);
  }

  /** Keys in the order in which they are printed. */
  order(keys: readonly string[]): string[] {
    return keys.map((key, index) => ({ key, index, bucket: this.#bucket(key) }))
      .sort((a, b) => a.bucket - b.bucket || b.index - a.index)
      .map(({ key }) => key);
  }

  #bucket(key: string): number {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = bucketOf(key);
      if (this.#buckets.size < knownBuckets) this.#buckets.set(key, bucket);
    }
    return bucket;
  }

  #line(value: JsonValue): string {
    if (Array.isArray(value)) return `[${value.map((one) => this.#line(one)).join(", ")}]`;
    if (isObject(value)) {
      const rows = this.order(Object.keys(value)).map((key) => `${quoted(key)}: ${this.#line(value[key]!)}`);
      return `{${rows.join(", ")}}`;
    }
    return scalar(value);
  }

  #pretty(value: JsonValue, outer: string): string {
    const inner = `${outer}    `;
    if (Array.isArray(value)) {
      if (value.length === 0) return `[${outer}]`;
      return `[${value.map((one) => inner + this.#pretty(one, inner)).join(",")}${outer}]`;
    }
    if (isObject(value)) {
      const rows = this.order(Object.keys(value))
        .map((key) => `${inner}${quoted(key)}: ${this.#pretty(value[key]!, inner)}`);
      return `{${rows.join(",")}${outer}}`;
    }
    return scalar(value);
  }
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !(value instanceof JsonDouble);
}

function scalar(value: null | boolean | number | bigint | string | JsonDouble | JsonValue[] | JsonObject): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
      return Number.isInteger(value) ? BigInt(value).toString() : formatDouble(value);
    case "object":
      return value instanceof JsonDouble ? formatDouble(value.value) : "null";
    default:
      return String(value);
  }
}

/** As C's `%.17g`. */
export function formatDouble(value: number): string {
  if (value === Infinity) return "inf";
  if (value === -Infinity) return "-inf";
  if (Number.isNaN(value)) return "nan";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, exponent] = value.toExponential(16).split("e") as [string, string];
  const power = Number(exponent);
  if (power < -4 || power >= 17) {
    const digits = Math.abs(power).toString().padStart(2, "0");
    return `${withoutZeroes(mantissa)}e${power < 0 ? "-" : "+"}${digits}`;
  }
  return withoutZeroes(value.toFixed(Math.max(0, 16 - power)));
}

function withoutZeroes(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** A string with its quotes. */
export function quoted(text: string): string {
  const json = JSON.stringify(text);
  // deno-lint-ignore no-control-regex -- what is looked for are the characters that need an escape
  if (!/[\u007f-\uffff]|\\u/.test(json)) return json;
  return json.replaceAll(
    /\\\\|\\u([0-9a-f]{4})|[\u007f-\uffff]/g,
    (char, digits: string | undefined) => {
      if (char === "\\\\") return char;
      return `\\u${(digits ?? char.charCodeAt(0).toString(16)).toUpperCase().padStart(4, "0")}`;
    },
  );
}

function bucketOf(key: string): number {
  const bytes = encoder.encode(key);
  let value = Math.imul(0x238f13af, bytes.length) >>> 0;
  bytes.forEach((byte, index) => value = (value + (byte << (index * 5 % 24))) >>> 0);
  return ((Math.imul(1103515243, value) + 12345) >>> 0) % BUCKETS;
}
