import { assertEquals, assertThrows } from "@std/assert";
import { withMemoryLimit } from "./memory_limit.ts";
import type { CoreMemory } from "./module.ts";

/** A module that exports a memory as `m`; `limits` are flags, minimum and maximum. */
function moduleWith(limits: readonly number[]): Uint8Array<ArrayBuffer> {
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const custom = [0, 3, 1, 0x61, 9];
  return Uint8Array.from([...head, ...custom, 5, 1 + limits.length, 1, ...limits, 7, 5, 1, 1, 0x6d, 2, 0]);
}

Deno.test("a memory gets a limit, and one view of it lives through its growth", () => {
  const limited = withMemoryLimit(moduleWith([0, 0x80, 1]));
  assertEquals([...limited], [...moduleWith([1, 0x80, 1, 0x80, 0x80, 4])]);
  const { m } = new WebAssembly.Instance(new WebAssembly.Module(limited)).exports;
  const memory = m as CoreMemory;
  const buffer = memory.toResizableBuffer();
  const [whole, part] = [new Uint8Array(buffer), new Uint8Array(buffer, 512, 512)];
  part[0] = 7;
  memory.grow(3);
  assertEquals([whole.length, part.length, part[0], whole[512]], [(128 + 3) * 65536, 512, 7, 7]);
});

Deno.test("what has a limit, or no memory, stays as it is; what ends too early is refused", () => {
  const has = moduleWith([1, 1, 2]);
  assertEquals(withMemoryLimit(has), has);
  const none = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  assertEquals(withMemoryLimit(none), none);
  assertThrows(() => withMemoryLimit(Uint8Array.from([...none, 1, 0x80])), RangeError);
});
