/**
 * JSON values as QEMU knows them: integers of 64 bits are exact, and 1 and 1.0 are not the same.
 *
 * @module
 */

/** A number written with a point, an exponent, or too large for 64 bits. */
export class JsonDouble {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** An object; its keys are in the order in which they were written. */
export interface JsonObject {
  [name: string]: JsonValue;
}

/** A value: integers are `number` up to 2^53-1 and `bigint` above. */
export type JsonValue = null | boolean | number | bigint | string | JsonDouble | JsonValue[] | JsonObject;

/** Whether `value` is an object: no array, no double, not null. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof JsonDouble);
}

/** What a text is no JSON for, in QEMU's words: `JSON parse error, expecting value`. */
export class JsonError extends Error {
  override readonly name = "JsonError";
}
