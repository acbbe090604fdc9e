/** Allocating writes over a file that answers at once: nothing waits, and yet nothing is lost, shown or counted twice. */
import { assert, assertEquals } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { SeededRandom } from "../../../base/random.ts";
import { KiB, MiB } from "../../../base/units.ts";
import { haveProgram } from "../../../tests/support/programs.ts";
import { createImage } from "../../create.ts";
import { DONE } from "../../done.ts";
import { testGraph } from "../../testing.ts";
import type { CreateValues } from "../../driver.ts";
import { createTestImage, fileNode, MemoryFile, openTestImage, runProgram } from "./testing.ts";

const SECTOR = 512;

async function promptFile(values: CreateValues): Promise<MemoryFile> {
  const file = await createTestImage(values) as MemoryFile;
  file.prompt = true;
  return file;
}

const SHAPES: { name: string; values: CreateValues; options?: Record<string, unknown>; backing?: number }[] = [
  { name: "defaults", values: {} },
  { name: "512 byte clusters", values: { cluster_size: 512 } },
  {
    name: "1 bit refcounts, small caches",
    values: { cluster_size: 1024, refcount_bits: 1 },
    options: { "l2-cache-size": 1024, "l2-cache-entry-size": 512, "refcount-cache-size": 4096 },
  },
  { name: "64 bit refcounts", values: { cluster_size: 2048, refcount_bits: 64 } },
  { name: "lazy refcounts", values: { cluster_size: 4096, lazy_refcounts: true } },
  { name: "version 2", values: { cluster_size: 4096, compat: "0.10" } },
  { name: "a shorter backing file", values: { cluster_size: 4096 }, backing: 100 * KiB },
];

for (const { name, values, options, backing } of SHAPES) {
  Deno.test({
    name: `random requests over a prompt file: ${name}`,
    ignore: !haveProgram("qemu-img"),
    fn: async () => {
      const size = 300 * KiB;
      for (let seed = 1; seed <= 3; seed++) {
        const random = new SeededRandom(seed);
        const file = await promptFile({ ...values, size });
        const model = new Uint8Array(size);
        if (backing !== undefined) model.fill(9, 0, backing);
        const backingNode = backing === undefined
          ? undefined
          : fileNode(new MemoryFile(model.slice(0, backing)), "backing");
        const open = () =>
          openTestImage(file, { discard: "unmap", ...(backingNode === undefined ? {} : { backingNode }), ...options });
        let image = await open();
        for (let step = 0; step < 150; step++) {
          const at = random.below(size / SECTOR) * SECTOR;
          const length = Math.min(size - at, (1 + random.below(20)) * SECTOR);
          switch (random.below(8)) {
            case 0:
              await image.node.writeZeroes(at, length, { unmap: random.below(2) === 0 });
              model.fill(0, at, at + length);
              break;
            case 1: {
              await image.node.discard(at, length);
              // What a discarded area reads as is the image's affair.
              model.set(await image.read(at, length), at);
              break;
            }
            case 2:
              if (random.below(4) > 0) await image.node.flush();
              else {
                await image[Symbol.asyncDispose]();
                image = await open();
              }
              break;
            case 3:
              assertEquals(await image.read(at, length), model.slice(at, at + length), `seed ${seed}, step ${step}`);
              break;
            default: {
              const writes: Promise<void>[] = [];
              for (let from = at; from < at + length;) {
                const piece = Math.min(at + length - from, (1 + random.below(12)) * SECTOR);
                const bytes = new Uint8Array(piece).fill(1 + random.below(255));
                writes.push(image.write(from, bytes));
                model.set(bytes, from);
                from += piece;
              }
              await Promise.all(writes);
            }
          }
        }
        assertEquals(await image.read(0, size), model);
        await image[Symbol.asyncDispose]();
        const path = await Deno.makeTempFile();
        try {
          await Deno.writeFile(path, file.content());
          const { code, stdout, stderr } = await runProgram("qemu-img", "check", "-f", "qcow2", path);
          assertEquals(code, 0, `seed ${seed}: ${stdout}${stderr}`);
        } finally {
          await Deno.remove(path);
        }
      }
    },
  });
}

Deno.test("an allocating write with cached tables is one write to the file, and nobody waits for it", async () => {
  const file = await promptFile({ size: 64 * MiB });
  await using image = await openTestImage(file);
  await image.write(0, new Uint8Array(SECTOR));
  const writes = file.writes;
  const sizeBefore = file.size;
  const data = IoVector.of(new Uint8Array(4 * KiB).fill(3));
  assert(image.node.write(1 * MiB, data) === DONE);
  assert(image.node.write(5 * MiB + 8 * KiB, data) === DONE);
  assertEquals(file.writes, writes + 2);
  // The second one begins 8 KiB into its cluster, which is the file's last and ends with the data for now.
  assertEquals(file.size - sizeBefore, 2 * 64 * KiB + 12 * KiB - SECTOR);
});

Deno.test("sixteen writes at once go on while tables are made and read", async () => {
  const file = await promptFile({ size: 64 * MiB, cluster_size: 4096 });
  await using image = await openTestImage(file, { "l2-cache-size": 8 * KiB });
  const lanes = Array.from({ length: 16 }, async (_, lane) => {
    for (let i = 0; i < 40; i++) {
      const at = (i * 16 + lane) * 104 * KiB % (63 * MiB);
      await image.write(at - at % 4096, new Uint8Array(SECTOR).fill(1 + lane));
    }
  });
  await Promise.all(lanes);
  const { corruptions, leaks, allocatedClusters } = await image.driver.check({ fix: "none" });
  assertEquals([corruptions, leaks, allocatedClusters], [
    0,
    0,
    new Set(
      Array.from({ length: 640 }, (_, i) => Math.floor(i * 104 * KiB % (63 * MiB) / 4096)),
    ).size,
  ]);
});

Deno.test("a cluster that is taken again shows nothing of what it held", async () => {
  const file = await promptFile({ size: 1 * MiB });
  await using image = await openTestImage(file, { discard: "unmap", "pass-discard-request": false });
  await image.write(0, new Uint8Array(64 * KiB).fill(0xaa));
  const before = file.size;
  await image.node.discard(0, 64 * KiB);
  await image.node.flush();
  await image.write(128 * KiB + SECTOR, new Uint8Array(SECTOR).fill(1));
  assertEquals(file.size, before);
  const cluster = await image.read(128 * KiB, 64 * KiB);
  assertEquals(cluster.reduce((sum, byte) => sum + byte, 0), SECTOR);
});

Deno.test("a file ends with a whole cluster once the image is closed", async () => {
  const file = await promptFile({ size: 1 * MiB });
  const image = await openTestImage(file);
  await image.write(0, new Uint8Array(SECTOR).fill(1));
  assert(file.size % (64 * KiB) !== 0);
  await image[Symbol.asyncDispose]();
  assertEquals(file.size % (64 * KiB), 0);
});

Deno.test("what no layer holds is read through at once, and a long chain does not fill the stack", async () => {
  const layers = 40;
  const graph = testGraph();
  const directory = await Deno.makeTempDir();
  try {
    const name = (layer: number) => `${directory}/${layer}.qcow2`;
    await createImage(graph, { filename: name(0), format: "qcow2", size: 1 * MiB });
    for (let layer = 1; layer <= layers; layer++) {
      const backing = { backingFile: name(layer - 1), backingFormat: "qcow2" };
      await createImage(graph, { filename: name(layer), format: "qcow2", ...backing });
    }
    const base = await graph.openImage({ filename: name(0), options: { driver: "qcow2" } });
    await base.write(64 * KiB, IoVector.of(new Uint8Array(64 * KiB).fill(7)));
    await graph.release(base);
    const found: boolean[] = [];
    for (const layer of [10, layers]) {
      const node = await graph.openImage({ filename: name(layer), options: { driver: "qcow2", "read-only": true } });
      const bytes = new Uint8Array(8 * KiB);
      // The first read loads tables; what lies behind the base's data reads as zeroes.
      for (let round = 0; round < 40; round++) {
        await node.read(96 * KiB, IoVector.of(bytes));
        assert(bytes.every((byte) => byte === 7));
      }
      await node.read(124 * KiB, IoVector.of(bytes));
      assertEquals([bytes[4095], bytes[4096]], [7, 0]);
      const work = node.read(512 * KiB, IoVector.of(bytes));
      found.push(work === DONE);
      await work;
      assertEquals(bytes[0], 0);
      await graph.release(node);
    }
    assertEquals(found, [true, false]);
  } finally {
    await graph[Symbol.asyncDispose]();
    await Deno.remove(directory, { recursive: true });
  }
});
