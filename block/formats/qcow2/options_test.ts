/** Runtime options, and the small tables that requests go through. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { KiB, MiB, NS_PER_S } from "../../../base/units.ts";
import { BlockError } from "../../errors.ts";
import { decodeEntry, encodeEntry, type StandardMapping } from "./mapping.ts";
import { AREA, MetadataMap } from "./overlap.ts";
import { readCount, writeCount } from "./refcounts.ts";
import { createTestImage, fileNode, MemoryFile, openTestImage } from "./testing.ts";

Deno.test("cache options that contradict one another are refused with QEMU's text", async () => {
  const file = await createTestImage({ size: MiB, cluster_size: 4096 });
  const cases: [Record<string, number>, string][] = [
    [
      { "l2-cache-entry-size": 768 },
      "L2 cache entry size must be a power of two between 512 and the cluster size (4096)",
    ],
    [
      { "l2-cache-entry-size": 8192 },
      "L2 cache entry size must be a power of two between 512 and the cluster size (4096)",
    ],
    [{ "cache-size": 4096, "l2-cache-size": 8192 }, "l2-cache-size may not exceed cache-size"],
    [{ "cache-size": 4096, "refcount-cache-size": 8192 }, "refcount-cache-size may not exceed cache-size"],
    [
      { "cache-size": 4096, "l2-cache-size": 1024, "refcount-cache-size": 2048 },
      "cache-size, l2-cache-size and refcount-cache-size may not be set at the same time",
    ],
  ];
  for (const [options, text] of cases) await assertRejects(() => openTestImage(file, options), BlockError, text);
});

Deno.test("lazy refcounts need version 3, and mark the image dirty while it is written to", async () => {
  const old = await createTestImage({ size: MiB, compat: "0.10" });
  await assertRejects(() => openTestImage(old, { "lazy-refcounts": true }), BlockError, "Lazy refcounts require");
  const file = await createTestImage({ size: MiB, lazy_refcounts: true }) as MemoryFile;
  const image = await openTestImage(file);
  assertEquals(file.content()[79], 0);
  await image.write(0, new Uint8Array(512).fill(1));
  await image.node.flush();
  assertEquals(file.content()[79], 1);
  const crashed = new MemoryFile(file.content());
  await image[Symbol.asyncDispose]();
  assertEquals(file.content()[79], 0);
  const repaired = await openTestImage(crashed);
  assertEquals(repaired.warnings.some((line) => line.startsWith("ERROR cluster") || line.includes("Rebuilding")), true);
  assertEquals(await repaired.read(0, 512), new Uint8Array(512).fill(1));
  assertEquals((await repaired.driver.check({ fix: "none" })).corruptions, 0);
  await repaired[Symbol.asyncDispose]();
});

Deno.test("overlap-check=none lets a write through that the default stops", async () => {
  const file = await createTestImage({ size: MiB }) as MemoryFile;
  const image = await openTestImage(file);
  await image.write(0, new Uint8Array(512).fill(1));
  await image[Symbol.asyncDispose]();
  const content = file.content();
  new DataView(content.buffer).setBigUint64(0x40000, (1n << 63n) | 0x10000n);
  const strict = await openTestImage(new MemoryFile(content));
  await assertRejects(() => strict.write(4096, new Uint8Array(512)), BlockError, "overlaps with refcount table");
  await strict[Symbol.asyncDispose]();
  const lax = await openTestImage(new MemoryFile(content), { "overlap-check": "none" });
  await lax.write(4096, new Uint8Array(512));
  await lax[Symbol.asyncDispose]();
});

Deno.test("freed clusters are discarded in the file as the options say", async () => {
  for (const pass of [true, false]) {
    const file = await createTestImage({ size: MiB }) as MemoryFile;
    const image = await openTestImage(file, { discard: "unmap", "pass-discard-request": pass });
    await image.write(0, new Uint8Array(64 * KiB).fill(3));
    const run = await image.node.status(0, 512);
    await image.node.discard(0, 64 * KiB);
    await image[Symbol.asyncDispose]();
    assertEquals(file.content()[run.hostOffset!], pass ? 0 : 3);
  }
});

Deno.test("freed clusters of a data file are discarded there as the options say, once no entry leads to them", async () => {
  for (const pass of [true, false]) {
    const data = new MemoryFile();
    const file = await createTestImage({ size: MiB, data_file: "d" }, new MemoryFile(), data);
    const dataNode = fileNode(data, "data");
    const image = await openTestImage(file, { discard: "unmap", "pass-discard-request": pass, dataNode });
    await image.write(0, new Uint8Array(192 * KiB).fill(3));
    await image.node.discard(0, 192 * KiB);
    assertEquals(data.content()[64 * KiB], 3, "the entries on disk may still lead here");
    // What is written again is in use again.
    await image.write(64 * KiB, new Uint8Array(512).fill(4));
    await image.node.flush();
    assertEquals([0, 64, 128].map((kib) => data.content()[kib * KiB]), pass ? [0, 4, 0] : [3, 4, 3]);
    await image[Symbol.asyncDispose]();
  }
});

Deno.test("tables that nobody looks at are dropped after the interval that is asked for", async () => {
  const file = await createTestImage({ size: MiB });
  await using image = await openTestImage(file, { "cache-clean-interval": 5 });
  await image.write(0, new Uint8Array(512));
  await image.node.flush();
  const cached = () => image.driver.image.cachedSlice(0) !== undefined;
  image.clock.advance(5 * NS_PER_S);
  assertEquals(cached(), true, "it was looked at since the beginning");
  image.clock.advance(5 * NS_PER_S);
  image.clock.advance(5 * NS_PER_S);
  assertEquals(cached(), false);
  assertEquals((await image.read(0, 512))[0], 0);
});

Deno.test("autoclear features that nobody knows are cleared by the first opening for writing, and only by that", async () => {
  const data = fileNode(new MemoryFile(), "data");
  const file = await createTestImage({ size: MiB, data_file: "d", data_file_raw: true }) as MemoryFile;
  const bytes = file.content();
  // Bits 1 (raw external data) and 5.
  bytes[95]! |= 1 << 5;
  const marked = new MemoryFile(bytes);
  const looked = await openTestImage(marked, { readOnly: true, dataNode: data });
  await looked[Symbol.asyncDispose]();
  assertEquals(marked.content()[95], 0b100010);
  const opened = await openTestImage(marked, { dataNode: data });
  await opened[Symbol.asyncDispose]();
  assertEquals(marked.content()[95], 0b10);
});

Deno.test("data files are refused where the image has none, and missed where it has", async () => {
  const plain = await createTestImage({ size: MiB }) as MemoryFile;
  const refuse = async (open: () => Promise<unknown>, text: string) =>
    void assertEquals((await assertRejects(open, BlockError)).message, text);
  await refuse(
    () => openTestImage(plain, { "data-file": "d" }),
    "'data-file' can only be set for images with an external data file",
  );
  const raw = plain.content();
  raw[95]! |= 2;
  await refuse(() => openTestImage(new MemoryFile(raw)), "data-file-raw requires a data file");
  const nameless = plain.content();
  nameless[79]! |= 4;
  await refuse(() => openTestImage(new MemoryFile(nameless)), "'data-file' is required for this image");
});

Deno.test("entries come back from their bits, for every cluster size", () => {
  const mappings: StandardMapping[] = [
    { kind: "unallocated" },
    { kind: "zero", host: 0, copied: false },
    { kind: "zero", host: 0x12_3456_0000_0000, copied: true },
    { kind: "data", host: 0x200000, copied: true },
    { kind: "data", host: 0x1f_0000_0020_0000, copied: false },
  ];
  for (let clusterBits = 9; clusterBits <= 21; clusterBits++) {
    for (const mapping of mappings) {
      const [high, low] = encodeEntry(mapping, clusterBits);
      assertEquals(decodeEntry(high >>> 0, low >>> 0, clusterBits), mapping);
    }
    for (const host of [0x50000, 0x1_2345_6789, 0xff_ffff_fe03]) {
      const [high, low] = encodeEntry({ kind: "compressed", host, length: 2 ** clusterBits - 7 }, clusterBits);
      const back = decodeEntry(high >>> 0, low >>> 0, clusterBits);
      assertEquals(back.kind === "compressed" && back.host, host);
      assertEquals(back.kind === "compressed" && (back.host + back.length) % 512, 0);
      assertEquals(back.kind === "compressed" && back.length >= 2 ** clusterBits - 7, true);
    }
  }
});

Deno.test("counts of every width are kept apart", () => {
  for (let order = 0; order <= 6; order++) {
    const view = new DataView(new ArrayBuffer(64));
    const entries = 512 / 2 ** order;
    const most = order === 6 ? Number.MAX_SAFE_INTEGER : 2 ** (2 ** order) - 1;
    for (let i = 0; i < entries; i++) writeCount(view, i, order, i % 3 === 0 ? most : i % 2);
    for (let i = 0; i < entries; i++) assertEquals(readCount(view, i, order), i % 3 === 0 ? most : i % 2);
  }
});

Deno.test("metadata is found by kind, and no longer when it has gone", () => {
  const map = new MetadataMap(4096, AREA.header | AREA.activeL2 | AREA.refcountBlock);
  map.add(AREA.activeL2, 8192, 4096);
  map.add(AREA.refcountBlock, 8192, 4096);
  map.add(AREA.snapshotTable, 16384, 4096);
  assertEquals(map.hit(12287, 1), "active L2 table");
  assertEquals(map.hit(8192, 1, AREA.activeL2), "refcount block");
  assertEquals(map.hit(4096, 4096), undefined);
  assertEquals(map.hit(16384, 1), undefined, "not watched");
  map.remove(AREA.activeL2 | AREA.refcountBlock, 8192, 4096);
  assertEquals(map.hit(8192, 4096), undefined);
  assertEquals(map.hit(4095, 1), "qcow2_header");
  assertThrows(() => encodeEntry({ kind: "nothing" } as never, 16)[0]);
});
