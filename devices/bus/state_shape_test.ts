import { assertEquals } from "@std/assert";
import { describeDifference } from "./state_shape.ts";

const KNOWN = {
  count: 1,
  held: null,
  list: [1],
  parts: [{ at: 0 }],
  work: [],
  none: undefined,
  bytes: new Uint8Array(2),
};
const OCCASIONAL = { work: [{ id: 1 }, null], held: { id: 1 } };

Deno.test("a saved state has the parts of a known one, and those that come and go in their form", () => {
  const rows: [saved: Record<string, unknown>, difference: string | undefined][] = [
    [{}, undefined],
    [{ list: [], parts: [], none: 3 }, undefined],
    [{ held: { id: 2 }, work: [null, { id: 3 }] }, undefined],
    [{ count: null }, undefined],
    [{ count: "1" }, "state.count is string, not number"],
    [{ count: NaN }, "state.count is NaN"],
    [{ list: [1, Infinity] }, "state.list[1] is Infinity"],
    [{ list: null }, "state.list is missing"],
    [{ parts: undefined }, "state.parts is missing"],
    [{ parts: [null] }, "state.parts[0] is missing"],
    [{ parts: [{ at: 1 }, {}] }, "state.parts[1].at is missing"],
    [{ bytes: null }, "state.bytes is missing"],
    [{ bytes: new Uint8Array(3) }, "state.bytes has 3 bytes, not 2"],
    [{ held: {} }, "state.held.id is missing"],
    [{ held: 1 }, "state.held is number, not object"],
    [{ work: null }, "state.work is missing"],
    [{ work: [1] }, "state.work[0] is number, not object"],
    [{ none: {} }, "state.none is unknown"],
  ];
  for (const [saved, difference] of rows) {
    assertEquals(describeDifference(KNOWN, { ...KNOWN, ...saved }, OCCASIONAL), difference);
  }
  const { list: _, ...incomplete } = KNOWN;
  assertEquals(describeDifference(KNOWN, incomplete), "state.list is missing");
});
