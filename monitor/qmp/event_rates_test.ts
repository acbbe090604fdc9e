import { assertEquals } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { EventRates } from "./event_rates.ts";

Deno.test("the first event at once, then the last of each second; each node by itself", () => {
  const clock = new ManualClock();
  const sent: unknown[] = [];
  const rates = new EventRates(clock, ({ n }) => void sent.push(n));
  const bad = (node: string, n: number) => rates.emit("QUORUM_REPORT_BAD", { "node-name": node }, { n });
  bad("a", 1);
  bad("a", 2);
  bad("b", 3);
  bad("a", 4);
  rates.emit("STOP", {}, { n: 5 });
  rates.emit("STOP", {}, { n: 6 });
  assertEquals(sent, [1, 3, 5, 6]);
  clock.advance(1e9);
  assertEquals(sent, [1, 3, 5, 6, 4]);
  bad("a", 7);
  bad("b", 8);
  assertEquals(sent.slice(5), [8]);
  clock.advance(1e9);
  assertEquals(sent.slice(5), [8, 7]);
  // Quiet for a second: the next one is told at once.
  clock.advance(1e9);
  bad("a", 9);
  bad("a", 10);
  rates.stop();
  clock.advance(5e9);
  assertEquals(sent.slice(5), [8, 7, 9]);
});
