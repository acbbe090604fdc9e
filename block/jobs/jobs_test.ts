import { assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../base/io_vector.ts";
import { nextTurn } from "../../base/turn.ts";
import { KiB, MiB } from "../../base/units.ts";
import { haveProgram, must } from "../../tests/support/programs.ts";
import { TempFolder } from "../../tests/support/temp.ts";
import { createImage } from "../create.ts";
import { BlockError, ioError } from "../errors.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { testGraph } from "../testing.ts";
import { startBackup } from "./backup.ts";
import { commitAll } from "./commit.ts";
import { startCommit } from "./commit_job.ts";
import type { Job } from "./job.ts";
import { startMirror } from "./mirror.ts";
import { startStream } from "./stream.ts";
import { chainNames, differenceOf, DISK_BYTES, Guest } from "./testing.ts";

const haveImg = haveProgram("qemu-img");

async function turnsUntil(holds: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + 120_000;
  while (!holds()) {
    if (performance.now() > giveUpMs) throw new Error("it never came to that");
    await nextTurn();
  }
}

/** Waits for a mirror to be ready. */
async function ready(job: Job): Promise<void> {
  await turnsUntil(() => job.isReady || job.error !== undefined);
  assertEquals(job.error, undefined);
}

/** The real program finds no fault with an image, and sees what the model says. */
async function checkOutside(temp: TempFolder, name: string, model: Uint8Array): Promise<void> {
  if (!haveImg) return;
  await must("qemu-img", ["check", "-q", "-f", "qcow2", temp.file(name)]);
  await temp.write("model", model);
  await must("qemu-img", ["compare", "-q", "-f", "qcow2", "-F", "raw", temp.file(name), temp.file("model")]);
}

async function newTarget(graph: BlockGraph, temp: TempFolder, name = "target"): Promise<BlockNode> {
  await createImage(graph, { filename: temp.file(name), format: "qcow2", size: DISK_BYTES });
  return await graph.openImage({ filename: temp.file(name), options: { driver: "qcow2", "node-name": name } });
}

const layer = (guest: Guest, depth: number): BlockNode => {
  let node = guest.node;
  for (let i = 0; i < depth; i++) node = node.backing!;
  return node;
};

for (const depth of [undefined, 2]) {
  Deno.test(`stream: ${depth === undefined ? "all of the chain" : "down to the base"} under a writing guest`, async () => {
    await using temp = await TempFolder.make();
    const model = await (async () => {
      await using graph = testGraph();
      await using guest = await Guest.over(graph, temp);
      guest.begin();
      const base = depth === undefined ? undefined : layer(guest, depth);
      const job = await startStream(graph, guest.node, { id: "j", base });
      assertEquals(guest.node.driver.name, "copy-on-read");
      await job.concluded;
      await guest.rest();
      assertEquals([job.status, job.error], ["null", undefined]);
      assertEquals(chainNames(guest.node), depth === undefined ? ["top"] : ["top", "base"]);
      assertEquals(await guest.difference(), -1);
      assertEquals(graph.nodes.length, depth === undefined ? 2 : 4);
      return guest.model;
    })();
    await checkOutside(temp, "top", model);
  });
}

Deno.test("commit: a layer in the middle goes into the base under a writing guest", async () => {
  await using temp = await TempFolder.make();
  const model = await (async () => {
    await using graph = testGraph();
    await using guest = await Guest.over(graph, temp);
    guest.begin();
    const [overlay, top, base] = [layer(guest, 0), layer(guest, 1), layer(guest, 2)];
    const job = await startCommit(graph, { id: "j", overlay, top, base });
    await job.concluded;
    await guest.rest();
    assertEquals([job.status, job.error, base.readOnly], ["null", undefined, true]);
    assertEquals(chainNames(guest.node), ["top", "base"]);
    assertEquals(await guest.difference(), -1);
    return guest.model;
  })();
  await checkOutside(temp, "top", model);
});

Deno.test("commit: the layer that the guest writes goes into the base, and the guest goes over", async () => {
  await using temp = await TempFolder.make();
  const model = await (async () => {
    await using graph = testGraph();
    await using guest = await Guest.over(graph, temp);
    guest.begin(40);
    const base = layer(guest, 2);
    const job = await startMirror(graph, { id: "j", source: guest.node, target: base, sync: "full", type: "commit" });
    await ready(job);
    const { writes } = guest;
    await turnsUntil(() => guest.writes > writes + 5);
    await job.complete();
    await job.concluded;
    await turnsUntil(() => guest.writes > writes + 20);
    await guest.rest();
    assertEquals([job.status, job.error], ["null", undefined]);
    assertEquals([chainNames(guest.node), guest.node.readOnly], [["base"], false]);
    assertEquals(await guest.difference(), -1);
    assertEquals(graph.nodes.length, 2);
    return guest.model;
  })();
  await checkOutside(temp, "base", model);
});

for (const copyMode of ["background", "write-blocking"] as const) {
  Deno.test(`mirror: ${copyMode}, and the guest goes over to the target`, async () => {
    await using temp = await TempFolder.make();
    const model = await (async () => {
      await using graph = testGraph();
      await using guest = await Guest.over(graph, temp);
      guest.begin(40);
      const target = await newTarget(graph, temp);
      const job = await startMirror(graph, { id: "j", source: guest.node, target, sync: "full", copyMode });
      await ready(job);
      const { writes } = guest;
      await turnsUntil(() => guest.writes > writes + 5);
      await job.complete();
      await job.concluded;
      await turnsUntil(() => guest.writes > writes + 20);
      await guest.rest();
      assertEquals([job.error, guest.node === target], [undefined, true]);
      assertEquals(await guest.difference(), -1);
      await graph.release(target);
      return guest.model;
    })();
    await checkOutside(temp, "target", model);
  });
}

Deno.test("mirror: cancelled when it is ready, the target is the disk of that moment, and the guest stays", async () => {
  await using temp = await TempFolder.make();
  await using graph = testGraph();
  await using guest = await Guest.over(graph, temp);
  const target = await newTarget(graph, temp);
  const before = guest.node;
  const job = await startMirror(graph, { id: "j", source: before, target, sync: "full", autoDismiss: false });
  await ready(job);
  for (let i = 0; i < 20; i++) await guest.step();
  await job.cancel(false);
  await job.concluded;
  assertEquals([job.status, job.isCancelled, guest.node === before], ["concluded", false, true]);
  assertEquals(await guest.difference(target), -1);
  await graph.release(target);
});

for (const sync of ["top", "none"] as const) {
  for (const copyMode of ["background", "write-blocking"] as const) {
    Deno.test(`mirror: ${sync}, ${copyMode}, over what it does not copy`, async () => {
      await using temp = await TempFolder.make();
      await using graph = testGraph();
      await using guest = await Guest.over(graph, temp);
      const target = await newTarget(graph, temp);
      const source = guest.node;
      const targetBacking = sync === "top" ? source.backing! : source;
      // Smaller than the target's clusters, in which the guest writes parts.
      const granularityBytes = 512;
      const job = await startMirror(graph, {
        id: "j",
        source,
        target,
        sync,
        targetBacking,
        copyMode,
        granularityBytes,
      });
      await ready(job);
      assertEquals(job.progress.total < DISK_BYTES / 2, true);
      for (let i = 0; i < 10; i++) await guest.step();
      await job.complete();
      await job.concluded;
      assertEquals([job.error, guest.node === target], [undefined, true]);
      assertEquals(chainNames(target.backing!), sync === "top" ? ["mid", "base"] : ["top", "mid", "base"]);
      for (let i = 0; i < 10; i++) await guest.step();
      assertEquals(await guest.difference(), -1);
      await graph.release(target);
    });
  }
}

for (const sync of ["full", "top"] as const) {
  Deno.test(`backup: ${sync}, the target is the disk as it was at the start`, async () => {
    await using temp = await TempFolder.make();
    await using graph = testGraph();
    await using guest = await Guest.over(graph, temp);
    let target = await newTarget(graph, temp);
    if (sync === "top") {
      await graph.release(target);
      await createImage(graph, {
        filename: temp.file("t2"),
        format: "qcow2",
        backingFile: "mid",
        backingFormat: "qcow2",
      });
      target = await graph.openImage({ filename: temp.file("t2"), options: { driver: "qcow2" } });
    }
    for (let i = 0; i < 10; i++) await guest.step();
    const then = guest.model.slice();
    const job = await startBackup(graph, { id: "j", source: guest.node, target, sync });
    guest.begin();
    await job.concluded;
    await guest.rest();
    assertEquals([job.error, job.progress.done], [undefined, job.progress.total]);
    assertEquals(await differenceOf(target, then), -1);
    assertEquals(await guest.difference(), -1);
    await graph.release(target);
  });
}

Deno.test("backup: compressed, and the real program reads it", async () => {
  await using temp = await TempFolder.make();
  const then = await (async () => {
    await using graph = testGraph();
    await using guest = await Guest.over(graph, temp);
    const target = await newTarget(graph, temp);
    await guest.drive.write(0, IoVector.of(new Uint8Array(65536).fill(5)));
    guest.model.fill(5, 0, 65536);
    const model = guest.model.slice();
    const job = await startBackup(graph, { id: "j", source: guest.node, target, sync: "full", compress: true });
    for (let i = 0; i < 5; i++) await guest.step();
    await job.concluded;
    assertEquals(job.error, undefined);
    assertEquals((await target.status(0, 65536)).compressed, true);
    await graph.release(target);
    return model;
  })();
  await checkOutside(temp, "target", then);
});

for (const clusterSize of [64 * KiB, 2 * MiB]) {
  Deno.test(`backup: compressed into clusters of ${clusterSize / KiB} KiB, of which parts are data`, async () => {
    await using temp = await TempFolder.make();
    const sizeBytes = DISK_BYTES + 36 * KiB;
    const model = new Uint8Array(sizeBytes);
    await (async () => {
      await using graph = testGraph();
      const make = async (name: string, cluster: number) => {
        const filename = temp.file(name);
        await createImage(graph, { filename, format: "qcow2", size: sizeBytes, values: { cluster_size: cluster } });
        return await graph.openImage({ filename, options: { driver: "qcow2" } });
      };
      const source = await make("source", 4 * KiB);
      // Islands of data that begin and end inside clusters of the target, at its borders, and at the end of the disk.
      for (let island = 0, at = 4 * KiB; at < sizeBytes; island++, at += (1 + island % 23) * 8 * KiB) {
        model.fill(1 + island % 250, at, at + (1 + island % 5) * 4 * KiB);
      }
      model.fill(77, sizeBytes - 8 * KiB);
      for (let at = 0; at < sizeBytes; at += 4 * KiB) {
        if (model[at] !== 0) await source.write(at, IoVector.of(model.subarray(at, at + 4 * KiB)));
      }
      const target = await make("target", clusterSize);
      const job = await startBackup(graph, { id: "j", source, target, sync: "full", compress: true });
      await job.concluded;
      assertEquals([job.error, await differenceOf(target, model)], [undefined, -1]);
      await graph.release(source);
      await graph.release(target);
    })();
    await checkOutside(temp, "target", model);
  });
}

Deno.test("backup: a compressed write that fails follows the policy for the target", async () => {
  await using temp = await TempFolder.make();
  const model = await (async () => {
    await using graph = testGraph();
    await using guest = await Guest.over(graph, temp);
    const target = await newTarget(graph, temp);
    const { driver } = target;
    const { writeCompressed } = driver;
    let failures = 3;
    driver.writeCompressed = (at, from) => {
      if (at > 0 && failures-- > 0) return Promise.reject(ioError("write", "EIO"));
      return writeCompressed!.call(driver, at, from);
    };
    const options = { id: "j", source: guest.node, target, sync: "full", compress: true, autoDismiss: false } as const;
    const failed = await startBackup(graph, options);
    await failed.concluded;
    assertEquals(failed.error, "Input/output error");
    failed.dismiss();
    const job = await startBackup(graph, { ...options, onTargetError: "ignore" });
    await job.concluded;
    assertEquals([job.error, failures < 0], [undefined, true]);
    await graph.release(target);
    return guest.model;
  })();
  await checkOutside(temp, "target", model);
});

Deno.test("backup: none keeps only what the guest writes over, until it is cancelled", async () => {
  await using temp = await TempFolder.make();
  await using graph = testGraph();
  await using guest = await Guest.over(graph, temp);
  const target = await newTarget(graph, temp);
  const then = guest.model.slice();
  const job = await startBackup(graph, { id: "j", source: guest.node, target, sync: "none" });
  for (let i = 0; i < 10; i++) await guest.step();
  const shown = new Uint8Array(DISK_BYTES);
  let kept = 0;
  for (let at = 0; at < DISK_BYTES; at += 65536) {
    const { kind } = await target.status(at, 65536);
    const from = kind === "unallocated" ? guest.model : then;
    if (kind !== "unallocated") kept++;
    shown.set(from.subarray(at, at + 65536), at);
  }
  assertEquals(kept > 0 && kept < DISK_BYTES / 65536, true);
  assertEquals(shown, then);
  await job.cancel(true);
  await job.concluded;
  assertEquals(await guest.difference(), -1);
  await graph.release(target);
});

Deno.test("a job that is cancelled at any step leaves a disk that reads as before", async () => {
  for (let steps = 0; steps < 12; steps++) {
    await using temp = await TempFolder.make();
    await using graph = testGraph();
    await using guest = await Guest.over(graph, temp);
    const nodes = graph.nodes.length;
    const target = await newTarget(graph, temp);
    const make: (() => Promise<Job>)[] = [
      () => startStream(graph, guest.node, { id: "j" }),
      () => startCommit(graph, { id: "j", overlay: guest.node, top: layer(guest, 1), base: layer(guest, 2) }),
      () => startMirror(graph, { id: "j", source: guest.node, target: layer(guest, 2), sync: "full", type: "commit" }),
      () => startMirror(graph, { id: "j", source: guest.node, target, sync: "full" }),
      () => startBackup(graph, { id: "j", source: guest.node, target, sync: "full" }),
    ];
    for (const start of make) {
      const job = await start();
      for (let i = 0; i < steps; i++) await nextTurn();
      await guest.step();
      if (job.status !== "null") await job.cancel(true);
      await job.concluded;
      assertEquals(await guest.difference(), -1, `${job.type} after ${steps} turns`);
      if (job.isCancelled) assertEquals(graph.nodes.length, nodes + 2, `${job.type} after ${steps} turns`);
      // Where it went to its end, the next ones would find another chain.
      else break;
    }
    // What was left half done is done again, to its end.
    const again = await startStream(graph, guest.node, { id: "again" });
    await again.concluded;
    assertEquals([again.error, chainNames(guest.node).length, await guest.difference()], [undefined, 1, -1]);
    await graph.release(target);
  }
});

Deno.test("jobs: ids, and nodes that another job has", async () => {
  await using temp = await TempFolder.make();
  await using graph = testGraph();
  await using guest = await Guest.over(graph, temp);
  const target = await newTarget(graph, temp);
  const refuses = async (work: () => Promise<unknown>, text: string) =>
    assertEquals((await assertRejects(work, BlockError)).message, text);
  await refuses(() => startStream(graph, guest.node, { id: "" }), "Invalid job ID ''");
  const job = await startBackup(graph, { id: "j", source: guest.node, target, sync: "none" });
  await refuses(() => startStream(graph, guest.node, { id: "j" }), "Job ID 'j' already in use");
  await refuses(
    async () => graph.jobs.refuseBusy(target, "backup"),
    "Node 'target' is busy: block device is in use by block job: backup",
  );
  await refuses(
    () => startStream(graph, guest.node, { id: "k", speed: -1 }),
    "Parameter 'speed' expects a non-negative value",
  );
  assertEquals((await assertRejects(() => commitAll(graph, guest.node), BlockError)).errno, "EBUSY");
  assertEquals(graph.jobs.list(), [job]);
  await graph.jobs.cancelAll();
  assertEquals(graph.jobs.list(), []);
  await graph.release(target);
});
