import { assert, assertEquals, assertThrows } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { SeededRandom } from "../../base/random.ts";
import { NS_PER_S } from "../../base/units.ts";
import { BlockBackend } from "../backend.ts";
import { BlockError } from "../errors.ts";
import { BlockGraph } from "../graph.ts";
import { ThrottleGroups } from "./groups.ts";
import type { ThrottleMember } from "./group.ts";
import { limitsOf } from "./limits.ts";

/** Sends requests of `lengthBytes` without end for `seconds`; how many passed. */
async function passed(
  clock: ManualClock,
  members: readonly ThrottleMember[],
  how: { seconds: number; lengthBytes: number; depth: number },
): Promise<number[]> {
  const counts = members.map(() => 0);
  const endNs = clock.nowNs() + how.seconds * NS_PER_S;
  const sender = async (index: number) => {
    while (clock.nowNs() < endNs) {
      await members[index]!.enter("read", how.lengthBytes);
      if (clock.nowNs() < endNs) counts[index]!++;
    }
  };
  const senders = members.flatMap((_, index) => Array.from({ length: how.depth }, () => sender(index)));
  while (clock.nowNs() < endNs) {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    const next = clock.nextDeadlineNs;
    clock.advanceTo(Math.min(endNs, next ?? endNs));
  }
  for (const member of members) member.letGo();
  await Promise.all(senders);
  return counts;
}

Deno.test("an average holds, whatever the depth", async () => {
  for (const depth of [1, 16]) {
    const clock = new ManualClock();
    const groups = new ThrottleGroups(clock);
    const member = groups.join("g");
    member.group.setLimits(limitsOf({ "iops-total": 100 }));
    const [count] = await passed(clock, [member], { seconds: 10, lengthBytes: 4096, depth });
    // A tenth of a second's worth passes at once.
    assert(count! >= 1000 && count! <= 1012, `${count}`);
  }
});

Deno.test("bytes count by length, and requests above iops-size as several", async () => {
  const clock = new ManualClock();
  const member = new ThrottleGroups(clock).join("g");
  member.group.setLimits(limitsOf({ "bps-read": 1024 * 1024 }));
  const [bytes] = await passed(clock, [member], { seconds: 10, lengthBytes: 65536, depth: 4 });
  assert(bytes! >= 160 && bytes! <= 164, `${bytes}`);
  member.group.setLimits(limitsOf({ "iops-total": 100, "iops-size": 4096 }));
  const [requests] = await passed(clock, [member], { seconds: 10, lengthBytes: 16384, depth: 4 });
  assert(requests! >= 249 && requests! <= 256, `${requests}`);
});

Deno.test("a burst passes at its own rate, then the average", async () => {
  const clock = new ManualClock();
  const member = new ThrottleGroups(clock).join("g");
  member.group.setLimits(limitsOf({ "iops-total": 100, "iops-total-max": 1000, "iops-total-max-length": 5 }));
  const how = { lengthBytes: 512, depth: 32 };
  const [first] = await passed(clock, [member], { ...how, seconds: 4 });
  assert(first! >= 4000 && first! <= 4110, `${first}`);
  const [later] = await passed(clock, [member], { ...how, seconds: 20 });
  // The bucket of 5000 had room for 1400 more; after that, 100 a second.
  assert(later! <= 1400 + 20 * 100 + 150, `${later}`);
  const [last] = await passed(clock, [member], { ...how, seconds: 10 });
  // Those that waited at the end of each part were let go, and are paid for now.
  assert(last! >= 1000 - 32 - 10 && last! <= 1010, `${last}`);
});

Deno.test("members share fairly, whoever has more requests", async () => {
  const clock = new ManualClock();
  const groups = new ThrottleGroups(clock);
  const members = [groups.join("g"), groups.join("g"), groups.join("g")];
  members[0]!.group.setLimits(limitsOf({ "iops-total": 300 }));
  const busy = [members[0]!, members[0]!, members[0]!, members[1]!, members[2]!];
  const counts = await passed(clock, busy, { seconds: 10, lengthBytes: 512, depth: 4 });
  const [one, two, three] = [counts[0]! + counts[1]! + counts[2]!, counts[3]!, counts[4]!];
  // What passes at once at the start goes to the first who come.
  for (const count of [one, two, three]) assert(Math.abs(count - 1000) < 35, `${one} ${two} ${three}`);
});

Deno.test("who drains does not wait, and a group ends with its last member", async () => {
  const clock = new ManualClock();
  const groups = new ThrottleGroups(clock);
  const member = groups.join("g");
  member.group.setLimits(limitsOf({ "iops-total": 1 }));
  const waits = Array.from({ length: 5 }, () => member.enter("write", 512));
  assert(waits.some((wait) => wait !== undefined));
  member.suspend();
  await Promise.all(waits);
  assertEquals(member.enter("write", 512), undefined);
  member.resume();
  groups.leave(member);
  assertEquals(groups.find("g"), undefined);
});

Deno.test("limits that contradict each other are refused in QEMU's words", () => {
  // Recorded from qemu-system-x86_64 7.2.
  const refused: [Record<string, number>, string][] = [
    [
      { "bps-total": 1, "bps-read": 1 },
      "bps/iops/max total values and read/write values cannot be used at the same time",
    ],
    [{ "bps-total": 1e15 + 1 }, "bps/iops/max values must be within [0, 1000000000000000]"],
    [{ "bps-total-max": 5 }, "bps_max/iops_max require corresponding bps/iops values"],
    [{ "bps-total": 10, "bps-total-max": 5 }, "bps_max/iops_max cannot be lower than bps/iops"],
    [{ "bps-total": 1000, "bps-total-max-length": 3 }, "burst length set without burst rate"],
    [{ "iops-size": 5 }, "iops size requires an iops value to be set"],
  ];
  for (const [given, text] of refused) assertThrows(() => limitsOf(given), BlockError, text);
});

Deno.test("a drive that waits for its turn is in flight, and who drains is not kept waiting", async () => {
  const clock = new ManualClock();
  await using graph = new BlockGraph({
    clocks: { virtual: clock, realtime: clock, host: clock },
    random: new SeededRandom(1),
  });
  const node = await graph.open({ driver: "memory", size: 1024 * 1024 });
  await using backend = new BlockBackend({ graph, name: "d0" });
  await backend.insertMedium(node);
  backend.setThrottling({ group: "d0", limits: limitsOf({ "iops-total": 10 }) });
  let done = 0;
  const requests = Array.from(
    { length: 6 },
    (_, i) => backend.write(i * 512, IoVector.of(new Uint8Array(512).fill(i + 1))).then(() => done++),
  );
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
  await settled();
  // Two fill the bucket of one to the brim and over; each of the others takes a tenth of a second.
  assertEquals([done, backend.inFlight], [2, 4]);
  clock.advance(NS_PER_S / 10);
  await settled();
  assertEquals([done, backend.inFlight], [3, 3]);
  await backend.drain();
  await Promise.all(requests);
  assertEquals([done, backend.inFlight], [6, 0]);
  const bytes = new Uint8Array(6 * 512);
  backend.setThrottling(undefined);
  await backend.read(0, IoVector.of(bytes));
  assertEquals([...bytes].filter((_, i) => i % 512 === 0), [1, 2, 3, 4, 5, 6]);
  await graph.release(node);
});
