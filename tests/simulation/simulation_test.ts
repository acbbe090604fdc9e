/**
 * Ten thousand power failures, every planted bug found, and every run that once found a real one.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../base/random.ts";
import { haveProgram } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { SimulatedDisk } from "./disk.ts";
import { Coverage } from "./features.ts";
import { lesson } from "./lesson.ts";
import { PLANTED_BUGS, plantedBug } from "./plants.ts";
import { parseReplay, planOf } from "./replay.ts";
import { run } from "./run.ts";
import { Scheduler } from "./scheduler.ts";
import { explain, simulate } from "./simulate.ts";

const FOUND: readonly [what: string, replay: string][] = [
  [
    "lazily kept refcounts reach the disk before the table is placed anew",
    "seed=8 compat=1.1 clusterBytes=65536 refcountBits=4 lazyRefcounts=true backing=none compressed=true snapshots=true " +
    "resize=false preallocation=full discard=ignore caches=too_small depth=12 faults=ENOSPC steps= sparse=1",
  ],
  [
    "a dirty bit that could not be written is not taken for set",
    "seed=31 compat=1.1 clusterBytes=512 refcountBits=64 lazyRefcounts=true backing=raw compressed=true snapshots=true " +
    "resize=false preallocation=off discard=pass_none caches=ample depth=12 faults=EIO steps=0,1 sparse=1",
  ],
  [
    "a longer disk does not show the backing file, not even for a moment",
    "seed=9 compat=1.1 clusterBytes=4096 refcountBits=16 lazyRefcounts=true backing=qcow2 compressed=false " +
    "snapshots=false resize=true preallocation=off discard=pass_none caches=ample depth=1 faults=EIO steps=6,8 sparse=1",
  ],
  [
    "a longer disk does not show what its last cluster held",
    "seed=36 compat=0.10 clusterBytes=65536 refcountBits=16 lazyRefcounts=false backing=none compressed=true " +
    "snapshots=false resize=true preallocation=falloc discard=ignore caches=ample depth=4 faults=ENOSPC " +
    "steps=28,30,31,32 sparse=1",
  ],
  [
    "a disk can be made longer after power was lost while it was",
    "seed=5 compat=1.1 clusterBytes=4096 refcountBits=2 lazyRefcounts=false backing=none compressed=false " +
    "snapshots=false resize=true preallocation=falloc discard=pass_none caches=too_small depth=1 faults=EIO " +
    "steps=2,3,4,5,6,8,9,10,11,13,28,29 sparse=1",
  ],
  [
    "preallocated clusters do not show what was deleted",
    "seed=107 compat=1.1 clusterBytes=4096 refcountBits=8 lazyRefcounts=true backing=none compressed=true " +
    "snapshots=false resize=true preallocation=metadata discard=pass_all caches=too_small depth=12 faults=none " +
    "steps=2,3,16,17 sparse=1",
  ],
  [
    "preallocated clusters lie inside the file",
    "seed=138 compat=1.1 clusterBytes=1024 refcountBits=64 lazyRefcounts=true backing=none compressed=false " +
    "snapshots=true resize=true preallocation=metadata discard=pass_none caches=too_small depth=4 faults=ENOSPC " +
    "steps=0,1,2,3,4,45,47 sparse=1",
  ],
  [
    "a snapshot that is refused for narrow refcounts leaves no leaks",
    "seed=357 compat=1.1 clusterBytes=512 refcountBits=2 lazyRefcounts=true backing=qcow2 compressed=false " +
    "snapshots=true resize=false preallocation=off discard=pass_none caches=too_small depth=1 faults=ENOSPC " +
    "steps=2,6,9,17,30 sparse=1",
  ],
  [
    "a snapshot that failed and yet is there keeps its content",
    "seed=338 compat=1.1 clusterBytes=2048 refcountBits=8 lazyRefcounts=true backing=none compressed=true " +
    "snapshots=true resize=true preallocation=metadata discard=pass_all caches=too_small depth=4 faults=EIO " +
    "steps=0,1,3,4 sparse=1",
  ],
  [
    "applying a snapshot of a longer disk does not show what was cut off since",
    "seed=60167 compat=1.1 clusterBytes=4096 refcountBits=32 lazyRefcounts=false backing=none compressed=true " +
    "snapshots=true resize=true preallocation=falloc discard=ignore caches=ample depth=1 faults=EIO " +
    "steps=2,3,6,7,9,14,30,31,33,34,38,39 sparse=1",
  ],
  [
    "a commit in which more than one thing fails ends in a block error",
    "seed=7860 compat=0.10 clusterBytes=2048 refcountBits=16 lazyRefcounts=false backing=raw compressed=true " +
    "snapshots=false resize=false preallocation=off discard=ignore caches=ample depth=4 faults=EIO " +
    "steps=0,2,3,4,5,6,7,8,9,10,11,12,13,17,18,19,20,21,22,23,24,25,26,27,29,30,31 sparse=2",
  ],
];

for (const [what, replay] of FOUND) {
  Deno.test(`simulation: ${what}`, async () => {
    assertEquals((await run(parseReplay(replay))).failure, undefined);
  });
}

Deno.test("simulation: ten thousand power failures, two hundred for each pair of features", async () => {
  const { coverage, failure } = await simulate({ seeds: 600, crashPoints: 10_000, pairPoints: 200 });
  assertEquals(failure === undefined ? [] : explain(failure), []);
  assert(coverage.crashPoints >= 10_000 && coverage.least >= 200, coverage.report(5).join("\n"));
  console.log(coverage.report(3).join("\n"));
});

for (const bug of PLANTED_BUGS) {
  Deno.test(`simulation finds a planted bug: ${bug.name}`, async () => {
    const { failure } = await simulate({ seeds: 60, planted: bug, shrinkAttempts: 20 });
    assert(failure?.outcome.failure !== undefined, "not found");
    // The line that is printed shows it again.
    const again = await run(parseReplay(failure.replay, () => bug.make()));
    assertEquals(again.failure?.message, failure.outcome.failure.message);
  });
}

Deno.test("simulation: a seed gives one run", async () => {
  const plan = { ...planOf(11, new Coverage()), plant: () => plantedBug("data-late").make() };
  const { failure, points } = await run(plan);
  assert(failure !== undefined);
  assertEquals(await run(plan).then((outcome) => [outcome.failure, outcome.points]), [failure, points]);
});

Deno.test({
  name: "the image that the lesson's bug costs is corrupt to qemu-img, too",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    const { image, lines } = await lesson(plantedBug("refcount-late"));
    assert(image !== undefined && lines.some((line) => line.includes("refcount=0 reference=1")), lines.join("\n"));
    await using folder = await TempFolder.make();
    const path = folder.file("image");
    await Deno.writeFile(path, image);
    const { code } = await new Deno.Command("qemu-img", { args: ["check", path], stderr: "null", stdout: "null" })
      .output();
    assertEquals(code, 2);
  },
});

const bytes = (value: number) => new Uint8Array(1024).fill(value);

Deno.test("a simulated disk keeps what was flushed, and of the rest any sectors", () => {
  const disk = new SimulatedDisk(bytes(1));
  disk.end(disk.begin(0, bytes(2)));
  disk.flushed(disk.flushMark);
  const mark = disk.flushMark;
  disk.end(disk.begin(0, bytes(3)));
  // A flush that was asked for before the write does not cover it.
  disk.flushed(mark);
  disk.begin(0, bytes(4));
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const left = disk.afterPowerLoss(new SeededRandom(seed));
    assertEquals(left.length, 1024);
    seen.add(`${left[0]}${left[512]}`);
  }
  assertEquals([...seen].sort(), ["22", "23", "24", "32", "33", "34", "42", "43", "44"]);
});

Deno.test("a simulated disk that was cut and grew again holds zeroes there once that is flushed", () => {
  const disk = new SimulatedDisk(bytes(1));
  disk.truncate(512);
  disk.truncate(1024);
  disk.flushed(disk.flushMark);
  const left = disk.afterPowerLoss(new SeededRandom(1));
  assertEquals([left.length, left[0], left[512]], [1024, 1, 0]);
});

Deno.test("the scheduler's order is the seed's, and nothing is answered once power is lost", async () => {
  const order = async (seed: number) => {
    const scheduler = new Scheduler(new SeededRandom(seed), () => {});
    const done: number[] = [];
    await Promise.all(Array.from({ length: 6 }, (_, i) => scheduler.perform(() => void done.push(i))));
    return done.join("");
  };
  const orders = await Promise.all([1, 2, 3, 4, 5].map(order));
  assertEquals(orders, await Promise.all([1, 2, 3, 4, 5].map(order)));
  assert(new Set(orders).size > 1);
  const scheduler = new Scheduler(new SeededRandom(1), () => {});
  let answered = false;
  scheduler.perform(() => {}).then(() => answered = true);
  scheduler.stop();
  await scheduler.after(3);
  assert(!answered);
});
