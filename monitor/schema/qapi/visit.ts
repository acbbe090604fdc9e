/**
 * Checks JSON against a type, in QEMU's order and words.
 *
 * @module
 */
import { isJsonObject, JsonDouble, type JsonObject, type JsonValue } from "../../../base/json/mod.ts";
import { MonitorError } from "../../errors.ts";
import type { AlternateShape, Infer, IntegerName, StructShape, Type, UnionShape } from "./types.ts";

/**
 * The value that `json` is, as `type` has it.
 *
 * @throws {MonitorError} `Parameter 'x' is missing`, `Invalid parameter type for 'x', expected: integer`, ...
 */
export function visit<T extends Type>(type: T, json: JsonValue): Infer<T> {
  return value(type, json, { path: "", name: "null" }) as Infer<T>;
}

/** Where a value is: all of the way to it, and the member's own name, `null` for an element of a list. */
interface Place {
  readonly path: string;
  readonly name: string;
}

function value(type: Type, json: JsonValue, place: Place): unknown {
  switch (type.kind) {
    case "str":
      return typeof json === "string" ? json : wrongType(place.path, "string");
    case "bool":
      return typeof json === "boolean" ? json : wrongType(place.path, "boolean");
    case "null":
      return json === null ? json : wrongType(place.path, "null");
    case "any":
      return json;
    case "number":
      if (json instanceof JsonDouble) return json.value;
      return typeof json === "number" || typeof json === "bigint" ? Number(json) : wrongType(place.path, "number");
    case "enum":
      if (typeof json !== "string") wrongType(place.path, "string");
      if (!type.values.includes(json)) refuse(`Parameter '${place.name}' does not accept value '${json}'`);
      return json;
    case "array":
      if (!Array.isArray(json)) wrongType(place.path, "array");
      return json.map((one, index) => value(type.element, one, { path: `${place.path}[${index}]`, name: "null" }));
    case "struct": {
      const object = objectAt(json, place);
      if (type.open === true) return object;
      const result = members(type, object, place);
      refuseOthers(object, result, place);
      return result;
    }
    case "union":
      return unionAt(type, objectAt(json, place), place);
    case "alternate":
      return alternateAt(type, json, place);
    default:
      return integer(type.kind, json, place);
  }
}

function objectAt(json: JsonValue, place: Place): JsonObject {
  return isJsonObject(json) ? json : wrongType(place.path, "object");
}

function members(type: StructShape, object: JsonObject, place: Place): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(type.members)) {
    const path = inside(place, name);
    if (Object.hasOwn(object, name)) result[name] = value(member.type, object[name]!, { path, name });
    else if (!member.optional) refuse(`Parameter '${path}' is missing`);
  }
  return result;
}

function refuseOthers(object: JsonObject, known: Readonly<Record<string, unknown>>, place: Place): void {
  for (const name of Object.keys(object)) {
    if (!Object.hasOwn(known, name)) refuse(`Parameter '${inside(place, name)}' is unexpected`);
  }
}

function unionAt(type: UnionShape, object: JsonObject, place: Place): unknown {
  const result = members(type.base, object, place);
  const branch = type.branches[String(result[type.discriminator])];
  if (branch !== undefined) Object.assign(result, members(branch, object, place));
  refuseOthers(object, result, place);
  return result;
}

function alternateAt(type: AlternateShape, json: JsonValue, place: Place): unknown {
  const choice = type.choices.find(({ kind }) => {
    switch (kind) {
      case "str":
      case "enum":
        return typeof json === "string";
      case "bool":
        return typeof json === "boolean";
      case "null":
        return json === null;
      case "array":
        return Array.isArray(json);
      case "struct":
      case "union":
        return isJsonObject(json);
      case "any":
      case "alternate":
        return false;
      default:
        return typeof json === "number" || typeof json === "bigint";
    }
  });
  // QEMU names the member, not the way to it.
  return choice === undefined ? wrongType(place.name, type.name) : value(choice, json, place);
}

const RANGES: Readonly<Record<IntegerName, readonly [least: bigint, most: bigint]>> = {
  int: [-(2n ** 63n), 2n ** 63n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  // Negative numbers wrap around, as they always did.
  uint64: [-(2n ** 63n), 2n ** 64n - 1n],
  size: [-(2n ** 63n), 2n ** 64n - 1n],
};

function integer(kind: IntegerName, json: JsonValue, place: Place): number {
  const isUint64 = kind === "uint64" || kind === "size";
  if (typeof json !== "number" && typeof json !== "bigint") {
    return isUint64 ? refuse(`Parameter '${place.path}' expects uint64`) : wrongType(place.path, "integer");
  }
  const exact = BigInt(json);
  const [least, most] = RANGES[kind];
  if (exact >= least && exact <= most) return Number(isUint64 && exact < 0n ? exact + 2n ** 64n : exact);
  if (exact > RANGES.int[1]) wrongType(place.path, "integer");
  return refuse(`Parameter '${place.path}' expects ${kind}_t`);
}

function inside(place: Place, name: string): string {
  return place.path === "" ? name : `${place.path}.${name}`;
}

function wrongType(path: string, expected: string): never {
  return refuse(`Invalid parameter type for '${path === "" ? "null" : path}', expected: ${expected}`);
}

function refuse(text: string): never {
  throw new MonitorError(text);
}
