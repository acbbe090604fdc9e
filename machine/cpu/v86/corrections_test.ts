import { assertEquals, assertThrows } from "@std/assert";
import { MachineError } from "../../errors.ts";
import { correct } from "./corrections.ts";

const BEFORE = [0x20, 0x08, 0x41, 0x10, 0x71, 0x45, 0x0d, 0x00, 0x20, 0x07, 0x41, 0x80, 0x01, 0x71];
const AFTER = BEFORE.with(3, 0x30);

Deno.test("a correction changes the one place it is for, and refuses a module without it or with two", () => {
  const module = Uint8Array.from([0x20, 0x20, 0x08, ...BEFORE, 0x20]);
  correct(module);
  assertEquals([...module], [0x20, 0x20, 0x08, ...AFTER, 0x20]);
  for (const other of [[], AFTER, [...BEFORE, ...BEFORE], BEFORE.slice(0, -1)]) {
    assertThrows(() => correct(Uint8Array.from(other)), MachineError, "no place for a correction");
  }
});
