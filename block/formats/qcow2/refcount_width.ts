/**
 * Giving an image's refcounts another width, while it is open.
 *
 * The counts are written anew, in blocks of the new width and under a table of their own, beside the old ones; then one
 * sector of the header says both where the new table is and how wide its counts are. A power failure before that leaves
 * the old structure, one after it the new one, and of the other one leaked clusters at worst.
 *
 * Source: [QCOW2] "Header" (refcount_order), "Host cluster management".
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import { formatError, hex, stateError } from "./failures.ts";
import { MAX_REFCOUNT_TABLE_BYTES, writeUint64 } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { decodeRefcountTable, readCount, Refcounts, writeCount } from "./refcounts.ts";

const TABLE_FIELD_AT = 48;
const ORDER_FIELD_AT = 96;
const ORDER_FIELD_END = 100;

/** Makes each count `2^order` bits wide; runs alone, with nothing dirty. @throws {BlockError} where a count is too high */
export async function changeRefcountWidth(image: Qcow2Image, order: number): Promise<void> {
  const { clusterSize, file, header } = image;
  if (order === header.refcountOrder) return;
  await refuseHighCounts(image, order);

  const blocks = await placeBlocks(image, order);
  const entries = Math.max(...blocks.keys()) + 1;
  const tableClusters = divideCeil(entries * ENTRY_BYTES, clusterSize);
  if (tableClusters * clusterSize > MAX_REFCOUNT_TABLE_BYTES) throw formatError("File too large", "EFBIG");
  const tableOffset = await image.allocator.allocate(tableClusters);
  // The table's own clusters may be the first that a block has to describe.
  await placeBlocks(image, order, blocks);
  if (Math.max(...blocks.keys()) >= tableClusters * clusterSize / ENTRY_BYTES) {
    await image.allocator.free(tableOffset, tableClusters * clusterSize, "nobody");
    for (const offset of blocks.values()) await image.allocator.free(offset, clusterSize, "nobody");
    await image.flushAll();
    throw formatError("File too large", "EFBIG");
  }
  await image.flushAll();
  for (const [index, offset] of blocks) await writeBlock(image, order, index, offset);
  const table = new Uint8Array(tableClusters * clusterSize);
  const view = new DataView(table.buffer);
  for (const [index, offset] of blocks) writeUint64(view, index * ENTRY_BYTES, offset);
  image.checkOverlap(tableOffset, table.length);
  await file.write(tableOffset, table);
  await file.flush();

  // Taken now, since placing the new ones may have made the old structure grow.
  const old = image.refcounts;
  const oldBlocks = [...old.table].filter((offset) => offset !== 0);
  await switchHeader(image, order, tableOffset, tableClusters);
  image.refcounts = new Refcounts(file, {
    order,
    clusterSize,
    tableOffset,
    table: decodeRefcountTable(table),
    cachedBlocks: old.cache.capacity,
  });
  image.registerMetadata();
  image.allocator.resetHint();
  for (const offset of oldBlocks) await image.allocator.free(offset, clusterSize, "other");
  await image.allocator.free(old.tableOffset, old.tableBytes, "other");
  await image.flushAll();
}

async function refuseHighCounts(image: Qcow2Image, order: number): Promise<void> {
  const most = 2 ** (2 ** order) - 1;
  if (order >= image.header.refcountOrder || order === 6) return;
  await eachCount(image, (cluster, count) => {
    if (count <= most) return;
    throw stateError(
      `Cannot decrease refcount entry width to ${2 ** order} bits: Cluster at offset ` +
        `${hex(cluster * image.clusterSize)} has a refcount of ${count}`,
    );
  });
}

/** All counts above zero, as they are stored. */
async function eachCount(image: Qcow2Image, visit: (cluster: number, count: number) => void): Promise<void> {
  const { refcounts } = image;
  for (const [index, offset] of refcounts.table.entries()) {
    if (offset === 0) continue;
    const { view } = await refcounts.cache.load(offset);
    for (let i = 0; i < refcounts.blockEntries; i++) {
      const count = readCount(view, i, refcounts.order);
      if (count > 0) visit(index * refcounts.blockEntries + i, count);
    }
  }
}

/** A cluster for each block of the new width that has something to count, those of the blocks themselves included. */
async function placeBlocks(
  image: Qcow2Image,
  order: number,
  blocks = new Map<number, number>(),
): Promise<Map<number, number>> {
  const perBlock = image.clusterSize * 8 / 2 ** order;
  for (;;) {
    const missing = new Set<number>();
    await eachCount(image, (cluster) => {
      const index = Math.floor(cluster / perBlock);
      if (!blocks.has(index)) missing.add(index);
    });
    if (missing.size === 0) return blocks;
    for (const index of missing) blocks.set(index, await image.allocator.allocate(1));
  }
}

async function writeBlock(image: Qcow2Image, order: number, index: number, offset: number): Promise<void> {
  const { clusterSize, refcounts } = image;
  const bytes = new Uint8Array(clusterSize);
  const view = new DataView(bytes.buffer);
  const perBlock = clusterSize * 8 / 2 ** order;
  for (let i = 0; i < perBlock; i++) {
    const cluster = index * perBlock + i;
    const known = refcounts.peek(cluster);
    const count = known >= 0 ? known : await refcounts.stored(cluster);
    if (count > 0) writeCount(view, i, order, count);
  }
  image.checkOverlap(offset, clusterSize);
  await image.file.write(offset, bytes);
}

/** One write inside one sector: where the table is, and the width of its counts. */
async function switchHeader(image: Qcow2Image, order: number, offset: number, clusters: number): Promise<void> {
  const { file, header } = image;
  const field = await file.readBytes(TABLE_FIELD_AT, ORDER_FIELD_END - TABLE_FIELD_AT);
  const view = new DataView(field.buffer);
  writeUint64(view, 0, offset);
  view.setUint32(8, clusters);
  view.setUint32(ORDER_FIELD_AT - TABLE_FIELD_AT, order);
  await file.write(TABLE_FIELD_AT, field);
  header.refcountTableOffset = offset;
  header.refcountTableClusters = clusters;
  header.refcountOrder = order;
  await file.flush();
}
