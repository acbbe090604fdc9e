import { assertEquals } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { SpeedLimit } from "./speed.ts";

const MS = 1_000_000;

Deno.test("a lower limit keeps the wait that is owed, a higher one or none ends it", () => {
  const clock = new ManualClock();
  const limit = new SpeedLimit(clock);
  limit.bytesPerSecond = 1000;
  clock.advance(1000 * MS);
  limit.spend(600);
  assertEquals(limit.delayNs, 500 * MS);
  limit.bytesPerSecond = 10;
  assertEquals(limit.delayNs, 500 * MS);
  clock.advance(200 * MS);
  limit.bytesPerSecond = 10;
  assertEquals(limit.delayNs, 300 * MS);
  limit.bytesPerSecond = 20;
  assertEquals(limit.delayNs, 0);
  limit.spend(20);
  assertEquals(limit.delayNs, 1000 * MS);
  limit.bytesPerSecond = 0;
  assertEquals(limit.delayNs, 0);
});
