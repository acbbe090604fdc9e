/**
 * JSON as the tools print it: four blanks a level, keys in QEMU's own order.
 *
 * @module
 */
import { type JsonValue, JsonWriter } from "../../base/json/mod.ts";

/** What can be printed; members that are `undefined` are left out. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };

/** The text, without a newline at its end. */
export function prettyJson(value: Json): string {
  return new JsonWriter().format(defined(value), true);
}

function defined(value: Json): JsonValue {
  if (Array.isArray(value)) return value.map((one: Json) => defined(one));
  if (typeof value !== "object" || value === null) return value as string | number | boolean | null;
  const members = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(members.map(([name, one]) => [name, defined(one!)]));
}
