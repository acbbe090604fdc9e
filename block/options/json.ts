/**
 * JSON as the text of options: on command lines, behind `json:`, and in the names that nodes print.
 *
 * @module
 */
import {
  isJsonObject,
  JsonDouble,
  JsonError,
  type JsonValue,
  JsonWriter,
  parseJson as parse,
} from "../../base/json/mod.ts";
import { isTree, optionError, type OptionTree, type OptionValue } from "./tree.ts";

/** Reads one JSON value. @throws {BlockError} `option`: `JSON parse error, ...`. */
export function parseJson(text: string): OptionValue {
  try {
    return optionValue(parse(text));
  } catch (error) {
    throw error instanceof JsonError ? optionError(error.message) : error;
  }
}

/** Options have plain numbers; what is too large for one is refused by whoever takes the option. */
export function optionValue(value: JsonValue): OptionValue {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof JsonDouble) return value.value;
  if (Array.isArray(value)) return value.map(optionValue);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, optionValue(one)]));
}

/** Reads the object behind `json:`. */
export function parseJsonName(filename: string): OptionTree {
  let value: OptionValue;
  try {
    value = parseJson(filename.slice("json:".length));
  } catch (error) {
    throw optionError(`Could not parse the JSON options: ${(error as Error).message}`);
  }
  if (!isTree(value)) throw optionError("Invalid JSON object given");
  return flattenDots(value);
}

/** `json:` objects may have dotted keys as well: `{"file.driver": "nbd"}`. */
function flattenDots(tree: OptionTree): OptionTree {
  const result: Record<string, OptionValue> = {};
  for (const [name, value] of Object.entries(tree)) {
    const inner = isTree(value) ? flattenDots(value) : value!;
    const path = name.split(".");
    let place = result;
    for (const part of path.slice(0, -1)) {
      const next: Record<string, OptionValue> = isTree(place[part])
        ? { ...place[part] as OptionTree } as Record<string, OptionValue>
        : {};
      place[part] = next;
      place = next;
    }
    place[path.at(-1)!] = inner;
  }
  return result;
}

const writer = new JsonWriter();

/** JSON as QEMU prints it on one line: `{"driver": "file", "filename": "a"}`. */
export function formatJson(value: OptionValue): string {
  return writer.format(defined(value) as JsonValue);
}

/** What is `undefined` is not printed. */
function defined(value: OptionValue): OptionValue {
  if (Array.isArray(value)) return value.map(defined);
  if (!isTree(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, one]) => one !== undefined).map(([n, one]) => [n, defined(one!)]),
  );
}

/** Keys in the order in which QEMU prints an object. */
export function qemuKeyOrder(keys: readonly string[]): string[] {
  return writer.order(keys);
}
