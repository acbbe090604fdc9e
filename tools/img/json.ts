/**
 * JSON as the tools print it: four blanks a level, keys in QEMU's own order.
 *
 * @module
 */
import { qdictOrder } from "../../monitor/format/mod.ts";

/** What can be printed; members that are `undefined` are left out. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };

/** The text, without a newline at its end. */
export function prettyJson(value: Json, depth = 0): string {
  const inner = "    ".repeat(depth + 1);
  const outer = "    ".repeat(depth);
  if (Array.isArray(value)) {
    const items = value.map((item: Json) => `${inner}${prettyJson(item, depth + 1)}`);
    return `[\n${items.join(",\n")}${items.length > 0 ? "\n" : ""}${outer}]`;
  }
  if (typeof value !== "object" || value === null) return scalar(value as string | number | boolean | null);
  const object = value as { readonly [name: string]: Json | undefined };
  const rows = qdictOrder(Object.keys(object).filter((key) => object[key] !== undefined))
    .map((key) => `${inner}${scalar(key)}: ${prettyJson(object[key]!, depth + 1)}`);
  return `{\n${rows.join(",\n")}${rows.length > 0 ? "\n" : ""}${outer}}`;
}

/** QEMU keeps its JSON to ASCII. */
function scalar(value: string | number | boolean | null): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`,
  );
}
