/**
 * JSON where QEMU reads it from a command line: its messages, its single quotes, and the order in which it prints keys.
 *
 * Source of the order: moa's ARCHITECTURE.md, "What people's scripts rely on".
 *
 * @module
 */
import { isTree, optionError, type OptionTree, type OptionValue } from "./tree.ts";

/** Reads one JSON value. @throws {BlockError} `option`: `JSON parse error, ...`. */
export function parseJson(text: string): OptionValue {
  if (text.trim() === "") throw optionError("Expecting a JSON value");
  checkDepth(text);
  try {
    return JSON.parse(singleToDouble(text)) as OptionValue;
  } catch {
    throw optionError(`JSON parse error, ${complaint(text)}`);
  }
}

/** As deep as QEMU reads. */
const MAX_NESTING = 1024;

function checkDepth(text: string): void {
  let depth = 0;
  for (const char of text) {
    if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    if (depth > MAX_NESTING) throw optionError("JSON parse error, JSON nesting depth limit exceeded");
  }
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

/** QEMU takes strings in single quotes too. */
function singleToDouble(text: string): string {
  if (!text.includes("'")) return text;
  return text.replace(
    /"(?:[^"\\]|\\.)*"|'((?:[^'\\]|\\.)*)'/g,
    (all, inner: string | undefined) => inner === undefined ? all : JSON.stringify(inner.replace(/\\'/g, "'")),
  );
}

function complaint(text: string): string {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, "");
  const word = /[A-Za-z_]+/g;
  for (const [keyword] of bare.matchAll(word)) {
    if (!["true", "false", "null"].includes(keyword)) return `invalid keyword '${keyword}'`;
  }
  const stray = /[^\s{}[\],:0-9.eE+\-A-Za-z_"']/.exec(bare);
  if (stray !== null) return `stray '${stray[0]}'`;
  return "premature EOI";
}

/** Where QEMU's hash table keeps a key. */
function bucket(key: string): number {
  const bytes = new TextEncoder().encode(key);
  let value = Math.imul(0x238F13AF, bytes.length) >>> 0;
  bytes.forEach((byte, index) => value = (value + (byte << (index * 5 % 24))) >>> 0);
  return ((Math.imul(1103515243, value) + 12345) >>> 0) % 512;
}

/** Keys in the order in which QEMU prints an object: by bucket, the newest first within one. */
export function qemuKeyOrder(keys: readonly string[]): string[] {
  return keys.map((key, index) => ({ key, index, place: bucket(key) }))
    .sort((a, b) => a.place - b.place || b.index - a.index)
    .map(({ key }) => key);
}

/** JSON as QEMU prints it on one line: `{"driver": "file", "filename": "a"}`. */
export function formatJson(value: OptionValue): string {
  if (Array.isArray(value)) return `[${value.map((one: OptionValue) => formatJson(one)).join(", ")}]`;
  if (!isTree(value)) return JSON.stringify(value);
  const keys = qemuKeyOrder(Object.keys(value).filter((key) => value[key] !== undefined));
  return `{${keys.map((key) => `${JSON.stringify(key)}: ${formatJson(value[key]!)}`).join(", ")}}`;
}
