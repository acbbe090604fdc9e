import { assertEquals, assertMatch } from "@std/assert";
import { fuzzChannels } from "./channel_fuzz.ts";

Deno.test("fuzzing: whatever comes over a character device's line, it is taken or given up", async () => {
  assertEquals(await fuzzChannels({ runs: 1500 }), []);
});

Deno.test("fuzzing sees a line that is given up and stays open, and one that breaks its reader", async () => {
  const [left] = await fuzzChannels({ runs: 1, accept: () => Promise.resolve(undefined) });
  assertMatch(left?.problem ?? "", /stays open/);
  const [broken] = await fuzzChannels({ runs: 1, accept: () => Promise.reject(new TypeError("planted")) });
  assertMatch(broken?.problem ?? "", /planted/);
});
