/**
 * Plain data with one value of it made another one: what a file may say where a number, a list or a name is expected.
 *
 * @module
 */
import type { SeededRandom } from "../../base/random.ts";
import { pick } from "../support/pick.ts";

type Holder = Record<string, unknown> | unknown[];

/** Changes one value somewhere inside of `value`, an object; says what was done. */
export function damageValue(random: SeededRandom, value: object): string {
  // From the outside in, a member by chance on each level: small parts are met as often as large ones.
  let holder = value as Holder;
  for (let path = "";;) {
    const names = Object.keys(holder);
    if (names.length === 0) return "nothing to damage";
    const name = pick(random, names);
    path += Array.isArray(holder) ? `[${name}]` : path === "" ? name : `.${name}`;
    const old = (holder as Record<string, unknown>)[name];
    const isHolder = typeof old === "object" && old !== null && !ArrayBuffer.isView(old) && Object.keys(old).length > 0;
    if (isHolder && random.below(4) > 0) {
      holder = old as Holder;
      continue;
    }
    const other = otherThan(random, old);
    if (other === undefined && !Array.isArray(holder) && random.below(2) === 0) {
      delete holder[name];
      return `${path} left out`;
    }
    (holder as Record<string, unknown>)[name] = other;
    return `${path}: ${show(old)} becomes ${show(other)}`;
  }
}

function otherThan(random: SeededRandom, value: unknown): unknown {
  if (random.below(5) === 0) {
    return pick(random, [undefined, null, null, null, 0, -1, "", true, {}, [], [[]], [null], "x", 1e300]);
  }
  switch (typeof value) {
    case "number":
      return otherNumber(random, value);
    case "boolean":
      return !value;
    case "string":
      return pick(random, ["", "x", `${value}x`, "toString", "__proto__", "x".repeat(5000)]);
    case "bigint":
      return pick(random, [0n, -1n, 1n << 64n, 1n << 200n, value ^ (1n << BigInt(random.below(64)))]);
    case "object":
      return value === null ? otherNumber(random, 0) : otherObject(random, value);
    default:
      return otherNumber(random, 0);
  }
}

function otherNumber(random: SeededRandom, value: number): number {
  return pick(random, [
    value + 1,
    value - 1,
    -value,
    value * 2,
    ...[0, -1, 1, 2, 3, 7, 255, 256, 0xffff, 0x1_0000, 2 ** 31, 2 ** 32 - 1, 2 ** 32],
    2 ** random.below(53),
    random.uint32(),
    random.below(256),
    ...[2 ** 53, -(2 ** 53), 1e300, -1e300, 0.5, 1e-300, NaN, Infinity, -Infinity],
  ]);
}

function otherObject(random: SeededRandom, value: object): unknown {
  if (value instanceof Uint8Array) {
    if (random.below(3) === 0) return new Uint8Array(random.below(2 * value.length + 2));
    const other = value.slice();
    for (let i = 1 + random.below(8); i > 0 && other.length > 0; i--) {
      other[random.below(other.length)] = random.uint32();
    }
    return other;
  }
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.byteLength);
  if (!Array.isArray(value)) return pick(random, [{}, [], null, undefined]);
  if (random.below(3) === 0) return [];
  if (random.below(2) === 0) return value.slice(0, random.below(value.length + 1));
  return Array.from({ length: random.below(3000) }, () => value[0] ?? random.uint32());
}

function show(value: unknown): string {
  const text = typeof value === "bigint" ? `${value}n` : typeof value === "number" ? `${value}` : JSON.stringify(value);
  return text === undefined ? "undefined" : text.length > 40 ? `${text.slice(0, 40)}...` : text;
}
