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
import { bytesOf, Pages } from "./pages.ts";
import { Coverage, PLAIN } from "./features.ts";
import { FOUND } from "./found.ts";
import { lesson } from "./lesson.ts";
import { PLANTED_BUGS, plantedBug } from "./plants.ts";
import { parseReplay, planOf } from "./replay.ts";
import { run } from "./run.ts";
import { Scheduler } from "./scheduler.ts";
import { explain, simulate } from "./simulate.ts";

for (const [what, replay] of FOUND) {
  Deno.test(`simulation: ${what}`, async () => {
    assertEquals((await run(parseReplay(replay))).failure, undefined);
  });
}

Deno.test("simulation: ten thousand power failures, two hundred for each pair of features", async () => {
  const { coverage, failure } = await simulate({ seeds: 900, crashPoints: 10_000, pairPoints: 200 });
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
  const features = { ...PLAIN, clusterBytes: 512, depth: 4 } as const;
  for (let seed = 1, failures = 0; failures < 2; seed++) {
    const plan = { ...planOf(seed, new Coverage(), features), plant: () => plantedBug("data-late").make() };
    const { failure, points } = await run(plan);
    assertEquals(await run(plan).then((outcome) => [outcome.failure, outcome.points]), [failure, points]);
    if (failure !== undefined) failures++;
    assert(seed < 60, "the planted bug is not found");
  }
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
  const disk = new SimulatedDisk({ pages: Pages.of(bytes(1)), size: 1024 });
  disk.end(disk.begin(0, bytes(2)));
  disk.flushed(disk.flushMark);
  const mark = disk.flushMark;
  disk.end(disk.begin(0, bytes(3)));
  // A flush that was asked for before the write does not cover it.
  disk.flushed(mark);
  disk.begin(0, bytes(4));
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const left = bytesOf(disk.afterPowerLoss(new SeededRandom(seed)));
    assertEquals(left.length, 1024);
    seen.add(`${left[0]}${left[512]}`);
  }
  assertEquals([...seen].sort(), ["22", "23", "24", "32", "33", "34", "42", "43", "44"]);
});

Deno.test("a simulated disk that was cut and grew again holds zeroes there once that is flushed", () => {
  const disk = new SimulatedDisk({ pages: Pages.of(bytes(1)), size: 1024 });
  disk.truncate(512);
  disk.truncate(1024);
  disk.flushed(disk.flushMark);
  const left = bytesOf(disk.afterPowerLoss(new SeededRandom(1)));
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
