import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
// @ts-types="npm:@types/pako@2.0.4"
import { deflateRaw, inflateRaw } from "pako";
import { deflate, inflate } from "./compressed.ts";

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
