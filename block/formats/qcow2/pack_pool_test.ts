import { assert, assertEquals, assertRejects } from "@std/assert";
// @ts-types="npm:@types/pako@2.0.4"
import { inflateRaw } from "pako";
import { pattern } from "../../testing.ts";
import { PackPool } from "./pack_pool.ts";

const CLUSTER_BYTES = 65_536;

/** Bytes that become shorter: each of the pattern's four times. */
function compressible(seed: number): Uint8Array {
  const source = pattern(CLUSTER_BYTES / 4, seed);
  return new Uint8Array(CLUSTER_BYTES).map((_, i) => source[i >> 2]!);
}

Deno.test("pack pool: many clusters at once come back as they were, in their callers' order; damage is EIO", async () => {
  for (const method of ["zlib", "zstd"] as const) {
    const pool = new PackPool(method);
    try {
      const clusters = Array.from({ length: 24 }, (_, seed) => compressible(seed));
      const packed = await Promise.all(clusters.map((cluster) => pool.pack(cluster)));
      for (const [i, bytes] of packed.entries()) {
        assert(bytes !== undefined && bytes.length < CLUSTER_BYTES);
        if (method === "zlib") assertEquals(inflateRaw(bytes, { windowBits: -12 }), clusters[i]);
      }
      const unpacked = await Promise.all(packed.map((bytes) => pool.unpack(bytes!.slice(), CLUSTER_BYTES)));
      assertEquals(unpacked.map((bytes) => new Uint8Array(bytes)), clusters);
      assertEquals(await pool.pack(crypto.getRandomValues(new Uint8Array(4096))), undefined);
      await assertRejects(
        () => pool.unpack(new Uint8Array(512).fill(0xff), CLUSTER_BYTES),
        Error,
        "Input/output error",
      );
      assertEquals((await pool.unpack(packed[3]!.slice(), CLUSTER_BYTES))[5], clusters[3]![5]);
    } finally {
      pool.close();
    }
  }
});
