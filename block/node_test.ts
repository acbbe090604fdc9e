import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../base/io_vector.ts";
import { TraceEvents } from "../base/trace.ts";
import { BlockBackend } from "./backend.ts";
import { DirtyBitmap } from "./bitmap.ts";
import type { BlockDriver, Extent } from "./driver.ts";
import { BlockError, ioError } from "./errors.ts";
import { BlockNode } from "./node.ts";
import { SlowMemory } from "./protocols/memory/slow_memory.ts";
import { pattern, testGraph } from "./testing.ts";
import { NodeTraces } from "./traces.ts";

const SIZE = 64 * 1024;

function nodeOver(driver: BlockDriver, options: Partial<ConstructorParameters<typeof BlockNode>[0]> = {}): BlockNode {
  return new BlockNode({ name: "node0", kind: "protocol", driver, ...options });
}

async function bytesOf(node: BlockNode, at = 0, length = node.size): Promise<Uint8Array> {
  const into = IoVector.allocate(length);
  await node.read(at, into);
  return into.toBytes();
}

Deno.test("BlockNode: unaligned requests of any shape equal a byte array", async () => {
  const operation = fc.record({
    kind: fc.constantFrom("read", "write", "zero", "detect"),
    at: fc.nat(SIZE - 1),
    length: fc.integer({ min: 1, max: 12_000 }),
    slices: fc.integer({ min: 1, max: 5 }),
    seed: fc.nat(1000),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 25 }),
      fc.constantFrom(1, 512, 4096),
      async (operations, alignBytes) => {
        const limits = { alignBytes, maxTransferBytes: 8192, maxSlices: 3, zeroAlignBytes: 8192, maxZeroBytes: 16384 };
        const node = nodeOver(new SlowMemory(SIZE, limits));
        const model = new Uint8Array(SIZE);
        for (const { kind, at, length: wanted, slices, seed } of operations) {
          const length = Math.min(wanted, SIZE - at);
          const data = kind === "detect" ? new Uint8Array(length) : pattern(length, seed);
          const step = Math.ceil(length / slices);
          const parts = Array.from({ length: slices }, (_, i) => data.subarray(i * step, (i + 1) * step));
          node.detectZeroes = kind === "detect" ? "on" : "off";
          if (kind === "read") assertEquals(await bytesOf(node, at, length), model.slice(at, at + length));
          else if (kind === "zero") {
            await node.writeZeroes(at, length);
            model.fill(0, at, at + length);
          } else {
            await node.write(at, IoVector.from(parts));
            model.set(data, at);
          }
        }
        assertEquals(await bytesOf(node), model);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("BlockNode: concurrent writes that share alignment units lose nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer({ min: 1, max: SIZE - 1 }), { minLength: 2, maxLength: 24 }),
      fc.nat(1000),
      async (cuts, seed) => {
        const driver = new SlowMemory(SIZE, { alignBytes: 4096 }, { seed, turns: 12 });
        const node = nodeOver(driver);
        const expected = pattern(SIZE, seed);
        const edges = [0, ...cuts.sort((a, b) => a - b), SIZE];
        const pieces = edges.slice(1).map((end, index) => ({ at: edges[index]!, end }));
        // From the back to the front as well as in order, so that who comes first varies.
        const order = seed % 2 === 0 ? pieces : pieces.toReversed();
        await Promise.all(order.map(({ at, end }) => node.write(at, IoVector.of(expected.subarray(at, end)))));
        assertEquals(await bytesOf(node), expected);
        assertEquals(node.inFlight, 0);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("BlockNode: an aligned write that overlaps a read-modify-write waits for it", async () => {
  const driver = new SlowMemory(8192, { alignBytes: 4096 }, { turns: 9 });
  const node = nodeOver(driver);
  await Promise.all([
    node.write(100, IoVector.of(new Uint8Array(10).fill(1))),
    node.write(0, IoVector.of(new Uint8Array(4096).fill(2))),
    node.write(4000, IoVector.of(new Uint8Array(200).fill(3))),
  ]);
  const bytes = await bytesOf(node);
  assertEquals([bytes[99], bytes[105], bytes[3999], bytes[4000], bytes[4199], bytes[4200]], [2, 2, 2, 3, 3, 0]);
});

Deno.test("BlockNode: beyond the end reads zeroes; the size is whole sectors", async () => {
  const node = nodeOver(new SlowMemory(1000, { alignBytes: 1 }));
  await node.write(990, IoVector.of(new Uint8Array(10).fill(9)));
  assertEquals(node.size, 1024);
  const bytes = await bytesOf(node, 990, 100);
  assertEquals([...bytes.subarray(0, 12)], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0]);
});

Deno.test("BlockNode: a flush with nothing new is left out, one in progress is waited for", async () => {
  const driver = new SlowMemory(4096, { alignBytes: 1 }, { turns: 5 });
  const node = nodeOver(driver);
  await node.flush();
  assertEquals(driver.flushes, 0);
  await node.write(0, IoVector.allocate(512));
  await Promise.all([node.flush(), node.flush(), node.flush()]);
  assertEquals(driver.flushes, 1);
  await node.write(0, IoVector.allocate(512), {});
  driver.failNext = ioError("flush", "EIO");
  await assertRejects(() => node.flush(), BlockError, "Input/output error");
  await node.flush();
  assertEquals(driver.flushes, 3);
});

Deno.test("BlockNode: cache.no-flush swallows flushes of protocols", async () => {
  const driver = new SlowMemory(4096, { alignBytes: 1 });
  const node = nodeOver(driver, { cacheNoFlush: true });
  await node.write(0, IoVector.allocate(512), { fua: true });
  assertEquals(driver.flushes, 0);
});

Deno.test("BlockNode: before-write hooks see what was there, and can refuse", async () => {
  const node = nodeOver(new SlowMemory(4096, { alignBytes: 1 }));
  const seen: number[] = [];
  const end = node.beforeWrite(async ({ at, length, from }) => {
    seen.push(at, length, (await bytesOf(node, at, 1))[0]!);
    if (from?.toBytes()[0] === 66) throw ioError("write", "EPERM");
  });
  await node.write(10, IoVector.of(new Uint8Array([5, 6])));
  await node.writeZeroes(10, 1);
  await assertRejects(() => node.write(10, IoVector.of(new Uint8Array([66]))), BlockError, "Operation not permitted");
  end();
  await node.write(10, IoVector.of(new Uint8Array([66])));
  assertEquals(seen, [10, 2, 0, 10, 1, 5, 10, 1, 0]);
});

Deno.test("BlockNode: bitmaps follow writes, zeroes, discards and the size", async () => {
  const node = nodeOver(new SlowMemory(1 << 20, { alignBytes: 1 }), { discard: true });
  const bitmap = new DirtyBitmap({ sizeBytes: node.size, granularityBytes: 65536 });
  node.bitmaps.push(bitmap);
  await node.write(70000, IoVector.allocate(1));
  await node.discard(65536 * 4, 65536);
  assertEquals(bitmap.nextDirty(), { at: 65536, length: 65536 });
  assertEquals(bitmap.nextDirty(131072), { at: 262144, length: 65536 });
  await node.truncate(1 << 21);
  assertEquals(bitmap.sizeBytes, 1 << 21);
  assertEquals(node.writeHighestOffset, 70001);
});

Deno.test("BlockNode: discard=ignore swallows discards, a read-only node refuses writes", async () => {
  const driver = new SlowMemory(4096, { alignBytes: 1 });
  await nodeOver(driver).discard(0, 4096);
  assertEquals(driver.log, []);
  const node = nodeOver(driver, { readOnly: true });
  const refused = await assertRejects(() => node.write(0, IoVector.allocate(512)), BlockError);
  assertEquals(refused.errno, "EPERM");
});

Deno.test("BlockNode: discards reach the driver in whole units", async () => {
  const driver = new SlowMemory(1 << 20, { alignBytes: 512, discardAlignBytes: 65536, maxDiscardBytes: 131072 });
  await nodeOver(driver, { discard: true }).discard(1000, 400_000);
  assertEquals(driver.log.filter((line) => line.startsWith("discard")), [
    "discard 1024+64512",
    "discard 65536+131072",
    "discard 196608+131072",
    "discard 327680+65536",
    "discard 393216+7680",
  ]);
});

Deno.test("BlockNode: drained sections hold backends back and wait for what is below", async () => {
  await using graph = testGraph();
  const driver = new SlowMemory(8192, { alignBytes: 1 }, { turns: 40 });
  const node = nodeOver(driver);
  graph.enter(node);
  await using backend = new BlockBackend({ graph, name: "a" });
  await backend.insertMedium(node);
  const first = backend.write(0, IoVector.of(new Uint8Array(512).fill(1)));
  await node.drainedBegin();
  assertEquals(node.inFlight, 0);
  const second = backend.write(0, IoVector.of(new Uint8Array(512).fill(2)));
  await node.write(0, IoVector.of(new Uint8Array(512).fill(3)));
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  assertEquals((await bytesOf(node, 0, 1))[0], 3);
  node.drainedEnd();
  await Promise.all([first, second]);
  assertEquals((await bytesOf(node, 0, 1))[0], 2);
});

Deno.test("BlockNode: copy on read writes what only the backing has, once", async () => {
  class Overlay extends SlowMemory {
    readonly units = new Set<number>();
    override async status(at: number, length: number): Promise<Extent> {
      const unit = Math.floor(at / 4096);
      const kind = this.units.has(unit) ? "data" : "unallocated";
      return { lengthBytes: Math.min(length, (unit + 1) * 4096 - at), kind };
    }
    override async read(at: number, into: IoVector): Promise<void> {
      await super.read(at, into);
      if (!this.units.has(Math.floor(at / 4096))) into.fill(7);
    }
    override async write(at: number, from: IoVector): Promise<void> {
      for (let unit = at / 4096; unit < (at + from.length) / 4096; unit++) this.units.add(unit);
      await super.write(at, from);
    }
  }
  const driver = new Overlay(16384, { alignBytes: 512, zeroAlignBytes: 4096 });
  const node = nodeOver(driver);
  const end = node.enableCopyOnRead();
  assertEquals((await bytesOf(node, 5000, 10)).every((byte) => byte === 7), true);
  assertEquals([...driver.units], [1]);
  const writes = driver.log.filter((line) => line.startsWith("write")).length;
  await bytesOf(node, 5000, 10);
  assertEquals(driver.log.filter((line) => line.startsWith("write")).length, writes);
  end();
  await bytesOf(node, 0, 512);
  assert(!driver.units.has(0));
});

Deno.test("BlockNode: trace events are silent until they are switched on", async () => {
  const events = new TraceEvents();
  const lines: string[] = [];
  events.sink = (line) => lines.push(line);
  const node = nodeOver(new SlowMemory(4096, { alignBytes: 1 }), { traces: new NodeTraces(events) });
  await node.write(0, IoVector.allocate(512));
  events.set("bdrv_*", true);
  await node.write(512, IoVector.allocate(1024));
  await node.read(0, IoVector.allocate(1));
  assertEquals(lines, [
    "bdrv_co_pwritev_part bs node0 offset 512 bytes 1024 flags 0x0",
    "bdrv_co_preadv_part bs node0 offset 0 bytes 1 flags 0x0",
  ]);
});
