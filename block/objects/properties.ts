/**
 * Properties of objects, checked by their types as QEMU's input visitor does.
 *
 * @module
 */
import { isInteger, parseBool, parseInteger } from "../../base/keyval.ts";
import { isTree, optionError, type OptionTree, type OptionValue } from "../options/tree.ts";
import type { ObjectType, PropertyRow, PropertyValue } from "./types.ts";

/** What `options` say of an object of `type`. @throws {BlockError} for wrong values and unknown names */
export function checkProperties(
  type: ObjectType,
  options: OptionTree,
  strict: boolean,
): Readonly<Record<string, PropertyValue>> {
  const found: Record<string, PropertyValue> = {};
  for (const [name, row] of Object.entries(type.properties)) {
    const value = Object.hasOwn(options, name) ? options[name] : undefined;
    if (value !== undefined) found[name] = checkProperty(row, name, value, strict);
  }
  for (const name of Object.keys(options)) {
    if (name === "qom-type" || name === "id" || Object.hasOwn(type.properties, name)) continue;
    throw optionError(`Parameter '${name}' is unexpected`, name);
  }
  return found;
}

/** One value; `strict`: a number is no string. */
export function checkProperty(row: PropertyRow, name: string, value: OptionValue, strict: boolean): PropertyValue {
  if (row.type === "int") return integerOf(value, name, strict);
  if (row.type === "bool") {
    if (typeof value !== "boolean") throw wrongType(name, "boolean");
    return value;
  }
  if (row.members !== undefined) return numbersOf(row.members, name, value, strict);
  const text = stringOf(value, name)!;
  if (row.values !== undefined && !row.values.includes(text)) {
    throw optionError(`Parameter '${name}' does not accept value '${text}'`, name);
  }
  return text;
}

/** What a user has typed for a property, by its type. @throws {BlockError} where it is none of it */
export function valueOfText(row: PropertyRow, name: string, text: string): OptionValue {
  if (row.type === "bool") return parseBool(text, name);
  if (row.type !== "int") return text;
  if (!isInteger(text)) throw optionError(`Parameter '${name}' expects int64`, name);
  return Number(parseInteger(text, name));
}

/** A string, or nothing. */
export function stringOf(value: unknown, name: string): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw wrongType(name, "string");
}

function integerOf(value: OptionValue, name: string, strict: boolean): number {
  if (typeof value === "string" && !strict) return Number(parseInteger(value, name));
  if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType(name, "integer");
  return value;
}

function numbersOf(
  members: readonly string[],
  name: string,
  value: OptionValue,
  strict: boolean,
): Readonly<Record<string, number>> {
  if (!isTree(value)) throw wrongType(name, "object");
  const numbers: Record<string, number> = {};
  for (const member of members) {
    const one = Object.hasOwn(value, member) ? value[member] : undefined;
    if (one !== undefined) numbers[member] = integerOf(one, `${name}.${member}`, strict);
  }
  for (const member of Object.keys(value)) {
    if (!members.includes(member)) throw optionError(`Parameter '${name}.${member}' is unexpected`, name);
  }
  return numbers;
}

function wrongType(name: string, expected: string) {
  return optionError(`Invalid parameter type for '${name}', expected: ${expected}`, name);
}
