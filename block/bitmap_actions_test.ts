/** Bitmaps by name: states, refusals in QEMU's words, and what a node marks. */
import { createHash } from "node:crypto";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { IoVector } from "../base/io_vector.ts";
import { MiB } from "../base/units.ts";
import {
  addBitmap,
  bitmapInfos,
  bitmapSha256,
  clearBitmap,
  disableBitmap,
  enableBitmap,
  findBitmap,
  mergeBitmaps,
  removeBitmap,
} from "./bitmap_actions.ts";
import { BlockError } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import type { BlockNode } from "./node.ts";
import { testGraph } from "./testing.ts";

function memory(graph: BlockGraph, size: number, name: string): Promise<BlockNode> {
  return graph.open({ driver: "raw", "node-name": name, discard: "unmap", file: { driver: "memory", size } });
}

function refused(action: () => unknown, text: string): void {
  assertEquals(assertThrows(action, BlockError).message, text);
}

async function refusedLater(action: () => Promise<unknown>, text: string): Promise<void> {
  assertEquals((await assertRejects(action, BlockError)).message, text);
}

Deno.test("bitmaps are added, listed newest first, and removed", async () => {
  await using graph = testGraph();
  const node = await memory(graph, MiB, "node0");
  await addBitmap(node, { name: "a" });
  await addBitmap(node, { name: "b", granularityBytes: 4096, disabled: true });
  await node.write(5000, IoVector.allocate(10));
  const common = { busy: false, persistent: false, inconsistent: false };
  assertEquals(bitmapInfos(node), [
    { name: "b", granularityBytes: 4096, dirtyBytes: 0, recording: false, ...common },
    { name: "a", granularityBytes: 65536, dirtyBytes: 65536, recording: true, ...common },
  ]);
  enableBitmap(node, "b");
  disableBitmap(node, "a");
  await node.writeZeroes(MiB - 4096, 4096);
  await node.discard(0, 4096);
  assertEquals(bitmapInfos(node).map(({ dirtyBytes }) => dirtyBytes), [8192, 65536]);
  mergeBitmaps(node, "a", ["b"]);
  assertEquals(findBitmap(node, "a").dirtyBytes, 131_072);
  clearBitmap(node, "a");
  assertEquals(findBitmap(node, "a").dirtyBytes, 0);
  await removeBitmap(node, "a");
  assertEquals(bitmapInfos(node).map(({ name }) => name), ["b"]);
});

Deno.test("what cannot be is refused in QEMU's words", async () => {
  await using graph = testGraph();
  const node = await memory(graph, MiB, "node0");
  const other = await memory(graph, 2 * MiB, "node1");
  const a = await addBitmap(node, { name: "a" });
  await addBitmap(other, { name: "long" });
  await refusedLater(() => addBitmap(node, { name: "a" }), "Bitmap already exists: a");
  await refusedLater(() => addBitmap(node, { name: "" }), "Bitmap name cannot be empty");
  const granularity = "Granularity must be power of 2 and at least 512";
  for (const granularityBytes of [0, 256, 1000, 2 ** 32]) {
    await refusedLater(() => addBitmap(node, { name: "b", granularityBytes }), granularity);
  }
  const long = "n".repeat(1024);
  await refusedLater(() => addBitmap(node, { name: long }), `Bitmap name too long: ${long}`);
  await refusedLater(
    () => addBitmap(node, { name: "b", persistent: true }),
    "Can't store persistent bitmaps to node0: Operation not supported",
  );
  for (const action of [clearBitmap, enableBitmap, disableBitmap]) {
    refused(() => action(node, "b"), "Dirty bitmap 'b' not found");
  }
  refused(() => mergeBitmaps(node, "a", ["a", "b"]), "Dirty bitmap 'b' not found");
  refused(
    () => mergeBitmaps(node, "a", [{ node: other, name: "long" }]),
    "Bitmaps are of different sizes (destination size is 1048576, source size is 2097152) and can't be merged",
  );
  a.busy = true;
  const busy = "Bitmap 'a' is currently in use by another operation and cannot be used";
  refused(() => clearBitmap(node, "a"), busy);
  await refusedLater(() => removeBitmap(node, "a"), busy);
  a.busy = false;
  a.readOnly = true;
  refused(() => clearBitmap(node, "a"), "Bitmap 'a' is readonly and cannot be modified");
  disableBitmap(node, "a");
  a.readOnly = false;
  a.inconsistent = true;
  const error = assertThrows(() => enableBitmap(node, "a"), BlockError);
  assertEquals(error.message, "Bitmap 'a' is inconsistent and cannot be used");
  assertEquals(error.help, "Try block-dirty-bitmap-remove to delete this bitmap from disk");
  await removeBitmap(node, "a");
});

Deno.test("a merge that is refused changes nothing", async () => {
  await using graph = testGraph();
  const node = await memory(graph, MiB, "node0");
  const a = await addBitmap(node, { name: "a" });
  const b = await addBitmap(node, { name: "b" });
  const c = await addBitmap(node, { name: "c" });
  b.set(0, MiB);
  c.inconsistent = true;
  assertThrows(() => mergeBitmaps(node, "a", ["b", "c"]), BlockError);
  assertEquals(a.dirtyBytes, 0);
});

Deno.test("the hash is that of the units in words of 64 bits", async () => {
  await using graph = testGraph();
  const node = await memory(graph, 100 * 65536, "node0");
  const bitmap = await addBitmap(node, { name: "a" });
  bitmap.set(0, 1);
  bitmap.set(99 * 65536, 1);
  const words = new Uint8Array(16);
  words[0] = 1;
  words[12] = 1 << 3;
  assertEquals(await bitmapSha256(node, "a"), createHash("sha256").update(words).digest("hex"));
});

Deno.test("a write that fails is marked all the same", async () => {
  await using graph = testGraph();
  const node = await graph.open({
    driver: "blkdebug",
    image: { driver: "memory", size: MiB },
    "inject-error": [{ event: "none", iotype: "write", once: true }],
  });
  const bitmap = await addBitmap(node, { name: "a" });
  await assertRejects(() => node.write(70000, IoVector.allocate(10)), BlockError);
  assertEquals(bitmap.nextDirty(), { at: 65536, length: 65536 });
});
