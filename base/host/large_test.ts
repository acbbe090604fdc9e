import { assert, assertEquals, assertThrows } from "@std/assert";
import "./preload.ts";
import { LargeMemory } from "./large.ts";
import { addressOf } from "./pointers.ts";

Deno.test("large memory: aligned parts that hold what is written to them, and no more than was asked for", () => {
  using memory = LargeMemory.map(3 * 1024 * 1024);
  const first = memory.take(1024 * 1024);
  const second = memory.take(2 * 1024 * 1024);
  assertEquals(addressOf(first) % (2 * 1024 * 1024), 0);
  assertEquals(addressOf(second), addressOf(first) + first.length);
  first.fill(1);
  second.fill(2);
  assert(first.every((byte) => byte === 1) && second.every((byte) => byte === 2));
  memory.take(1024 * 1024);
  assertThrows(() => memory.take(1), Error, "used up");
});
