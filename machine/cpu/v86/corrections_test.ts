import { assertEquals, assertThrows } from "@std/assert";
import { MachineError } from "../../errors.ts";
import { correct } from "./corrections.ts";

/** Of each correction what is found, and what takes its place. */
const BIG_PAGES = [0x20, 0x08, 0x41, 0x10, 0x71, 0x45, 0x0d, 0x00, 0x20, 0x07, 0x41, 0x80, 0x01, 0x71];
const BIG_PAGES_AFTER = BIG_PAGES.with(3, 0x30);
const GROWS = [0x20, 0x06, 0x41, 0x10, 0x76, 0x40, 0x00, 0x22, 0x04, 0x41, 0x7f, 0x46];
const GROWS_AFTER = GROWS.with(3, 0).with(5, 0x10).with(6, 10);

Deno.test("each correction changes the one place it is for, and refuses a module without it or with two", () => {
  const module = Uint8Array.from([0x20, 0x20, 0x08, ...BIG_PAGES, 0x20, ...GROWS, 7]);
  correct(module);
  assertEquals([...module], [0x20, 0x20, 0x08, ...BIG_PAGES_AFTER, 0x20, ...GROWS_AFTER, 7]);
  const others = [[], BIG_PAGES, GROWS, [...BIG_PAGES_AFTER, ...GROWS], [...BIG_PAGES, ...BIG_PAGES, ...GROWS]];
  for (const other of [...others, [...BIG_PAGES, ...GROWS, ...GROWS], [...BIG_PAGES, ...GROWS.slice(0, -1)]]) {
    assertThrows(() => correct(Uint8Array.from(other)), MachineError, "no place for a correction");
  }
});
