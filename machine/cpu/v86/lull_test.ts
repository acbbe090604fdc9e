import { assertEquals } from "@std/assert";
import { Lull } from "./lull.ts";

const TICK_NS = 4e6;
const LONG_NS = 50e6;

/** Rests `count` times after one slice each; the last answer. */
function rest(lull: Lull, count: number, exits = 0, isOneShot = true): number {
  let restNs = 0;
  for (let index = 0; index < count; index++) {
    lull.slice();
    restNs = lull.restNs(TICK_NS, exits, isOneShot);
  }
  return restNs;
}

Deno.test("a guest that has only ticked for a quarter of a second rests longer, until something happens", () => {
  const lull = new Lull();
  assertEquals([rest(lull, 63), rest(lull, 1), rest(lull, 10)], [TICK_NS, LONG_NS, LONG_NS]);
  // Longer rests stay as they are.
  assertEquals(lull.restNs(1e9, 0, true), 1e9);
  // It turned to a device.
  assertEquals([rest(lull, 1, 1), rest(lull, 63, 1), rest(lull, 1, 1)], [TICK_NS, TICK_NS, LONG_NS]);
  // A device turned to it.
  lull.end();
  assertEquals([rest(lull, 63, 1), rest(lull, 1, 1)], [TICK_NS, LONG_NS]);
  // It had something to compute.
  for (let slice = 0; slice < 4; slice++) lull.slice();
  assertEquals(lull.restNs(TICK_NS, 1, true), TICK_NS);
});

Deno.test("a periodic timer is never late", () => {
  assertEquals(rest(new Lull(), 1000, 0, false), TICK_NS);
});
