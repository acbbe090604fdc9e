/** Dirty bitmaps against a byte array with one byte a unit. */
import fc from "fast-check";
import { assertEquals } from "@std/assert";
import { TiB } from "../base/units.ts";
import { BitmapBits } from "./bitmap_bits.ts";
import { DirtyBitmap } from "./bitmap.ts";

/** Over three chunks of bits, the last one not full. */
const SIZE = 100_000 * 512 + 100;
const GRANULARITY = 512;
const UNITS = Math.ceil(SIZE / GRANULARITY);

type Step =
  | { readonly kind: "set" | "clear"; readonly at: number; readonly length: number }
  | { readonly kind: "store" };

const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: range("set") },
    { weight: 3, arbitrary: range("clear") },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: "store" }) },
  ),
  { maxLength: 20 },
);

function range(kind: "set" | "clear"): fc.Arbitrary<Step> {
  const length = fc.oneof(fc.nat(4000), fc.nat(SIZE), fc.constant(SIZE));
  return fc.record({ kind: fc.constant(kind), at: fc.oneof(fc.nat(SIZE - 1), fc.constant(0)), length });
}

function apply(bitmap: DirtyBitmap, model: Uint8Array, step: Step): void {
  if (step.kind === "store") return storeAndLoad(bitmap);
  const { kind, at } = step;
  const length = Math.min(step.length, SIZE - at);
  if (kind === "set") {
    bitmap.set(at, length);
    model.fill(1, Math.floor(at / GRANULARITY), Math.ceil((at + length) / GRANULARITY));
  } else {
    bitmap.clear(at, length);
    const end = at + length >= SIZE ? UNITS : Math.floor((at + length) / GRANULARITY);
    const start = Math.ceil(at / GRANULARITY);
    if (start < end) model.fill(0, start, end);
  }
}

/** All bits out and in again, in odd pieces. */
function storeAndLoad({ bits }: DirtyBitmap): void {
  const bytes = new Uint8Array(bits.byteLength + 9).fill(0xff);
  for (let at = 0; at < bytes.length; at += 1000) bits.read(at, bytes.subarray(at, at + 1000));
  bits.change(0, Infinity, false);
  assertEquals(bits.count, 0);
  for (let at = 0; at < bytes.length; at += 777) bits.write(at, bytes.subarray(at, at + 777));
}

function unitsOf(bitmap: DirtyBitmap): Uint8Array {
  const units = new Uint8Array(UNITS);
  for (let run = bitmap.nextDirty(); run !== undefined; run = bitmap.nextDirty(run.at + run.length)) {
    units.fill(1, Math.floor(run.at / GRANULARITY), Math.ceil((run.at + run.length) / GRANULARITY));
  }
  return units;
}

Deno.test("DirtyBitmap: equals a set of units", () => {
  fc.assert(
    fc.property(steps, fc.nat(SIZE - 1), fc.boolean(), (list, from, dirty) => {
      const bitmap = new DirtyBitmap({ sizeBytes: SIZE, granularityBytes: GRANULARITY });
      const model = new Uint8Array(UNITS);
      for (const step of list) apply(bitmap, model, step);
      assertEquals(bitmap.dirtyBytes, model.reduce((sum, unit) => sum + unit, 0) * GRANULARITY);
      assertEquals(unitsOf(bitmap), model);
      assertEquals(bitmap.has(from), model[Math.floor(from / GRANULARITY)] === 1);
      const start = model.indexOf(dirty ? 1 : 0, Math.floor(from / GRANULARITY));
      const found = dirty ? bitmap.nextDirty(from) : bitmap.nextZero(from);
      if (start < 0) return assertEquals(found, undefined);
      const stop = model.indexOf(dirty ? 0 : 1, start);
      const at = Math.max(start * GRANULARITY, from);
      assertEquals(found, { at, length: Math.min(stop < 0 ? SIZE : stop * GRANULARITY, SIZE) - at });
    }),
    { numRuns: 100 },
  );
});

Deno.test("DirtyBitmap: a merge marks what either has, whatever the units", () => {
  const granularity = fc.constantFrom(512, 4096, 1 << 20);
  fc.assert(
    fc.property(steps, steps, granularity, (first, second, granularityBytes) => {
      const model = new Uint8Array(UNITS);
      const bitmap = new DirtyBitmap({ sizeBytes: SIZE, granularityBytes: GRANULARITY });
      for (const step of first) apply(bitmap, model, step);
      const other = new DirtyBitmap({ sizeBytes: SIZE, granularityBytes });
      for (const step of second) if (step.kind === "set") other.set(step.at, Math.min(step.length, SIZE - step.at));
      for (let unit = 0; unit < UNITS; unit++) if (other.has(unit * GRANULARITY)) model[unit] = 1;
      bitmap.merge(other);
      assertEquals(unitsOf(bitmap), model);
      assertEquals(bitmap.bits.count, model.reduce((sum, unit) => sum + unit, 0));
      // The other way: a coarse unit is dirty where any of its fine ones is.
      other.merge(bitmap);
      for (let at = 0; at < SIZE; at += granularityBytes) {
        const fine = model.subarray(at / GRANULARITY, (at + granularityBytes) / GRANULARITY);
        assertEquals(other.has(at), fine.includes(1));
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("DirtyBitmap: runs are cut where asked, and shrinking forgets", () => {
  const bitmap = new DirtyBitmap({ sizeBytes: 1 << 20, granularityBytes: 65536 });
  bitmap.set(100, 300_000);
  assertEquals(bitmap.nextDirty(0, 1 << 20, 100_000), { at: 0, length: 100_000 });
  assertEquals(bitmap.nextDirty(70_000, 80_000), { at: 70_000, length: 10_000 });
  assertEquals(bitmap.nextZero(0, 1 << 20, 1000), { at: 327_680, length: 1000 });
  bitmap.resize(131_072);
  assertEquals(bitmap.dirtyBytes, 131_072);
  assertEquals(bitmap.nextZero(), undefined);
  bitmap.resize(1 << 20);
  assertEquals(bitmap.dirtyBytes, 131_072);
  bitmap.clear();
  assertEquals(bitmap.nextDirty(), undefined);
});

Deno.test("DirtyBitmap: a short bitmap that grows keeps what it has", () => {
  const bitmap = new DirtyBitmap({ sizeBytes: 100 * 512, granularityBytes: 512 });
  bitmap.set(3 * 512, 512);
  bitmap.set(99 * 512, 512);
  for (const units of [130, 5000, 40_000, 3_000_000, 120]) {
    bitmap.resize(units * 512);
    assertEquals(bitmap.nextDirty(), { at: 3 * 512, length: 512 });
    assertEquals(bitmap.nextDirty(4 * 512), { at: 99 * 512, length: 512 });
    assertEquals(bitmap.nextDirty(100 * 512), undefined);
    bitmap.set((units - 1) * 512, 512);
    assertEquals([bitmap.bits.count, bitmap.has((units - 1) * 512)], [3, true]);
    bitmap.clear((units - 1) * 512, 512);
  }
});

Deno.test("DirtyBitmap: bits behind the end do not count, whatever the bytes say", () => {
  const bitmap = new DirtyBitmap({ sizeBytes: 11 * 512, granularityBytes: 512 });
  bitmap.bits.write(0, Uint8Array.of(0x80, 0xff));
  assertEquals(bitmap.nextDirty(), { at: 7 * 512, length: 4 * 512 });
  assertEquals(bitmap.dirtyBytes, 4 * 512);
  bitmap.resize(20 * 512);
  assertEquals(bitmap.dirtyBytes, 4 * 512);
});

Deno.test("BitmapBits: the longest row costs little while it is clean or dirty all over", () => {
  // 2^44 bits: written out they would take 2 TiB.
  const bits = new BitmapBits(8192 * TiB / 512);
  bits.change(2 ** 43 + 5, 2 ** 43 + 7, true);
  assertEquals(bits.next(0, true), 2 ** 43 + 5);
  assertEquals(bits.next(2 ** 43 + 5, false), 2 ** 43 + 7);
  bits.change(0, bits.length, true);
  assertEquals([bits.count, bits.next(0, false)], [bits.length, bits.length]);
  bits.change(77, 78, false);
  assertEquals([bits.count, bits.next(0, false)], [bits.length - 1, 77]);
});
