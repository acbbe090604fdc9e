/**
 * Device states as JSON text: with typed arrays and bigints, which JSON has not.
 *
 * Such a value is an object with the one key `$type` and its text. No device's state has a key that begins so.
 *
 * @module
 */
import { Buffer } from "node:buffer";

const ARRAYS = { Uint8Array, Uint16Array, Uint32Array, Int32Array, Float64Array } as const;
type ArrayName = keyof typeof ARRAYS;

/** Deep enough for any device, and for no attacker's recursion. */
const MAX_DEPTH = 32;

/** Turns a state into bytes. */
export function encodeState(state: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(toJson(state)));
}

/** Turns bytes back into a state. @throws {Error} for anything that {@link encodeState} does not make */
export function decodeState(bytes: Uint8Array): unknown {
  return fromJson(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), 0);
}

function toJson(value: unknown): unknown {
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (value === undefined) return { $undefined: "" };
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
  if (value === null || typeof value !== "object") return value;
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return { [`$${value.constructor.name}`]: bytes.toString("base64") };
  }
  if (Array.isArray(value)) return value.map(toJson);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toJson(item)]));
}

function fromJson(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new Error("the state is nested too deeply");
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => fromJson(item, depth + 1));
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && first[0].startsWith("$")) return special(first[0], first[1]);
  return Object.fromEntries(entries.map(([name, item]) => [name, fromJson(item, depth + 1)]));
}

function special(tag: string, text: unknown): unknown {
  if (typeof text !== "string") throw new Error(`${tag} has no text`);
  if (tag === "$undefined") return undefined;
  if (tag === "$bigint") return BigInt(text);
  if (tag === "$number") return Number(text);
  const name = tag.slice(1);
  if (!Object.hasOwn(ARRAYS, name)) throw new Error(`unknown kind of value ${name}`);
  const bytes = new Uint8Array(Buffer.from(text, "base64"));
  const Kind = ARRAYS[name as ArrayName];
  if (bytes.length % Kind.BYTES_PER_ELEMENT !== 0) throw new Error(`${name} of ${bytes.length} bytes`);
  return new Kind(bytes.buffer);
}
