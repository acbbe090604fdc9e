import { assert, assertEquals } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { nextTurn } from "../../base/turn.ts";
import { testVm } from "../testing.ts";

const MIB = 1048576;

/** A mirror of 8 MiB at 1 MiB a second, which is cancelled after some seconds; all that a client hears, and warnings. */
async function mirror(strict: boolean) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  await using vm = await testVm({
    strict,
    clocks: { virtual: clock, realtime: clock, host: new ManualClock() },
    warn: (text) => warnings.push(text),
  });
  const lines: string[] = [];
  const session = vm.qmpServer.session({ pretty: false, send: (line) => lines.push(line.trimEnd()) });
  const ask = async (text: string) => {
    await session.push(new TextEncoder().encode(text));
    await session.settled();
  };
  await ask('{"execute":"qmp_capabilities"}');
  for (const name of ["s", "t"]) {
    await vm.qmp("blockdev-add", { driver: "null-co", "node-name": name, size: 8 * MIB, "read-zeroes": false });
  }
  const common = { device: "s", target: "t", "job-id": "j", sync: "full" } as const;
  await vm.qmp("blockdev-mirror", { ...common, speed: MIB, "auto-dismiss": false });
  for (let step = 0; step < 150; step++) {
    for (let turn = 0; turn < 8; turn++) await nextTurn();
    clock.advance(20_000_000);
  }
  const from = lines.length;
  await ask('{"execute":"query-jobs"}{"execute":"query-block-jobs"}');
  const [job, blockJob] = lines.slice(from).map((line) => JSON.parse(line).return[0]);
  await vm.qmp("block-job-cancel", { device: "j", force: true });
  await vm.machine.graph.jobs.find("j")!.concluded;
  const [after] = await vm.qmp("query-jobs", {});
  const progress = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "JOB_PROGRESS");
  return { job, blockJob, after: after!, progress: progress.map(({ data }) => data), warnings };
}

Deno.test("as moa, clients are told how fast a job gets on, and what it has left incomplete", async () => {
  const { job, blockJob, after, progress, warnings } = await mirror(false);
  for (const { rate } of [job, blockJob]) assert(Math.abs(rate / MIB - 1) < 0.2, String(rate));
  const left = job["total-progress"] - job["current-progress"];
  for (const one of [job, blockJob]) assert(Math.abs(one["time-left"] - left / job.rate) <= 0.1, one["time-left"]);
  assert(progress.length >= 2 && progress.length <= 3, String(progress.length));
  for (const told of progress) {
    assertEquals(Object.keys(told).sort(), ["current-progress", "id", "rate", "time-left", "total-progress"]);
  }
  assertEquals([after.error, after.incomplete], ["Operation canceled", "t"]);
  assertEquals(warnings, ["warning: mirror job 'j' has not come to its end: 't' is incomplete"]);
});

Deno.test("under QEMU's name they are told what QEMU tells", async () => {
  const { job, blockJob, after, progress, warnings } = await mirror(true);
  const members = ["current-progress", "id", "status", "total-progress", "type"];
  assertEquals(Object.keys(job).sort(), members);
  assertEquals(blockJob["rate"], undefined);
  assertEquals([after.incomplete, progress, warnings], [undefined, [], []]);
});
