/**
 * Options as they come (strings by dotted path, or JSON) made into the typed options that drivers take.
 *
 * Two ways, as in QEMU. {@link convertOptions} is the lenient one of `-drive` and `json:` names: strings are converted,
 * unknown options are found when the node is opened. {@link checkBlockdev} is the strict one of `-blockdev` and
 * `blockdev-add`: everything is checked first, with paths in the messages.
 *
 * @module
 */
import { type OptionPair, parseBool, parseInteger, parseUnsigned } from "../../base/keyval.ts";
import { parseSize } from "../../base/sizes.ts";
import { BlockError } from "../errors.ts";
import type { BlockdevOptions } from "./blockdev.ts";
import { CACHE_OPTIONS, COMMON_OPTIONS, DRIVER_OPTIONS, NAME_OPTIONS, type OptionRow } from "./schema.ts";

/** A nested description, typed or not. */
export type OptionTree = { readonly [name: string]: OptionValue | undefined };
export type OptionValue = string | number | boolean | null | OptionTree | readonly OptionValue[];

export function optionError(text: string, option?: string): BlockError {
  return new BlockError({ kind: "option", text, ...(option === undefined ? {} : { option }) });
}

export function isTree(value: unknown): value is OptionTree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Nests `a.b=c`: `{ a: { b: "c" } }`. Parts that are numbers 0, 1, 2 ... become lists. */
export function nestOptions(pairs: readonly OptionPair[]): OptionTree {
  const root: Record<string, OptionValue> = {};
  for (const { name, value } of pairs) {
    const path = name.split(".");
    let place = root;
    for (const part of path.slice(0, -1)) {
      const known = Object.hasOwn(place, part) ? place[part] : undefined;
      const next: Record<string, OptionValue> = isTree(known) ? known as Record<string, OptionValue> : {};
      // `file=x,file.locking=on`: the name of the file moves in beside the rest.
      if (typeof known === "string") next[""] = known;
      define(place, part, next);
      place = next;
    }
    define(place, path.at(-1)!, value);
  }
  return lists(root) as OptionTree;
}

/** Sets a name that came from outside, `__proto__` included. */
function define(place: Record<string, OptionValue>, name: string, value: OptionValue): void {
  Object.defineProperty(place, name, { value, writable: true, enumerable: true, configurable: true });
}

function lists(value: OptionValue): OptionValue {
  if (!isTree(value)) return value;
  const names = Object.keys(value);
  const made = names.map((name) => lists(value[name]!));
  if (names.length > 0 && names.every((name, index) => name === String(index))) return made;
  const result: Record<string, OptionValue> = {};
  names.forEach((name, index) => define(result, name, made[index]!));
  return result;
}

/** Converts the options of one node (not those of its children); what the driver does not know stays in `unknown`. */
export function convertOptions(driver: string, options: OptionTree): { options: OptionTree; unknown: string[] } {
  const rows: Readonly<Record<string, OptionRow>> = { ...COMMON_OPTIONS, ...DRIVER_OPTIONS[driver] };
  const known = DRIVER_OPTIONS[driver] !== undefined;
  const result: Record<string, OptionValue> = {};
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(options)) {
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    if (value === undefined) continue;
    if (row === undefined) {
      if (known && !(NAME_OPTIONS[driver]?.includes(name) ?? false)) unknown.push(...flatNames(name, value));
      else result[name] = value;
    } else result[name] = name === "cache" && isTree(value) ? convertCache(value) : convert(value, name, row);
  }
  return { options: result, unknown };
}

function flatNames(name: string, value: OptionValue): string[] {
  if (!isTree(value)) return [name];
  return Object.entries(value).flatMap(([inner, one]) => flatNames(`${name}.${inner}`, one ?? null));
}

function convertCache(cache: OptionTree): OptionTree {
  const result: Record<string, OptionValue> = {};
  for (const [name, value] of Object.entries(cache)) {
    const row = Object.hasOwn(CACHE_OPTIONS, name) ? CACHE_OPTIONS[name] : undefined;
    result[name] = row === undefined ? value! : convert(value!, `cache.${name}`, row);
  }
  return result;
}

function convert(value: OptionValue, name: string, row: OptionRow): OptionValue {
  if (typeof value !== "string") return value;
  switch (row.type) {
    case "bool":
      return parseBool(value, name);
    case "size":
      return parseSize(value, name);
    case "int":
      return Number(parseUnsigned(value, name));
    case "enum":
      if (!row.values.includes(value)) {
        throw optionError(row.refusal?.(value) ?? `invalid parameter value: ${value}`, name);
      }
      return value;
    default:
      return value;
  }
}

/**
 * Checks a description strictly and gives it its types.
 *
 * `keyval`: all values are strings, as `-blockdev a=b` has them; else they are JSON's.
 * @throws {BlockError} `option`, in the words of QEMU's input visitor.
 */
export function checkBlockdev(
  tree: OptionTree,
  how: { readonly keyval: boolean; readonly path?: string },
): BlockdevOptions {
  return checkNode(tree, how.path ?? "", how.keyval) as unknown as BlockdevOptions;
}

function checkNode(tree: OptionTree, path: string, keyval: boolean): OptionTree {
  const driver = tree["driver"];
  if (driver === undefined) throw optionError(`Parameter '${path}driver' is missing`, "driver");
  if (typeof driver !== "string") throw typeError(`${path}driver`, "string");
  const rows = Object.hasOwn(DRIVER_OPTIONS, driver) ? DRIVER_OPTIONS[driver]! : undefined;
  if (rows === undefined) throw optionError(`Parameter 'driver' does not accept value '${driver}'`, "driver");
  const all = { ...COMMON_OPTIONS, ...rows };
  const result: Record<string, OptionValue> = {};
  for (const [name, row] of Object.entries(all)) {
    const value = Object.hasOwn(tree, name) ? tree[name] : undefined;
    if (value !== undefined) result[name] = checkValue(value, path + name, row, keyval);
    else if (row.required === true) throw optionError(`Parameter '${path}${name}' is missing`, name);
  }
  for (const name of Object.keys(tree)) {
    if (!Object.hasOwn(all, name)) throw optionError(`Parameter '${path}${name}' is unexpected`, name);
  }
  return result;
}

function checkValue(value: OptionValue, path: string, row: OptionRow, keyval: boolean): OptionValue {
  switch (row.type) {
    case "node":
      if (typeof value === "string" || (value === null && row.nullable === true)) return value;
      if (!isTree(value)) throw typeError(path, row.nullable === true ? "BlockdevRefOrNull" : "BlockdevRef");
      return checkNode(value, `${path}.`, keyval);
    case "nodes":
      if (!Array.isArray(value)) throw typeError(path, "array");
      return value.map((one, index) => checkListed(one, `${path}[${index}]`, keyval));
    case "tree":
      if (!isTree(value)) throw typeError(path, "object");
      if (path.endsWith("cache")) return checkCache(value, `${path}.`, keyval);
      return path.endsWith("encrypt") ? checkEncrypt(value, `${path}.`) : value;
    case "list":
      if (!Array.isArray(value)) throw typeError(path, "array");
      return value;
    case "enum":
      if (row.orTree === true && isTree(value)) return value;
      if (typeof value !== "string") throw typeError(path, "string");
      if (!row.values.includes(value)) {
        // QEMU names the option here, not the way to it.
        const name = path.slice(path.lastIndexOf(".") + 1);
        throw optionError(`Parameter '${name}' does not accept value '${value}'`, path);
      }
      return value;
    default:
      return keyval ? checkString(value, path, row.type) : checkTyped(value, path, row.type);
  }
}

function checkListed(value: OptionValue, path: string, keyval: boolean): OptionValue {
  if (typeof value === "string") return value;
  // Elements have no name in QEMU's messages.
  if (!isTree(value)) throw typeError("null", "BlockdevRef");
  return checkNode(value, keyval ? `${path.replace(/\[(\d+)\]$/, ".$1")}.` : `${path}.`, keyval);
}

function checkCache(cache: OptionTree, path: string, keyval: boolean): OptionTree {
  const result: Record<string, OptionValue> = {};
  for (const [name, value] of Object.entries(cache)) {
    const row = Object.hasOwn(CACHE_OPTIONS, name) ? CACHE_OPTIONS[name] : undefined;
    if (row === undefined) throw optionError(`Parameter '${path}${name}' is unexpected`, name);
    result[name] = checkValue(value!, path + name, row, keyval);
  }
  return result;
}

const ENCRYPT_FORMATS: readonly OptionValue[] = ["aes", "luks"];

function checkEncrypt(encrypt: OptionTree, path: string): OptionTree {
  const { format } = encrypt;
  if (format === undefined) throw optionError(`Parameter '${path}format' is missing`, `${path}format`);
  if (!ENCRYPT_FORMATS.includes(format)) {
    throw optionError(`Parameter 'format' does not accept value '${format}'`, `${path}format`);
  }
  for (const [name, value] of Object.entries(encrypt)) {
    if (name !== "format" && name !== "key-secret") {
      throw optionError(`Parameter '${path}${name}' is unexpected`, path + name);
    }
    if (typeof value !== "string") throw typeError(path + name, "string");
  }
  return encrypt;
}

function checkString(value: OptionValue, path: string, type: "str" | "bool" | "size" | "int"): OptionValue {
  if (typeof value !== "string") throw typeError(path, EXPECTED[type]);
  if (type === "str") return value;
  if (type === "bool") return parseBool(value, path);
  try {
    const number = parseInteger(value, path);
    if (number >= -BigInt(Number.MAX_SAFE_INTEGER) && number <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(number);
  } catch {
    // The visitor's message for all of them follows.
  }
  throw optionError(`Parameter '${path}' expects integer`, path);
}

const TYPES: Readonly<Record<string, string>> = { string: "string", boolean: "boolean" };
const EXPECTED = { str: "string", bool: "boolean", size: "integer", int: "integer" } as const;

function checkTyped(value: OptionValue, path: string, type: "str" | "bool" | "size" | "int"): OptionValue {
  const wanted = EXPECTED[type];
  const good = wanted === "integer" ? Number.isSafeInteger(value) : wanted === TYPES[typeof value];
  if (!good) throw typeError(path, wanted);
  return value;
}

function typeError(path: string, expected: string): BlockError {
  return optionError(`Invalid parameter type for '${path}', expected: ${expected}`, path);
}
