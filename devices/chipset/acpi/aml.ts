/**
 * AML, the code of ACPI's methods and the description of devices, built from TypeScript.
 *
 * Terms are typed by what they are: an {@link Expression} has a value, a {@link Statement} has an effect or declares an
 * object, a {@link Target} can be stored into. So a table that would not parse does not compile. Names are as in ASL.
 *
 * ```ts
 * import { and, device, eisaId, ifThen, method, name, named, returns } from "./aml.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const link = device("LNKA", [
 *   named("_HID", eisaId("PNP0C0F")),
 *   method("_STA", 0, [ifThen(and(name("PRQ0"), 0x80), [returns(9)]), returns(0xb)]),
 * ]);
 * assertEquals(link.bytes.subarray(0, 2), Uint8Array.of(0x5b, 0x82));
 * ```
 *
 * Left out: integers of 64 bits, arithmetic that nobody here needs, events, timers, external declarations.
 *
 * Source: [ACPI 6.5] 20.2.5 "Term Objects Encoding".
 *
 * @module
 */
import { concatBytes } from "../../../base/bytes.ts";
import { assert } from "../../../base/assert.ts";
import {
  eisaIdNumber,
  integerBytes,
  nameBytes,
  packaged,
  packageNumber,
  segmentBytes,
  stringBytes,
} from "./aml_encoding.ts";

/** Something with a value. */
export interface Expression {
  readonly kind: "expression" | "target";
  readonly bytes: Uint8Array;
}

/** Something that can be stored into: a name, an argument, a local variable. */
export interface Target extends Expression {
  readonly kind: "target";
}

/** Something with an effect, or a declaration. */
export interface Statement {
  readonly kind: "statement";
  readonly bytes: Uint8Array;
}

/** A value: an expression, or a number that stands for itself. */
export type Value = Expression | number;

/** What an operation region is in. */
export const RegionSpace = { SystemMemory: 0, SystemIo: 1, PciConfig: 2 } as const;

/** By how many bytes a field is accessed. */
export const FieldAccess = { Any: 0, Byte: 1, Word: 2, Dword: 3 } as const;

/** A field's name and its width, or bits that have none. */
export type FieldUnit = readonly [name: string, bits: number] | { readonly skipBits: number };

const OP = {
  name: 0x08,
  scope: 0x10,
  buffer: 0x11,
  package: 0x12,
  method: 0x14,
  local0: 0x60,
  arg0: 0x68,
  store: 0x70,
  and: 0x7b,
  or: 0x7d,
  shiftLeft: 0x79,
  notify: 0x86,
  createDwordField: 0x8a,
  less: 0x95,
  if: 0xa0,
  else: 0xa1,
  return: 0xa4,
  extended: 0x5b,
} as const;

const EXTENDED = {
  mutex: 0x01,
  acquire: 0x23,
  release: 0x27,
  region: 0x80,
  field: 0x81,
  device: 0x82,
  processor: 0x83,
};
const NO_TARGET = Uint8Array.of(0x00);
const MAX_ARGUMENTS = 7;
const MAX_LOCALS = 8;

function opcode(...bytes: number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

function expression(...parts: Uint8Array[]): Expression {
  return { kind: "expression", bytes: concatBytes(parts) };
}

function statement(...parts: Uint8Array[]): Statement {
  return { kind: "statement", bytes: concatBytes(parts) };
}

function target(bytes: Uint8Array): Target {
  return { kind: "target", bytes };
}

function valueBytes(value: Value): Uint8Array {
  return typeof value === "number" ? integerBytes(value) : value.bytes;
}

function block(statements: readonly Statement[]): Uint8Array {
  return concatBytes(statements.map(({ bytes }) => bytes));
}

/** A reference to an object by path. */
export function name(path: string): Target {
  return target(nameBytes(path));
}

/** A method's argument, 0 to 6. */
export function arg(index: number): Target {
  assert(index >= 0 && index < MAX_ARGUMENTS, `no argument ${index}`);
  return target(opcode(OP.arg0 + index));
}

/** A method's local variable, 0 to 7. */
export function local(index: number): Target {
  assert(index >= 0 && index < MAX_LOCALS, `no local variable ${index}`);
  return target(opcode(OP.local0 + index));
}

/** A text. */
export function text(content: string): Expression {
  return expression(stringBytes(content));
}

/** A compressed EISA id, `"PNP0A03"`. */
export function eisaId(id: string): Expression {
  return expression(integerBytes(eisaIdNumber(id)));
}

/** A list of values. */
export function packageOf(elements: readonly Value[]): Expression {
  assert(elements.length <= 0xff, "a package has 255 elements at most");
  const content = concatBytes([opcode(elements.length), ...elements.map(valueBytes)]);
  return expression(opcode(OP.package), packaged(content));
}

/** Bytes; resource templates are such. */
export function buffer(content: Uint8Array): Expression {
  return expression(opcode(OP.buffer), packaged(concatBytes([integerBytes(content.length), content])));
}

function binary(code: number, left: Value, right: Value): Expression {
  return expression(opcode(code), valueBytes(left), valueBytes(right), NO_TARGET);
}

/** Bits of both. */
export function and(left: Value, right: Value): Expression {
  return binary(OP.and, left, right);
}

/** `value` moved up by `bits`. */
export function shiftLeft(value: Value, bits: Value): Expression {
  return binary(OP.shiftLeft, value, bits);
}

/** Whether `left` is below `right`. */
export function less(left: Value, right: Value): Expression {
  return expression(opcode(OP.less), valueBytes(left), valueBytes(right));
}

/** The result of a method. */
export function call(path: string, ...parameters: Value[]): Expression {
  return expression(nameBytes(path), ...parameters.map(valueBytes));
}

/** A method called for its effect. */
export function run(path: string, ...parameters: Value[]): Statement {
  return statement(call(path, ...parameters).bytes);
}

/** Stores `value` into `where`. */
export function store(value: Value, where: Target): Statement {
  return statement(opcode(OP.store), valueBytes(value), where.bytes);
}

/** Sets bits where they are: `where |= bits`. */
export function setBits(where: Target, bits: Value): Statement {
  return statement(opcode(OP.or), where.bytes, valueBytes(bits), where.bytes);
}

/** Leaves the method. */
export function returns(value: Value): Statement {
  return statement(opcode(OP.return), valueBytes(value));
}

/** Runs `then` where `condition` is not zero, else `otherwise`. */
export function ifThen(
  condition: Value,
  then: readonly Statement[],
  otherwise?: readonly Statement[],
): Statement {
  const first = [opcode(OP.if), packaged(concatBytes([valueBytes(condition), block(then)]))];
  return statement(...first, ...otherwise === undefined ? [] : [opcode(OP.else), packaged(block(otherwise))]);
}

/** Tells the operating system of something about a device. */
export function notify(device: Target, code: Value): Statement {
  return statement(opcode(OP.notify), device.bytes, valueBytes(code));
}

/** Waits for a mutex, without an end. */
export function acquire(mutexName: Target): Statement {
  return statement(opcode(OP.extended, EXTENDED.acquire), mutexName.bytes, opcode(0xff, 0xff));
}

/** Lets go of a mutex. */
export function release(mutexName: Target): Statement {
  return statement(opcode(OP.extended, EXTENDED.release), mutexName.bytes);
}

/** Names four bytes of a buffer, from `at` on. */
export function createDwordField(source: Value, at: number, fieldName: string): Statement {
  return statement(opcode(OP.createDwordField), valueBytes(source), integerBytes(at), nameBytes(fieldName));
}

/** Declares an object with a value. */
export function named(path: string, value: Value): Statement {
  return statement(opcode(OP.name), nameBytes(path), valueBytes(value));
}

/** Opens a scope that exists already. */
export function scope(path: string, statements: readonly Statement[]): Statement {
  return statement(opcode(OP.scope), packaged(concatBytes([nameBytes(path), block(statements)])));
}

/** Declares a device. */
export function device(path: string, statements: readonly Statement[]): Statement {
  return statement(opcode(OP.extended, EXTENDED.device), packaged(concatBytes([nameBytes(path), block(statements)])));
}

/** Declares a CPU without a register block, as ACPI before 6.0 does. */
export function processor(path: string, id: number): Statement {
  const content = concatBytes([nameBytes(path), opcode(id, 0, 0, 0, 0, 0)]);
  return statement(opcode(OP.extended, EXTENDED.processor), packaged(content));
}

/** Declares a method; a serialized one is run by one caller at a time. */
export function method(
  path: string,
  argumentCount: number,
  statements: readonly Statement[],
  { serialized = false }: { serialized?: boolean } = {},
): Statement {
  const flags = argumentCount | (serialized ? 8 : 0);
  return statement(opcode(OP.method), packaged(concatBytes([nameBytes(path), opcode(flags), block(statements)])));
}

/** Declares a mutex. */
export function mutex(path: string): Statement {
  return statement(opcode(OP.extended, EXTENDED.mutex), nameBytes(path), opcode(0));
}

/** Declares a region of ports, memory or configuration space. */
export function operationRegion(
  path: string,
  space: typeof RegionSpace[keyof typeof RegionSpace],
  at: number,
  lengthBytes: number,
): Statement {
  const place = [integerBytes(at), integerBytes(lengthBytes)];
  return statement(opcode(OP.extended, EXTENDED.region), nameBytes(path), opcode(space), ...place);
}

/** Names the bits of a region in order; what a write does not name is written as ones or zeroes, or preserved. */
export function field(
  region: string,
  access: typeof FieldAccess[keyof typeof FieldAccess],
  update: "preserve" | "zeroes",
  units: readonly FieldUnit[],
): Statement {
  const flags = access | (update === "zeroes" ? 2 << 5 : 0);
  const unitBytes = units.map((unit) =>
    "skipBits" in unit
      ? concatBytes([opcode(0), packageNumber(unit.skipBits)])
      : concatBytes([segmentBytes(unit[0]), packageNumber(unit[1])])
  );
  const content = concatBytes([nameBytes(region), opcode(flags), ...unitBytes]);
  return statement(opcode(OP.extended, EXTENDED.field), packaged(content));
}
