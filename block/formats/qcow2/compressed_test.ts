import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
// @ts-types="npm:@types/pako@2.0.4"
import { deflateRaw, inflateRaw } from "pako";
import { pack, packNow, unpack } from "./compressed.ts";
import { zstdFrameBytes } from "./zstd_frame.ts";

const deflate = (bytes: Uint8Array) => pack("zlib", bytes);
const inflate = (bytes: Uint8Array, length: number) => unpack("zlib", bytes, length);

// pako is another implementation of RFC 1951: what it makes of our bytes, and we of its, is the second opinion.
const CLUSTER_BYTES = 4096;

const clusters = fc.array(fc.nat(255), { maxLength: 300 }).map((seed) =>
  new Uint8Array(CLUSTER_BYTES).map((_, i) => seed.length === 0 ? 0 : seed[(i * (i >> 7)) % seed.length]!)
);

Deno.test("compressed clusters: pako inflates what we deflate, within the window that the format allows", async () => {
  await fc.assert(
    fc.asyncProperty(clusters, async (cluster) => {
      const packed = await deflate(cluster);
      if (packed === undefined) return;
      assert(packed.length < cluster.length);
      assertEquals(inflateRaw(packed, { windowBits: -12 }), cluster);
    }),
    { numRuns: 50 },
  );
});

Deno.test("compressed clusters: we inflate what pako deflates, whatever follows it in its last sector", () => {
  fc.assert(
    fc.property(clusters, fc.uint8Array({ maxLength: 511 }), (cluster, follows) => {
      const packed = deflateRaw(cluster, { windowBits: 12 });
      const sectors = new Uint8Array(packed.length + follows.length);
      sectors.set(packed);
      sectors.set(follows, packed.length);
      assertEquals(inflate(sectors, CLUSTER_BYTES), cluster);
    }),
    { numRuns: 50 },
  );
});

Deno.test("compressed clusters: too short, too long or damaged data is an I/O error", async () => {
  const packed = deflateRaw(new Uint8Array(CLUSTER_BYTES).map((_, i) => i * 31), { windowBits: 12 });
  assertThrows(() => inflate(packed.subarray(0, packed.length >> 1), CLUSTER_BYTES), Error, "Input/output error");
  assertThrows(() => inflate(packed, CLUSTER_BYTES - 1), Error, "Input/output error");
  assertThrows(() => inflate(new Uint8Array(512).fill(0xff), CLUSTER_BYTES), Error, "Input/output error");
  await assertRejects(async () => inflate(new Uint8Array(0), CLUSTER_BYTES), Error, "Input/output error");
});

Deno.test("zstd clusters: what is packed comes back, whatever follows it in its last sector", async () => {
  await fc.assert(
    fc.asyncProperty(clusters, fc.uint8Array({ maxLength: 511 }), async (cluster, follows) => {
      const packed = await pack("zstd", cluster);
      if (packed === undefined) return;
      assertEquals(packNow("zstd", cluster), packed);
      const sectors = new Uint8Array(packed.length + follows.length);
      sectors.set(packed);
      sectors.set(follows, packed.length);
      assertEquals(zstdFrameBytes(sectors, 0), packed.length);
      assertEquals(unpack("zstd", sectors, CLUSTER_BYTES), cluster);
    }),
    { numRuns: 50 },
  );
});

// A frame by hand, after RFC 8878 3.1.1: raw and RLE blocks hold their bytes as they are.
function handMade(blocks: [type: "raw" | "rle", bytes: number[], times: number][], head: number[]): Uint8Array {
  const out = [0x28, 0xb5, 0x2f, 0xfd, ...head];
  blocks.forEach(([type, bytes, times], i) => {
    const header = (times << 3) | (type === "rle" ? 2 : 0) | (i === blocks.length - 1 ? 1 : 0);
    out.push(header & 0xff, (header >> 8) & 0xff, header >> 16, ...bytes);
  });
  return Uint8Array.from(out);
}

Deno.test("zstd clusters: several frames make one cluster, in each form of a frame's header", () => {
  const heads = [[0x00, 0x58], [0x20, 4], [0x60, 4 - 4, 0xff], [0xa0, 4, 0, 0, 0]];
  // The content sizes that the last three name do not matter for the length.
  for (const head of heads) {
    const frame = handMade([["raw", [1, 2, 3], 3], ["rle", [9], 1]], head);
    assertEquals(zstdFrameBytes(frame, 0), frame.length);
  }
  const first = handMade([["raw", [1, 2, 3], 3], ["rle", [9], 509]], [0x00, 0x58]);
  const skippable = [0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
  const both = Uint8Array.from([...first, ...skippable, ...first, 0xaa, 0xbb]);
  const half = [1, 2, 3, ...new Array<number>(509).fill(9)];
  assertEquals([...unpack("zstd", both, 1024)], [...half, ...half]);
});

Deno.test("zstd clusters: too short, too long or damaged data is an I/O error", async () => {
  const cluster = new Uint8Array(CLUSTER_BYTES).map((_, i) => i * (i >> 5));
  const packed = await pack("zstd", cluster);
  assert(packed !== undefined);
  const fails = (bytes: Uint8Array, length: number) =>
    assertThrows(() => unpack("zstd", bytes, length), Error, "Input/output error");
  for (const left of [0, 3, 5, 8, packed.length >> 1, packed.length - 1]) {
    fails(packed.subarray(0, left), CLUSTER_BYTES);
  }
  fails(packed, CLUSTER_BYTES - 1);
  fails(packed, CLUSTER_BYTES * 2);
  fails(new Uint8Array(512).fill(0xff), CLUSTER_BYTES);
  // Frames without content, one after the other, are no way to keep a reader busy: they end with their bytes.
  fails(Uint8Array.from(new Array(50).fill([...handMade([["raw", [], 0]], [0x00, 0x58])]).flat()), CLUSTER_BYTES);
  fc.assert(
    fc.property(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bad = packed.slice();
      bad[at]! ^= flip;
      try {
        assertEquals(unpack("zstd", bad, CLUSTER_BYTES).length, CLUSTER_BYTES);
      } catch (error) {
        assert(error instanceof Error && error.message === "Input/output error", String(error));
      }
    }),
    { numRuns: 300 },
  );
});
