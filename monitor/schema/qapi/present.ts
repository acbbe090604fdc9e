/**
 * What a command answered as JSON: members in the order of their declaration, what is `undefined` left out.
 *
 * @module
 */
import { JsonDouble, type JsonObject, type JsonValue } from "../../../base/json/mod.ts";
import type { StructShape, Type } from "./types.ts";

/** `value`, which is of `type`, as JSON. */
export function present(type: Type, value: unknown): JsonValue {
  switch (type.kind) {
    case "number":
      return new JsonDouble(value as number);
    case "array":
      return (value as readonly unknown[]).map((one) => present(type.element, one));
    case "struct":
      return members(type, value as Readonly<Record<string, unknown>>, {});
    case "union": {
      const object = value as Readonly<Record<string, unknown>>;
      const result = members(type.base, object, {});
      const branch = type.branches[String(object[type.discriminator])];
      return branch === undefined ? result : members(branch, object, result);
    }
    case "alternate": {
      const shaped = type.choices.find(({ kind }) => kind === "struct" || kind === "union");
      return typeof value === "object" && value !== null && shaped !== undefined
        ? present(shaped, value)
        : value as JsonValue;
    }
    default:
      return value as JsonValue;
  }
}

function members(type: StructShape, object: Readonly<Record<string, unknown>>, into: JsonObject): JsonObject {
  for (const [name, member] of Object.entries(type.members)) {
    if (object[name] !== undefined) into[name] = present(member.type, object[name]);
  }
  return into;
}
