import { assertEquals } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { NS_PER_S } from "../../base/units.ts";
import { JobRate } from "./rate.ts";

Deno.test("a job's rate is that of its last ten seconds, and a pause begins it anew", () => {
  const clock = new ManualClock();
  const rate = new JobRate(clock);
  assertEquals([rate.note(0), rate.bytesPerSecond, rate.secondsFor(100)], [false, 0, undefined]);
  clock.advance(NS_PER_S / 2);
  assertEquals(rate.note(500), false);
  clock.advance(NS_PER_S / 2);
  assertEquals([rate.note(1000), rate.bytesPerSecond, rate.secondsFor(3000)], [true, 1000, 3]);
  // A slower time follows; after ten seconds of it nothing else counts.
  for (let second = 1; second <= 11; second++) {
    clock.advance(NS_PER_S);
    rate.note(1000 + second * 10);
  }
  assertEquals([rate.bytesPerSecond, rate.secondsFor(0)], [10, 0]);
  rate.forget();
  assertEquals([rate.note(2000), rate.bytesPerSecond, rate.secondsFor(1)], [false, 0, undefined]);
});
