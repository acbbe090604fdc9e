import { assert, assertEquals, assertRejects } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { nextTurn } from "../../base/turn.ts";
import { BlockBackend } from "../backend.ts";
import { DirtyBitmap } from "../bitmap.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, Permission } from "../permissions.ts";
import { insertFilter, removeFilter, replaceNode } from "../rewire.ts";
import { pattern, testGraph } from "../testing.ts";
import { startBackup } from "./backup.ts";
import type { Job } from "./job.ts";
import type { JobEvents } from "./job_set.ts";
import { startMirror } from "./mirror.ts";
import { PassThrough } from "./pass_through.ts";
import type { JobStatus, JobVerb } from "./states.ts";
import { differenceOf } from "./testing.ts";
import type { JobErrorPolicy, JobStep, JobWork } from "./work.ts";

const MiB = 1024 * 1024;
const SIZE = 4 * MiB;

const memory = (graph: BlockGraph, size = SIZE) => graph.open({ driver: "raw", file: { driver: "memory", size } });

/** A raw node over memory whose first write fails. */
const failing = (graph: BlockGraph, errno: number) =>
  graph.open({
    driver: "raw",
    file: {
      driver: "blkdebug",
      image: { driver: "memory", size: SIZE },
      "inject-error": [{ event: "none", iotype: "write", errno, once: true }],
    },
  });

async function until(holds: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + 20_000;
  while (!holds()) {
    assert(performance.now() < giveUpMs, "it never came to that");
    await nextTurn();
  }
}

/** All events of a graph's jobs, as one word each. */
function listen(graph: BlockGraph): string[] {
  const heard: string[] = [];
  const names: (keyof JobEvents)[] = [
    "JOB_STATUS_CHANGE",
    "BLOCK_JOB_COMPLETED",
    "BLOCK_JOB_CANCELLED",
    "BLOCK_JOB_READY",
    "BLOCK_JOB_PENDING",
    "BLOCK_JOB_ERROR",
  ];
  for (const name of names) {
    graph.jobs.events.on(name, (data) => heard.push("status" in data ? data.status : name));
  }
  return heard;
}

/** Work that does what its test says. */
class Puppet implements JobWork {
  readonly type = "mirror";
  isReady = false;
  isDone = false;

  async *run(job: Job): AsyncGenerator<JobStep, void, void> {
    while (!this.isDone) {
      if (this.isReady) job.becameReady();
      yield { bytes: 0 };
    }
  }

  complete(): void {
    this.isDone = true;
  }

  endEarly(): boolean {
    this.isDone = true;
    return true;
  }
}

async function jobIn(graph: BlockGraph, state: JobStatus): Promise<Job> {
  const work = new Puppet();
  const job = await graph.jobs.create(work, { id: "j", autoDismiss: false, autoFinalize: false }, async () => {});
  job.start();
  work.isReady = state === "ready" || state === "standby";
  if (work.isReady) await until(() => job.isReady);
  if (state === "paused" || state === "standby") await job.pause();
  if (state === "pending" || state === "concluded") work.isDone = true;
  if (state === "concluded") {
    await until(() => job.status === "pending");
    await job.finalize();
  }
  await until(() => job.status === state);
  return job;
}

// Recorded with qemu-storage-daemon 7.2: the state after the verb, or nothing where it is refused.
const OUTCOMES: Readonly<Record<string, Partial<Record<JobVerb, JobStatus>>>> = {
  running: { cancel: "concluded", pause: "paused", "set-speed": "running" },
  paused: { cancel: "concluded", resume: "running", "set-speed": "paused" },
  ready: { cancel: "concluded", pause: "standby", "set-speed": "ready", complete: "pending" },
  standby: { cancel: "concluded", resume: "ready", "set-speed": "standby", complete: "standby" },
  pending: { cancel: "concluded", finalize: "concluded" },
  concluded: { dismiss: "null" },
};
const VERBS: readonly JobVerb[] = ["cancel", "pause", "resume", "set-speed", "complete", "finalize", "dismiss"];

function refusal(verb: JobVerb, state: string): string {
  if (verb === "resume") return "Can't resume a job that was not paused";
  if (verb === "pause" && (state === "paused" || state === "standby")) return "Job is already paused";
  return `Job 'j' in state '${state}' cannot accept command verb '${verb}'`;
}

for (const [state, outcomes] of Object.entries(OUTCOMES)) {
  Deno.test(`jobs: every verb in state ${state}`, async () => {
    for (const verb of VERBS) {
      await using graph = testGraph();
      const job = await jobIn(graph, state as JobStatus);
      const say: Readonly<Record<JobVerb, () => unknown>> = {
        cancel: () => job.cancel(true),
        pause: () => job.pause(),
        resume: () => job.resume(),
        "set-speed": () => job.setSpeed(1),
        complete: () => job.complete(),
        finalize: () => job.finalize(),
        dismiss: () => job.dismiss(),
      };
      const outcome = outcomes[verb];
      if (outcome === undefined) {
        const error = await assertRejects(async () => await say[verb](), Error);
        assertEquals(error.message, refusal(verb, state));
        assertEquals(job.status, state);
      } else {
        await say[verb]();
        await until(() => job.status === outcome);
      }
    }
  });
}

Deno.test("jobs: both ends, event by event", async () => {
  await using graph = testGraph();
  const heard = listen(graph);
  const work = new Puppet();
  const job = await graph.jobs.create(work, { id: "a" }, async () => {});
  job.start();
  work.isReady = true;
  await until(() => job.isReady);
  await job.complete();
  await job.concluded;
  const good = ["created", "running", "ready", "BLOCK_JOB_READY", "waiting", "pending", "BLOCK_JOB_COMPLETED"];
  assertEquals(heard.splice(0), [...good, "concluded", "null"]);
  const other = await graph.jobs.create(new Puppet(), { id: "b" }, async () => {});
  other.start();
  await other.cancel(true);
  await other.concluded;
  assertEquals(heard, ["created", "running", "aborting", "BLOCK_JOB_CANCELLED", "concluded", "null"]);
  assertEquals(other.error, "Operation canceled");
});

Deno.test("jobs: a limit holds to the byte on the clock, over a pause too", async () => {
  const clock = new ManualClock();
  await using graph = testGraph({ clocks: { virtual: clock, realtime: clock, host: clock } });
  const [source, target] = [await memory(graph), await memory(graph)];
  await source.write(0, IoVector.of(pattern(SIZE, 1)));
  const job = await startBackup(graph, { id: "j", source, target, sync: "full", speed: 2 * MiB });
  const run = async (ms: number) => {
    for (let i = 0; i < ms; i += 50) {
      for (let turn = 0; turn < 8; turn++) await nextTurn();
      clock.advance(50_000_000);
    }
  };
  await run(1000);
  // A piece is paid for when it is done, so that one is ahead at most.
  const { done } = job.progress;
  assert(done >= 2 * MiB && done <= 3 * MiB, String(done));
  await job.pause();
  await run(5000);
  assertEquals([job.status, job.progress.done], ["paused", done]);
  await job.resume();
  const resumedNs = clock.nowNs();
  while (job.status !== "null") await run(50);
  const seconds = (clock.nowNs() - resumedNs) / 1e9;
  const expected = (SIZE - done) / (2 * MiB);
  assert(Math.abs(seconds - expected) <= 0.25, `${seconds} s instead of ${expected} s`);
});

Deno.test("jobs: once a second they say how fast they get on and how long it will take", async () => {
  const clock = new ManualClock();
  await using graph = testGraph({ clocks: { virtual: clock, realtime: clock, host: clock } });
  const [source, target] = [await memory(graph), await memory(graph)];
  await source.write(0, IoVector.of(pattern(SIZE, 1)));
  const told: JobEvents["JOB_PROGRESS"][] = [];
  graph.jobs.events.on("JOB_PROGRESS", (progress) => told.push(progress));
  const job = await startBackup(graph, { id: "j", source, target, sync: "full", speed: MiB });
  while (job.status !== "null") {
    for (let turn = 0; turn < 8; turn++) await nextTurn();
    clock.advance(20_000_000);
  }
  assert(told.length >= 3 && told.length <= 4, String(told.length));
  for (const { id, done, total, bytesPerSecond, secondsLeft } of told) {
    assertEquals([id, total], ["j", SIZE]);
    assert(Math.abs(bytesPerSecond / MiB - 1) < 0.15, String(bytesPerSecond));
    assertEquals(secondsLeft, (total - done) / bytesPerSecond);
  }
});

Deno.test("jobs: one that is cancelled while it is paused does not wait for its limit", async () => {
  await using graph = testGraph();
  const [source, target] = [await memory(graph), await memory(graph)];
  const job = await startBackup(graph, { id: "j", source, target, sync: "full", speed: 1 });
  await until(() => job.progress.done > 0);
  await job.pause();
  await job.cancel(true);
  await job.concluded;
  assertEquals([job.status, job.error], ["null", "Operation canceled"]);
});

const POLICIES: readonly [JobErrorPolicy, errno: number, action: "report" | "ignore" | "stop"][] = [
  ["report", 5, "report"],
  ["ignore", 5, "ignore"],
  ["stop", 5, "stop"],
  ["enospc", 28, "stop"],
  ["enospc", 5, "report"],
];

for (const [policy, errno, action] of POLICIES) {
  Deno.test(`jobs: a target that fails with error ${errno} under on-target-error=${policy}`, async () => {
    await using graph = testGraph();
    const source = await memory(graph);
    const target = await failing(graph, errno);
    const bytes = pattern(SIZE, 3);
    await source.write(0, IoVector.of(bytes));
    const heard = listen(graph);
    const job = await startMirror(graph, { id: "j", source, target, sync: "full", onTargetError: policy });
    if (action === "report") {
      await job.concluded;
      assertEquals(job.error, errno === 5 ? "Input/output error" : "No space left on device");
    } else {
      if (action === "stop") {
        await until(() => job.status === "paused");
        assertEquals(job.ioStatus, errno === 28 ? "nospace" : "failed");
        await job.resume();
        assertEquals(job.ioStatus, "ok");
      }
      await until(() => job.isReady);
      await job.complete();
      await job.concluded;
      assertEquals([job.error, await differenceOf(target, bytes)], [undefined, -1]);
    }
    assertEquals(heard.filter((name) => name === "BLOCK_JOB_ERROR").length, 1);
  });
}

Deno.test("backup: a bitmap says what is copied, and afterwards what a next one needs", async () => {
  for (const mode of ["on-success", "never", "always"] as const) {
    for (const cancelled of [false, true]) {
      await using graph = testGraph();
      const [source, target] = [await memory(graph), await memory(graph)];
      const bitmap = new DirtyBitmap({ name: "b", sizeBytes: SIZE });
      source.bitmaps.push(bitmap);
      const model = new Uint8Array(SIZE);
      const put = async (node: BlockNode, at: number, seed: number) => {
        const bytes = pattern(65536, seed);
        await node.write(at, IoVector.of(bytes));
        return bytes;
      };
      model.set(await put(source, MiB, 1), MiB);
      model.set(await put(source, 3 * MiB, 2), 3 * MiB);
      await using drive = new BlockBackend({ graph, name: "d0" });
      await drive.insertMedium(source);
      const speed = cancelled ? 1 : 0;
      const job = await startBackup(graph, {
        id: "j",
        source,
        target,
        sync: "bitmap",
        bitmap,
        bitmapMode: mode,
        speed,
      });
      assertEquals([bitmap.busy, job.progress.total], [true, 0]);
      await drive.write(2 * MiB, IoVector.of(pattern(65536, 9)));
      if (cancelled) {
        await until(() => job.progress.done > 0);
        await job.cancel(true);
      }
      await job.concluded;
      assertEquals(bitmap.busy, false);
      if (!cancelled) assertEquals(await differenceOf(target, model), -1);
      const dirty = [MiB, 2 * MiB, 3 * MiB].filter((at) => bitmap.has(at)).map((at) => at / MiB);
      const kept = mode === "never" || (mode === "on-success" && cancelled);
      assertEquals(dirty, kept ? [1, 2, 3] : cancelled ? [2, 3] : [2], `${mode}, cancelled: ${cancelled}`);
      assertEquals(source.bitmaps.length, 1);
    }
  }
});

Deno.test("filters go in and out while requests are in flight", async () => {
  await using graph = testGraph();
  const node = await memory(graph);
  await using drive = new BlockBackend({ graph, name: "d0" });
  await drive.insertMedium(node);
  const model = new Uint8Array(SIZE);
  const writes: Promise<void>[] = [];
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 4; i++) {
      const at = (round * 4 + i) * 16384 + 100 * 512;
      const bytes = pattern(16384, round * 4 + i);
      model.set(bytes, at);
      writes.push(drive.write(at, IoVector.of(bytes)));
    }
    const filter = await insertFilter(graph, node, { driver: new PassThrough("throttle", node, true) });
    assertEquals([drive.node === filter, filter.quiesced, node.quiesced], [true, false, false]);
    writes.push(drive.flush());
    await removeFilter(graph, filter);
    assertEquals([drive.node === node, node.quiesced, graph.nodes.length], [true, false, 2]);
  }
  await Promise.all(writes);
  assertEquals(await differenceOf(node, model), -1);
});

Deno.test("a flush through a new filter makes durable what was written before there was one", async () => {
  await using graph = testGraph();
  const node = await memory(graph);
  await using drive = new BlockBackend({ graph, name: "d0" });
  await drive.insertMedium(node);
  let flushes = 0;
  node.driver.flush = () => Promise.resolve(void flushes++);
  await drive.write(0, IoVector.of(pattern(512, 1)));
  const filter = await insertFilter(graph, node, { driver: new PassThrough("throttle", node, true) });
  await drive.flush();
  assertEquals(flushes, 1);
  await removeFilter(graph, filter);
});

Deno.test("a node that its new users may not have stays where it is", async () => {
  await using graph = testGraph();
  const [from, to] = [await memory(graph), await memory(graph)];
  await using drive = new BlockBackend({ graph, name: "d0" });
  await drive.insertMedium(from);
  await using other = new BlockBackend({ graph, name: "e0", used: 0, shared: ALL_PERMISSIONS & ~Permission.write });
  await other.insertMedium(to);
  const error = await assertRejects(() => replaceNode(from, to), Error);
  assert(
    error.message.startsWith(`Permission conflict on node '${to.name}': permissions 'write' are both required by`),
  );
  assertEquals([drive.node === from, from.parents.length, to.parents.length], [true, 1, 1]);
  assertEquals([from.quiesced, to.quiesced], [false, false]);
  await drive.write(0, IoVector.of(pattern(512, 1)));
});
