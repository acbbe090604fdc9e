/**
 * What the inspection says of tables, against where the specification puts things in a fresh image.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { createTestImage, openTestImage } from "./testing.ts";

const CLUSTER = 65536;
const SNAPSHOT = { name: "s", vmStateBytes: 0, dateSeconds: 0, dateNanoseconds: 0, vmClockNs: 0, icount: -1 };

Deno.test("inspection: entries, and what a snapshot shares before and after the next write", async () => {
  const file = await createTestImage({ size: 1 << 20 });
  await using image = await openTestImage(file);
  const tables = image.driver.inspection;
  assertEquals(await tables.l1(), [{ offset: 0, copied: false }]);
  assertEquals(await tables.l2(0), []);

  // Header, refcount table, refcount block, L1; then the first L2 table and the data.
  await image.write(CLUSTER, new Uint8Array(CLUSTER).fill(1));
  assertEquals(await tables.l1(), [{ offset: 4 * CLUSTER, copied: true }]);
  const entries = await tables.l2(0);
  assertEquals(entries.length, CLUSTER / 8);
  assertEquals(entries.slice(0, 2), [
    { kind: "unallocated", offset: 0, copied: false },
    { kind: "data", offset: 5 * CLUSTER, copied: true },
  ]);
  assertEquals([await tables.refcount(5 * CLUSTER + 17), await tables.refcount(6 * CLUSTER)], [1, 0]);

  const { id } = await image.driver.snapshots.create(SNAPSHOT);
  assertEquals(await tables.l1(), [{ offset: 4 * CLUSTER, copied: false }]);
  assertEquals((await tables.l1(id))[0]!.offset, 4 * CLUSTER);
  assertEquals([await tables.refcount(4 * CLUSTER), await tables.refcount(5 * CLUSTER)], [2, 2]);

  await image.write(CLUSTER, new Uint8Array(CLUSTER).fill(2));
  const [now, kept] = [(await tables.l2(0))[1]!, (await tables.l2(0, id))[1]!];
  assertEquals([kept.kind, kept.offset, now.kind, now.copied], ["data", 5 * CLUSTER, "data", true]);
  assertEquals(now.offset === kept.offset, false);
  assertEquals([await tables.refcount(now.offset), await tables.refcount(kept.offset)], [1, 1]);
});

Deno.test("inspection: zeroes, compressed clusters, and what is not there", async () => {
  const file = await createTestImage({ size: 1 << 20 });
  await using image = await openTestImage(file);
  await image.node.writeZeroes(0, CLUSTER);
  await image.driver.writeCompressed(CLUSTER, IoVector.of(new Uint8Array(CLUSTER).fill(3)));
  const [zero, compressed] = await image.driver.inspection.l2(0);
  assertEquals([zero!.kind, zero!.offset], ["zero", 0]);
  assertEquals([compressed!.kind, compressed!.copied, (compressed!.compressedBytes ?? 0) >= 512], [
    "compressed",
    false,
    true,
  ]);
  assertEquals(await image.driver.inspection.l2(7), []);
});
