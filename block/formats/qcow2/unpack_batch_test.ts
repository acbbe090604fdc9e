import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { pattern } from "../../testing.ts";
import { findRun } from "./runs.ts";
import { createTestImage, type OpenImage, openTestImage } from "./testing.ts";

const CLUSTER_BYTES = 65_536;
const CLUSTERS = 24;

/** Bytes that become shorter, other ones in each cluster. */
function disk(): Uint8Array {
  const bytes = new Uint8Array(CLUSTERS * CLUSTER_BYTES);
  for (let cluster = 0; cluster < CLUSTERS; cluster++) {
    const source = pattern(CLUSTER_BYTES / 4, cluster);
    for (let i = 0; i < CLUSTER_BYTES; i++) bytes[cluster * CLUSTER_BYTES + i] = source[i >> 2]!;
  }
  return bytes;
}

/** An image with zstd clusters of `bytes`, all but cluster 5, which is not compressed, and 9, which holds nothing. */
async function packedImage(bytes: Uint8Array): Promise<OpenImage> {
  const values = { size: bytes.length, compression_type: "zstd" };
  const image = await openTestImage(await createTestImage(values));
  for (let cluster = 0; cluster < CLUSTERS; cluster++) {
    const at = cluster * CLUSTER_BYTES;
    const data = bytes.subarray(at, at + CLUSTER_BYTES);
    if (cluster === 9) data.fill(0);
    else if (cluster === 5) await image.write(at, data);
    else await image.node.writeCompressed(at, IoVector.of(data));
  }
  return image;
}

async function placeOf(image: OpenImage, cluster: number): Promise<{ host: number; length: number }> {
  const { mapping } = await findRun(image.driver.image, cluster * CLUSTER_BYTES, CLUSTER_BYTES);
  assert(mapping.kind === "compressed");
  return mapping;
}

Deno.test("zstd clusters in large reads: wherever the read begins and ends, in one piece of memory or several", async () => {
  const bytes = disk();
  await using image = await packedImage(bytes);
  for (const [at, end] of [[0, 24], [0, 24], [0.5, 23.25], [3, 8], [6, 24], [11, 12]] as const) {
    const [from, to] = [at * CLUSTER_BYTES, end * CLUSTER_BYTES];
    assertEquals(await image.read(from, to - from), bytes.subarray(from, to));
    const halves = [new Uint8Array(CLUSTER_BYTES / 2 + 1), new Uint8Array(to - from - CLUSTER_BYTES / 2 - 1)];
    await image.node.read(from, IoVector.from(halves));
    assertEquals([...halves[0]!, ...halves[1]!], [...bytes.subarray(from, to)]);
  }
});

Deno.test("zstd clusters in large reads: a damaged one is an I/O error, and the others are there", async () => {
  const bytes = disk();
  await using image = await packedImage(bytes);
  await image.read(0, CLUSTER_BYTES);
  const { host } = await placeOf(image, 14);
  // Its magic number, what it says of its content, and its blocks.
  for (const [at, value] of [[0, 0xff], [5, 0xee], [12, 0xff]] as const) {
    const before = new Uint8Array(1);
    await image.fileNode.read(host + at, IoVector.of(before));
    await image.fileNode.write(host + at, IoVector.of(Uint8Array.of(before[0]! ^ value)));
    await assertRejects(() => image.read(10 * CLUSTER_BYTES, 8 * CLUSTER_BYTES), Error, "Input/output error");
    for (const cluster of [13, 15]) {
      const from = cluster * CLUSTER_BYTES;
      assertEquals(await image.read(from, CLUSTER_BYTES), bytes.subarray(from, from + CLUSTER_BYTES));
    }
    await image.fileNode.write(host + at, IoVector.of(before));
  }
  assertEquals(await image.read(0, bytes.length), bytes);
});

Deno.test("zstd clusters in large reads: a frame that says that it holds less than a cluster is an I/O error", async () => {
  await using image = await packedImage(disk());
  await image.read(0, CLUSTER_BYTES);
  const { host } = await placeOf(image, 2);
  const field = new Uint8Array(1);
  await image.fileNode.read(host + 5, IoVector.of(field));
  await image.fileNode.write(host + 5, IoVector.of(Uint8Array.of(field[0]! ^ 1)));
  await assertRejects(() => image.read(0, 5 * CLUSTER_BYTES), Error, "Input/output error");
});
