/**
 * Layouts of on-disk structures and register blocks: declared once, decoded and encoded with inferred types.
 *
 * A layout is an object of fields in order, with no padding but what is declared, and a size that is asserted when the
 * module loads. Left out: alignment rules of a compiler, variable-length fields, bit fields.
 *
 * ```ts
 * import { struct, u16, u32, u64 } from "./struct.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const Entry = struct("big", 16, { magic: u32, version: u16, flags: u16, offset: u64 });
 * const entry = new Uint8Array(16);
 * Entry.encode({ magic: 0x514649fb, version: 3, flags: 0, offset: 65536 }, entry);
 * assertEquals(Entry.decode(entry).offset, 65536);
 * assertEquals(Entry.offsetOf.offset, 8);
 * ```
 *
 * @module
 */
import { assert } from "./assert.ts";

/** The order of bytes in numbers. */
export type Endian = "big" | "little";

/** How one field lies in memory and what it is in TypeScript. */
export interface Field<Value> {
  readonly sizeBytes: number;
  read(view: DataView, at: number, littleEndian: boolean): Value;
  write(view: DataView, at: number, littleEndian: boolean, value: Value): void;
}

// deno-lint-ignore no-explicit-any -- Field is invariant; only `any` holds fields of every type
type Fields = Readonly<Record<string, Field<any>>>;

/** The object that a layout decodes into. */
export type Decoded<Layout> = Layout extends StructLayout<infer F>
  ? { -readonly [Name in keyof F]: F[Name] extends Field<infer Value> ? Value : never }
  : never;

/** A layout made by {@link struct}. */
export interface StructLayout<F extends Fields> {
  readonly sizeBytes: number;
  /** Where each field begins, in bytes. */
  readonly offsetOf: Readonly<Record<keyof F, number>>;
  /** The fields at `at`, where `sizeBytes` bytes have to be. Byte fields are copies. */
  decode(from: Uint8Array, at?: number): Decoded<StructLayout<F>>;
  /** Writes all fields at `at`. */
  encode(values: Decoded<StructLayout<F>>, into: Uint8Array, at?: number): void;
  /** All fields in bytes of their own. */
  toBytes(values: Decoded<StructLayout<F>>): Uint8Array<ArrayBuffer>;
  /** This layout as a field of a larger one. */
  asField(): Field<Decoded<StructLayout<F>>>;
}

/** A number from 0 to 255. */
export const u8: Field<number> = {
  sizeBytes: 1,
  read: (view, at) => view.getUint8(at),
  write: (view, at, _little, value) => view.setUint8(at, inRange(value, 0xff)),
};

/** A number from 0 to 2^16-1. */
export const u16: Field<number> = {
  sizeBytes: 2,
  read: (view, at, little) => view.getUint16(at, little),
  write: (view, at, little, value) => view.setUint16(at, inRange(value, 0xffff), little),
};

/** A number from 0 to 2^32-1. */
export const u32: Field<number> = {
  sizeBytes: 4,
  read: (view, at, little) => view.getUint32(at, little),
  write: (view, at, little, value) => view.setUint32(at, inRange(value, 0xffffffff), little),
};

/**
 * An offset or a length in 64 bits, as a `number`.
 *
 * Above 2^53-1 it decodes to the nearest number there is, which `Number.isSafeInteger` tells: input decides that, so it
 * is for the reader to refuse. Fields that are no offsets are {@link u64big}.
 */
export const u64: Field<number> = {
  sizeBytes: 8,
  read: (view, at, little) =>
    view.getUint32(little ? at + 4 : at, little) * 0x1_0000_0000 + view.getUint32(little ? at : at + 4, little),
  write: (view, at, little, value) => {
    assert(Number.isSafeInteger(value) && value >= 0, "a 64-bit field takes 0 to 2^53-1");
    view.setUint32(little ? at + 4 : at, Math.floor(value / 0x1_0000_0000), little);
    view.setUint32(little ? at : at + 4, value >>> 0, little);
  },
};

/** 64 bits that are no offset (feature bits, guest addresses), as a `bigint`. */
export const u64big: Field<bigint> = {
  sizeBytes: 8,
  read: (view, at, little) => view.getBigUint64(at, little),
  write: (view, at, little, value) => {
    assert(value >= 0n && value < 1n << 64n, "a 64-bit field takes 0 to 2^64-1");
    view.setBigUint64(at, value, little);
  },
};

/** `length` bytes; decoding copies them. */
export function bytes(length: number): Field<Uint8Array> {
  return {
    sizeBytes: length,
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, length).slice(),
    write: (view, at, _little, value) => {
      assert(value.length === length, `a field of ${length} bytes takes ${length} bytes`);
      new Uint8Array(view.buffer, view.byteOffset + at, length).set(value);
    },
  };
}

/**
 * UTF-8 text in `length` bytes, filled up with zero bytes; it ends at the first of them.
 *
 * @throws {AssertionFailure} on encoding, when it does not fit.
 */
export function string(length: number): Field<string> {
  return {
    sizeBytes: length,
    read: (view, at) => {
      const all = new Uint8Array(view.buffer, view.byteOffset + at, length);
      const end = all.indexOf(0);
      return new TextDecoder().decode(end < 0 ? all.slice() : all.slice(0, end));
    },
    write: (view, at, _little, value) => {
      const text = new TextEncoder().encode(value);
      assert(text.length <= length, `a text field of ${length} bytes takes no more`);
      const all = new Uint8Array(view.buffer, view.byteOffset + at, length);
      all.fill(0);
      all.set(text);
    },
  };
}

/** `count` times `field`, one after the other. */
export function array<Value>(field: Field<Value>, count: number): Field<Value[]> {
  return {
    sizeBytes: field.sizeBytes * count,
    read: (view, at, little) =>
      Array.from({ length: count }, (_, index) => field.read(view, at + index * field.sizeBytes, little)),
    write: (view, at, little, values) => {
      assert(values.length === count, `an array of ${count} takes ${count} values`);
      for (const [index, value] of values.entries()) field.write(view, at + index * field.sizeBytes, little, value);
    },
  };
}

/**
 * Declares a layout of `sizeBytes` bytes, which the fields must fill exactly.
 *
 * @throws {AssertionFailure} they do not.
 */
export function struct<const F extends Fields>(endian: Endian, sizeBytes: number, fields: F): StructLayout<F> {
  const little = endian === "little";
  const rows: { name: string; field: Field<unknown>; at: number }[] = [];
  let end = 0;
  for (const [name, field] of Object.entries(fields)) {
    rows.push({ name, field, at: end });
    end += field.sizeBytes;
  }
  assert(end === sizeBytes, `the fields take ${end} bytes, not ${sizeBytes}`);

  type Values = Decoded<StructLayout<F>>;
  const read = (view: DataView, at: number, order: boolean): Values => {
    const values: Record<string, unknown> = {};
    for (const row of rows) values[row.name] = row.field.read(view, at + row.at, order);
    return values as Values;
  };
  const write = (view: DataView, at: number, order: boolean, values: Values): void => {
    for (const row of rows) row.field.write(view, at + row.at, order, values[row.name as keyof Values]);
  };
  const viewOf = (all: Uint8Array, at: number): DataView => {
    assert(at >= 0 && at + sizeBytes <= all.length, `${sizeBytes} bytes at ${at} are not within ${all.length}`);
    return new DataView(all.buffer, all.byteOffset, all.byteLength);
  };
  return {
    sizeBytes,
    offsetOf: Object.fromEntries(rows.map(({ name, at }) => [name, at])) as Record<keyof F, number>,
    decode: (from, at = 0) => read(viewOf(from, at), at, little),
    encode: (values, into, at = 0) => write(viewOf(into, at), at, little, values),
    toBytes: (values) => {
      const all = new Uint8Array(sizeBytes);
      write(viewOf(all, 0), 0, little, values);
      return all;
    },
    asField: () => ({
      sizeBytes,
      read: (view, at) => read(view, at, little),
      write: (view, at, _order, values) => write(view, at, little, values),
    }),
  };
}

function inRange(value: number, max: number): number {
  assert(Number.isInteger(value) && value >= 0 && value <= max, `the field takes 0 to ${max}, not ${value}`);
  return value;
}
