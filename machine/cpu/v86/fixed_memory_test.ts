import { assertEquals, assertThrows } from "@std/assert";
import { minimumPages, WASM_PAGE_BYTES, withFixedMemory } from "./fixed_memory.ts";

/** A module that exports a memory as `m`; `limits` are flags, minimum and maximum. */
function moduleWith(limits: readonly number[]): Uint8Array<ArrayBuffer> {
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const custom = [0, 3, 1, 0x61, 9];
  return Uint8Array.from([...head, ...custom, 5, 1 + limits.length, 1, ...limits, 7, 5, 1, 1, 0x6d, 2, 0]);
}

Deno.test("a memory gets one size, and cannot grow", () => {
  const module = moduleWith([0, 0x80, 1]);
  assertEquals(minimumPages(module), 128);
  const fixed = withFixedMemory(module, 300);
  assertEquals([...fixed], [...moduleWith([1, 0xac, 2, 0xac, 2])]);
  const { m } = new WebAssembly.Instance(new WebAssembly.Module(fixed)).exports;
  const memory = m as WebAssembly.Memory;
  assertEquals(memory.buffer.byteLength, 300 * WASM_PAGE_BYTES);
  assertThrows(() => memory.grow(1), RangeError);
});

Deno.test("what has no memory that may grow, needs more, or ends too early, is refused", () => {
  assertThrows(() => withFixedMemory(moduleWith([1, 1, 2]), 5), RangeError, "no memory that may grow");
  assertThrows(() => withFixedMemory(moduleWith([0, 9]), 8), RangeError, "needs 9 pages of memory, not 8");
  const none = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  assertThrows(() => minimumPages(none), RangeError, "no memory that may grow");
  assertThrows(() => minimumPages(Uint8Array.from([...none, 1, 0x80])), RangeError, "ends within a number");
});
