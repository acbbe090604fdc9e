/** Filters on memory: what is beyond the command lines of tests/interop. */
import { assertEquals, assertRejects } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { SeededRandom } from "../../base/random.ts";
import { NS_PER_S } from "../../base/units.ts";
import { BlockBackend } from "../backend.ts";
import type { GraphEvent } from "../driver.ts";
import { BlockError } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import { pattern, testGraph } from "../testing.ts";
import { firstDifference } from "./difference.ts";

const SIZE = 1024 * 1024;
const memory = { driver: "memory", size: SIZE } as const;

async function readAll(node: BlockNode, length = SIZE): Promise<Uint8Array> {
  const into = IoVector.allocate(length);
  await node.read(0, into);
  return into.toBytes();
}

/** Says where they differ: listing large arrays takes minutes. */
function assertSame(seen: Uint8Array, wanted: Uint8Array, what = ""): void {
  assertEquals(seen.length, wanted.length, what);
  assertEquals(firstDifference(seen, wanted), undefined, what);
}

const bytes = (value: number, length: number) => IoVector.of(new Uint8Array(length).fill(value));

Deno.test("throttle: requests wait on the clock, limits change while they do, who drains does not wait", async () => {
  const clock = new ManualClock();
  await using graph = testGraph({ clocks: { virtual: clock, realtime: clock, host: clock } });
  graph.objects.add({ "qom-type": "throttle-group", id: "g", limits: { "iops-total": 10 } });
  const node = await graph.open({ driver: "throttle", "throttle-group": "g", file: memory });
  let ended = 0;
  const writes = Array.from({ length: 30 }, () => node.write(0, bytes(1, 512)).then(() => ended++));
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
  clock.advance(NS_PER_S);
  await settled();
  const first = ended;
  assertEquals(first >= 10 && first <= 12, true, `${first} in a second`);
  graph.objects.set("g", "limits", { "iops-total": 100 });
  clock.advance(NS_PER_S);
  await Promise.all(writes);
  assertEquals(
    (await assertRejects(async () => graph.objects.remove("g"), BlockError)).message,
    "object 'g' is in use, can not be deleted",
  );
  graph.objects.set("g", "limits", { "iops-total": 1 });
  const slow = Array.from({ length: 5 }, () => node.write(0, bytes(2, 512)));
  await node.drainedBegin();
  node.drainedEnd();
  await Promise.all(slow);
  await using backend = new BlockBackend({ graph, name: "d" });
  await backend.insertMedium(node);
  const more = Array.from({ length: 5 }, () => backend.write(0, bytes(3, 512)));
  await backend.drain();
  await Promise.all(more);
});

Deno.test("throttle: a group goes with its last node and can then be deleted", async () => {
  await using graph = testGraph();
  graph.objects.add({ "qom-type": "throttle-group", id: "g" });
  const node = await graph.open({ driver: "throttle", "throttle-group": "g", file: memory });
  await graph.release(node);
  graph.objects.remove("g");
  const again = () => graph.open({ driver: "throttle", "throttle-group": "g", file: memory });
  assertEquals((await assertRejects(again, BlockError)).message, "Throttle group 'g' does not exist");
});

Deno.test("copy-before-write: the snapshot stays what the disk was, whatever is written", async () => {
  await using graph = testGraph();
  const disk = await graph.open({ ...memory, "node-name": "disk" });
  const before = pattern(SIZE, 3);
  await disk.write(0, IoVector.of(before));
  const guest = await graph.open({
    driver: "copy-before-write",
    "node-name": "cbw",
    file: "disk",
    target: { driver: "memory", size: SIZE },
  });
  const snapshot = await graph.open({ driver: "snapshot-access", file: "cbw" });
  const now = before.slice();
  const random = new SeededRandom(5);
  for (let i = 0; i < 60; i++) {
    const at = random.below(SIZE / 512) * 512;
    const length = Math.min((1 + random.below(300)) * 512, SIZE - at);
    const value = random.below(3);
    const write = value === 0 ? guest.writeZeroes(at, length) : guest.write(at, bytes(value, length));
    now.fill(value, at, at + length);
    const place = random.below(SIZE / 1024) * 512;
    const part = IoVector.allocate(65536 * 3);
    // Side by side: neither may see the other.
    await Promise.all([write, snapshot.read(place, part.slice(0, Math.min(part.length, SIZE - place)))]);
    const seen = part.toBytes().slice(0, Math.min(part.length, SIZE - place));
    assertSame(seen, before.slice(place, place + seen.length), `read ${i} at ${place}`);
  }
  assertSame(await readAll(snapshot), before);
  assertSame(await readAll(guest), now);
  assertEquals((await assertRejects(() => snapshot.write(0, bytes(1, 512)), BlockError)).errno, "ENOTSUP");
});

Deno.test("copy-before-write: what the snapshot's user has no use for is not kept", async () => {
  await using graph = testGraph();
  const disk = await graph.open({ ...memory, "node-name": "disk" });
  await graph.open({ driver: "copy-before-write", "node-name": "cbw", file: "disk", target: memory });
  const snapshot = await graph.open({ driver: "snapshot-access", file: "cbw", discard: "unmap" });
  await snapshot.discard(65536, 131072);
  const error = await assertRejects(() => snapshot.read(65536, IoVector.allocate(512)), BlockError);
  assertEquals(error.errno, "EACCES");
  await snapshot.read(0, IoVector.allocate(65536));
  assertEquals(disk.size, SIZE);
});

for (const mode of ["break-guest-write", "break-snapshot"] as const) {
  Deno.test(`copy-before-write: a target that fails: ${mode}`, async () => {
    await using graph = testGraph();
    const guest = await graph.open({
      driver: "copy-before-write",
      "node-name": "cbw",
      "on-cbw-error": mode,
      file: memory,
      target: { driver: "blkdebug", image: memory, "inject-error": [{ event: "none", iotype: "write" }] },
    });
    const snapshot = await graph.open({ driver: "snapshot-access", file: "cbw" });
    await guest.read(0, IoVector.allocate(512));
    const disk = graph.find("cbw")!.child("file")!;
    await disk.write(0, bytes(7, 65536));
    const write = guest.write(0, bytes(1, 512));
    if (mode === "break-guest-write") {
      assertEquals((await assertRejects(() => write, BlockError)).errno, "EIO");
      await snapshot.read(0, IoVector.allocate(512));
    } else {
      await write;
      const error = await assertRejects(() => snapshot.read(0, IoVector.allocate(512)), BlockError);
      assertEquals(error.errno, "EACCES");
    }
  });
}

Deno.test("quorum: what goes wrong is told", async () => {
  await using graph = testGraph();
  const told: GraphEvent[] = [];
  graph.events.on("event", (event) => told.push(event));
  const failing = {
    driver: "blkdebug",
    image: memory,
    "inject-error": [
      { event: "none", iotype: "read", errno: 28 },
      { event: "none", iotype: "write", errno: 28 },
    ],
  } as const;
  const node = await graph.open({
    driver: "quorum",
    "node-name": "q",
    "vote-threshold": 2,
    children: [memory, memory, { ...failing, "node-name": "bad" }],
  });
  await node.write(512, bytes(1, 1024));
  await node.read(512, IoVector.allocate(1024));
  const bad = { "node-name": "bad", error: "No space left on device", "sector-num": 1, "sectors-count": 2 };
  assertEquals(told.splice(0), [
    { name: "QUORUM_REPORT_BAD", data: { type: "write", ...bad } },
    { name: "QUORUM_REPORT_BAD", data: { type: "read", ...bad } },
  ]);
  await node.child("children.0")!.write(512, bytes(9, 512));
  assertEquals((await assertRejects(() => node.read(512, IoVector.allocate(512)), BlockError)).errno, "EIO");
  assertEquals(told.at(-1), {
    name: "QUORUM_FAILURE",
    data: { reference: "q", "sector-num": 1, "sectors-count": 1 },
  });
});

Deno.test("quorum: rewrite-corrupted mends the copy that lost", async () => {
  await using graph = testGraph();
  const node = await graph.open({
    driver: "quorum",
    "vote-threshold": 2,
    "rewrite-corrupted": true,
    children: [memory, memory, memory],
  });
  const wrong = node.child("children.1")!;
  await wrong.write(0, bytes(9, 512));
  assertEquals((await readAll(node, 4096)).some((byte) => byte !== 0), false);
  assertEquals((await readAll(wrong, 512)).some((byte) => byte !== 0), false);
});

Deno.test("blkverify: a difference is told once and is the end", async () => {
  const said: string[] = [];
  await using graph = testGraph({ notice: (line) => said.push(line) });
  const node = await graph.open({ driver: "blkverify", raw: memory, test: memory });
  await node.write(0, bytes(4, 4096));
  assertSame(await readAll(node, 4096), new Uint8Array(4096).fill(4));
  await node.child("raw")!.write(1000, bytes(5, 8));
  const text = "blkverify: read offset=0 bytes=4096 contents mismatch at offset 1000";
  assertEquals((await assertRejects(() => readAll(node, 4096), BlockError)).message, text);
  assertEquals((await assertRejects(() => node.write(0, bytes(1, 512)), BlockError)).message, text);
  assertEquals(said, [text]);
});

Deno.test("preallocate: the file is as long as what was written when it is closed, and longer before", async () => {
  await using graph = testGraph();
  const path = await Deno.makeTempFile();
  try {
    const node = await graph.open({
      driver: "preallocate",
      "prealloc-size": 65536,
      "prealloc-align": 4096,
      file: { driver: "file", filename: path },
    });
    await node.write(0, bytes(1, 4096));
    assertEquals(node.size, 4096);
    assertEquals(Deno.statSync(path).size, 4096 + 65536);
    await Promise.all([node.write(4096, bytes(2, 4096)), node.write(200_000 - 200_000 % 512, bytes(3, 512))]);
    const end = 200_000 - 200_000 % 512 + 512;
    assertEquals(node.size, end);
    const seen = await readAll(node, end + 512);
    const wanted = new Uint8Array(end + 512);
    wanted.fill(1, 0, 4096).fill(2, 4096, 8192).fill(3, end - 512, end);
    assertSame(seen, wanted);
    await graph.release(node);
    assertEquals(Deno.statSync(path).size, end);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("filters on qcow2 read as their chain does", async () => {
  await using graph = testGraph();
  graph.objects.add({ "qom-type": "throttle-group", id: "g" });
  const disk = await graph.open({ ...memory, "node-name": "disk" });
  await disk.write(0, bytes(6, 4096));
  const node = await graph.open({
    driver: "raw",
    file: { driver: "copy-on-read", file: { driver: "throttle", "throttle-group": "g", file: "disk" } },
  });
  assertEquals((await readAll(node, 4096))[0], 6);
  await node.write(0, bytes(8, 512));
  assertEquals((await readAll(disk, 512))[0], 8);
});

Deno.test("copy-before-write: a copy that takes too long fails the write, and a late one harms nothing", async () => {
  const clock = new ManualClock();
  await using graph = testGraph({ clocks: { virtual: clock, realtime: clock, host: clock } });
  const disk = await graph.open({ driver: "blkdebug", "node-name": "disk", image: memory });
  const guest = await graph.open({
    driver: "copy-before-write",
    "node-name": "cbw",
    "cbw-timeout": 1,
    file: "disk",
    target: memory,
  });
  const snapshot = await graph.open({ driver: "snapshot-access", file: "cbw" });
  await disk.write(0, bytes(7, 65536));
  const points = disk.driver.breakpoints!;
  points.set("none", "slow", () => {});
  disk.debugEvent("none");
  const write = guest.write(0, bytes(1, 512));
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
  await settled();
  clock.advance(2 * NS_PER_S);
  assertEquals((await assertRejects(() => write, BlockError)).errno, "ETIMEDOUT");
  await guest.write(0, bytes(2, 65536));
  points.resume("slow");
  await settled();
  assertSame(await readAll(snapshot, 65536), new Uint8Array(65536).fill(7));
  assertSame(await readAll(guest, 65536), new Uint8Array(65536).fill(2));
});
