import fc from "fast-check";
import { assertEquals } from "@std/assert";
import { DirtyBitmap } from "./bitmap.ts";

const SIZE = 3_000_000;
const GRANULARITY = 512;
const UNITS = Math.ceil(SIZE / GRANULARITY);

Deno.test("DirtyBitmap: equals a set of units", () => {
  const step = fc.record({ set: fc.boolean(), at: fc.nat(SIZE - 1), length: fc.nat(400_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), fc.nat(SIZE - 1), (steps, from) => {
      const bitmap = new DirtyBitmap({ sizeBytes: SIZE, granularityBytes: GRANULARITY });
      const model = new Uint8Array(UNITS);
      for (const { set, at, length: wanted } of steps) {
        const length = Math.min(wanted, SIZE - at);
        if (set) {
          bitmap.set(at, length);
          model.fill(1, Math.floor(at / GRANULARITY), Math.ceil((at + length) / GRANULARITY));
        } else {
          bitmap.clear(at, length);
          const end = at + length >= SIZE ? UNITS : Math.floor((at + length) / GRANULARITY);
          const start = Math.ceil(at / GRANULARITY);
          if (start < end) model.fill(0, start, end);
        }
      }
      assertEquals(bitmap.dirtyBytes, model.reduce((sum, unit) => sum + unit, 0) * GRANULARITY);
      const start = model.indexOf(1, Math.floor(from / GRANULARITY));
      const found = bitmap.nextDirty(from);
      if (start < 0) return assertEquals(found, undefined);
      const stop = model.indexOf(0, start);
      const at = Math.max(start * GRANULARITY, from);
      assertEquals(found, { at, length: Math.min(stop < 0 ? SIZE : stop * GRANULARITY, SIZE) - at });
    }),
    { numRuns: 150 },
  );
});

Deno.test("DirtyBitmap: runs are cut where asked, and shrinking forgets", () => {
  const bitmap = new DirtyBitmap({ sizeBytes: 1 << 20, granularityBytes: 65536 });
  bitmap.set(100, 300_000);
  assertEquals(bitmap.nextDirty(0, 1 << 20, 100_000), { at: 0, length: 100_000 });
  assertEquals(bitmap.nextDirty(70_000, 80_000), { at: 70_000, length: 10_000 });
  bitmap.resize(131_072);
  assertEquals(bitmap.dirtyBytes, 131_072);
  bitmap.resize(1 << 20);
  assertEquals(bitmap.dirtyBytes, 131_072);
  bitmap.clear();
  assertEquals(bitmap.nextDirty(), undefined);
});
