/**
 * A second of random talk to a machine's monitors with fixed seeds, and a machine that is broken on purpose.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { fuzzMonitors } from "./monitor_fuzz.ts";

Deno.test("fuzzing: whatever is typed and asked, it is answered", async () => {
  assertEquals(await fuzzMonitors({ runs: 20 }), []);
});

Deno.test("fuzzing sees a command that breaks", async () => {
  const [finding] = await fuzzMonitors({
    runs: 1,
    plant: ({ machine }) =>
      Object.defineProperty(machine, "runState", {
        get() {
          throw new TypeError("planted");
        },
      }),
  });
  assertMatch(finding?.problem ?? "", /planted/);
});
