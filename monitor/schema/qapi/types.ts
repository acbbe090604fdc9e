/**
 * Types of the protocol's values: declared once, checked at run time, known to TypeScript, told by `query-qmp-schema`.
 *
 * Names of types are QEMU's where a message shows them (`expected: BlockdevRef`) and otherwise free.
 *
 * Source: docs/devel/qapi-code-gen, "Schema overview".
 *
 * @module
 */
import type { JsonObject, JsonValue } from "../../../base/json/mod.ts";

/** Integers by their ranges; `size` is an unsigned one of 64 bits. */
export type IntegerName = "int" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" | "size";

/** A type whose values are `T` in TypeScript; `T` exists in the types only. */
export type Type<T = unknown> =
  & { readonly infer?: T }
  & (
    | { readonly kind: "str" | "bool" | "null" | "any" | "number" }
    | { readonly kind: IntegerName }
    | EnumShape
    | { readonly kind: "array"; readonly element: Type }
    | StructShape
    | UnionShape
    | AlternateShape
  );

/** A choice of words. */
export interface EnumShape {
  readonly kind: "enum";
  readonly values: readonly string[];
}

/** A member of an object. */
export interface Member<T = unknown> {
  readonly type: Type<T>;
  readonly optional: boolean;
  readonly features?: readonly string[];
  /** Of an answer; QEMU 7.2 has it not, and it is left out under QEMU's name: `qmp/newer.ts`. */
  readonly newer?: boolean;
}

/** Named members, in the order in which they are checked. */
export interface StructShape {
  readonly kind: "struct";
  readonly members: Readonly<Record<string, Member>>;
  readonly features?: readonly string[];
  /** Other members are handed on as they are: somebody else checks them. */
  readonly open?: boolean;
}

/** Members, and more of them by the value of one; a value without a branch of its own adds none. */
export interface UnionShape {
  readonly kind: "union";
  readonly base: StructShape;
  readonly discriminator: string;
  readonly branches: Readonly<Record<string, StructShape>>;
}

/** One of several types, told apart by what JSON they are. */
export interface AlternateShape {
  readonly kind: "alternate";
  readonly name: string;
  readonly choices: readonly Type[];
}

/** The TypeScript type of a declared type's values. */
export type Infer<T> = T extends { readonly infer?: infer Value } ? Exclude<Value, undefined> : never;

type Members = Readonly<Record<string, Type | Member>>;
type ValueOf<M> = M extends Member<infer Value> ? Value : Infer<M>;
type OptionalNames<M extends Members> = {
  [Name in keyof M]: M[Name] extends { readonly optional: true } ? Name : never;
}[keyof M];
/** The object that members make. */
export type StructOf<M extends Members> =
  & { readonly [Name in Exclude<keyof M, OptionalNames<M>>]: ValueOf<M[Name]> }
  & { readonly [Name in OptionalNames<M>]?: ValueOf<M[Name]> | undefined };

export const str: Type<string> = { kind: "str" };
export const bool: Type<boolean> = { kind: "bool" };
export const nothing: Type<null> = { kind: "null" };
/** Any value; numbers are exact. */
export const any: Type<JsonValue> = { kind: "any" };
export const number: Type<number> = { kind: "number" };
export const int: Type<number> = { kind: "int" };
export const int32: Type<number> = { kind: "int32" };
export const uint8: Type<number> = { kind: "uint8" };
export const uint16: Type<number> = { kind: "uint16" };
export const uint32: Type<number> = { kind: "uint32" };
export const uint64: Type<number> = { kind: "uint64" };
export const size: Type<number> = { kind: "size" };

/** A choice of words. */
export function oneOf<const V extends readonly string[]>(...values: V): Type<V[number]> & EnumShape {
  return { kind: "enum", values };
}

export function list<T>(element: Type<T>): Type<readonly T[]> {
  return { kind: "array", element };
}

/** A member that may be left out. */
export function optional<T>(type: Type<T>, features?: readonly string[]): Member<T> & { readonly optional: true } {
  return { type, optional: true, ...(features === undefined ? {} : { features }) };
}

/** A member of an answer that QEMU 7.2 has not. */
export function newer<T>(type: Type<T>): Member<T> & { readonly optional: true } {
  return { type, optional: true, newer: true };
}

/** A member that has features: `deprecated`, `unstable`. */
export function marked<T>(type: Type<T>, ...features: string[]): Member<T> & { readonly optional: false } {
  return { type, optional: false, features };
}

/** An object. */
export function struct<const M extends Members>(members: M): Type<StructOf<M>> & StructShape {
  const shaped: Record<string, Member> = {};
  for (const [name, member] of Object.entries(members)) {
    shaped[name] = "optional" in member ? member : { type: member, optional: false };
  }
  return { kind: "struct", members: shaped };
}

/** An object that somebody else checks. */
export const unchecked: Type<JsonObject> & StructShape = { kind: "struct", members: {}, open: true };

/** An object with the members of `base` before its own. */
export function extend<B, const M extends Members>(
  base: Type<B> & StructShape,
  members: M,
): Type<B & StructOf<M>> & StructShape {
  return { kind: "struct", members: { ...base.members, ...struct(members).members } };
}

type Branches = Readonly<Record<string, Type & StructShape>>;
type UnionOf<B, D extends string, R extends Branches> = B extends { readonly [Name in D]: infer Word }
  ? Word extends string ? B & { readonly [Name in D]: Word } & (Word extends keyof R ? Infer<R[Word]> : unknown) : never
  : never;

/** An object with more members by the word that `discriminator` holds. */
export function union<B, const D extends string, const R extends Branches>(
  base: Type<B> & StructShape,
  discriminator: D,
  branches: R,
): Type<UnionOf<B, D, R>> & UnionShape {
  return { kind: "union", base, discriminator, branches };
}

/** One of several types of JSON. */
export function alternate<const C extends readonly Type[]>(
  name: string,
  ...choices: C
): Type<Infer<C[number]>> & AlternateShape {
  return { kind: "alternate", name, choices };
}

/** An object that may hold others of its kind; `T` cannot be inferred. */
export function recursive<T>(make: (self: Type<T>) => Type & StructShape): Type<T> & StructShape {
  const self = { kind: "struct", members: {} } as Type<T> & StructShape;
  return Object.assign(self, make(self));
}

/** No members. */
export const empty: Type<Readonly<Record<never, never>>> & StructShape = struct({});
