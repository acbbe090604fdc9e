import { assertEquals } from "@std/assert";
import { HostClock } from "../../../base/clocks.ts";
import { SeededRandom } from "../../../base/random.ts";
import { MiB } from "../../../base/units.ts";
import { V86Accelerator } from "./accelerator.ts";

Deno.test("a CPU takes up its own state; one of another length or version it refuses, and says which", async () => {
  const site = { realtime: new HostClock(), random: new SeededRandom(1), warn: () => {} };
  await using accelerator = await V86Accelerator.create(site);
  accelerator.mapRam(MiB);
  const state = accelerator.save();
  assertEquals(accelerator.refusal(state), undefined);
  accelerator.load(state);
  const shorter = state.subarray(1);
  assertEquals(
    accelerator.refusal(shorter),
    `its CPU state has ${shorter.length} bytes, not ${state.length}`,
  );
  const other = state.slice();
  other[0]! ^= 0x80;
  assertEquals(accelerator.refusal(other), `its CPU state has version ${other[0]}, known is ${state[0]}`);
});
