import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { AssertionFailure } from "./assert.ts";
import { array, bytes, type Decoded, string, struct, u16, u32, u64, u64big, u8 } from "./struct.ts";

const FIELDS = { a: u8, b: u16, c: u32, d: u64, e: u64big, f: bytes(3), g: string(4), h: array(u16, 2) };
const Big = struct("big", 34, FIELDS);
const Little = struct("little", 34, FIELDS);

const VALUES: Decoded<typeof Big> = {
  a: 0x01,
  b: 0x0203,
  c: 0x04050607,
  d: 0x08090a0b0c0d,
  e: 0xfffefdfcfbfaf9f8n,
  f: new Uint8Array([7, 8, 9]),
  g: "ab",
  h: [0x1122, 0x3344],
};

Deno.test("fields lie where they are declared, in the order of bytes that was asked for", () => {
  assertEquals(
    Big.toBytes(VALUES).toHex(),
    "01" + "0203" + "04050607" + "000008090a0b0c0d" + "fffefdfcfbfaf9f8" + "070809" + "61620000" + "11223344",
  );
  assertEquals(
    Little.toBytes(VALUES).toHex(),
    "01" + "0302" + "07060504" + "0d0c0b0a09080000" + "f8f9fafbfcfdfeff" + "070809" + "61620000" + "22114433",
  );
  assertEquals(Big.offsetOf.g, 26);
});

Deno.test("decode gives back what encode wrote, at any offset", () => {
  const record = fc.record({
    a: fc.integer({ min: 0, max: 0xff }),
    b: fc.integer({ min: 0, max: 0xffff }),
    c: fc.integer({ min: 0, max: 0xffffffff }),
    d: fc.maxSafeNat(),
    e: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    f: fc.uint8Array({ minLength: 3, maxLength: 3 }),
    g: fc.stringMatching(/^[a-z]{0,4}$/),
    h: fc.tuple(fc.nat(0xffff), fc.nat(0xffff)),
  }, { noNullPrototype: true });
  fc.assert(fc.property(record, fc.nat(20), fc.constantFrom(Big, Little), (values, at, layout) => {
    const room = new Uint8Array(60).fill(0xee);
    layout.encode({ ...values, h: [...values.h] }, room.subarray(3), at);
    assertEquals(layout.decode(room, at + 3), values);
    assertEquals(room.subarray(0, at + 3).every((byte) => byte === 0xee), true);
    assertEquals(room.subarray(at + 37).every((byte) => byte === 0xee), true);
  }));
});

Deno.test("a layout can be a field; it keeps its own order of bytes", () => {
  const Inner = struct("little", 2, { x: u16 });
  const Outer = struct("big", 6, { n: u16, items: array(Inner.asField(), 2) });
  assertEquals(Outer.toBytes({ n: 1, items: [{ x: 2 }, { x: 3 }] }).toHex(), "000102000300");
});

Deno.test("sizes, values and bounds are asserted", () => {
  assertThrows(() => struct("big", 5, { a: u32 }), AssertionFailure, "the fields take 4 bytes, not 5");
  const Word = struct("big", 4, { a: u32 });
  assertThrows(() => Word.toBytes({ a: -1 }), AssertionFailure);
  assertThrows(() => Word.toBytes({ a: 2 ** 32 }), AssertionFailure);
  assertThrows(() => Word.decode(new Uint8Array(3)), AssertionFailure);
  assertThrows(() => struct("big", 2, { a: string(2) }).toBytes({ a: "abc" }), AssertionFailure);
  const Long = struct("big", 8, { a: u64 });
  assertThrows(() => Long.toBytes({ a: 2 ** 53 }), AssertionFailure);
  assertEquals(Number.isSafeInteger(Long.decode(new Uint8Array(8).fill(0xff)).a), false);
});
