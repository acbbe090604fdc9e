/**
 * Building refcount table and blocks anew from the references that were counted, in clusters that nobody refers to.
 *
 * The old structures stay as they are until the header points to the new ones.
 *
 * Source: [QCOW2] "Host cluster management".
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import { ioError } from "../../errors.ts";
import type { ReferenceWalk } from "./check_counts.ts";
import { MAX_REFCOUNT_TABLE_BYTES, writeUint64 } from "./header.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { decodeRefcountTable, writeCount } from "./refcounts.ts";

/** Replaces the image's refcount structures; `walk.counts` gains the new ones. */
export async function rebuildRefcounts(walk: ReferenceWalk): Promise<void> {
  const { image } = walk;
  const { refcounts, clusterSize, file, header } = image;
  const blocks = placeBlocks(walk);
  let tableClusters = 0;
  let tableCluster = 0;
  // The table's own clusters may need one block more, and that a longer table.
  for (let needed = 1; needed > tableClusters;) {
    tableClusters = Math.max(needed, divideCeil(lastIndex(blocks) + 1, clusterSize / ENTRY_BYTES));
    tableCluster = placeRun(walk, tableClusters);
    placeBlocks(walk, blocks);
    needed = divideCeil(lastIndex(blocks) + 1, clusterSize / ENTRY_BYTES);
  }
  const table = new Uint8Array(tableClusters * clusterSize);
  if (table.length > MAX_REFCOUNT_TABLE_BYTES) throw ioError("write", "EFBIG");
  const view = new DataView(table.buffer);
  for (const [index, cluster] of blocks) {
    writeUint64(view, index * ENTRY_BYTES, cluster * clusterSize);
    await file.write(cluster * clusterSize, encodeBlock(walk, index));
  }
  await file.write(tableCluster * clusterSize, table);
  await file.flush();

  header.refcountTableOffset = tableCluster * clusterSize;
  header.refcountTableClusters = tableClusters;
  const field = new Uint8Array(12);
  writeUint64(new DataView(field.buffer), 0, header.refcountTableOffset);
  new DataView(field.buffer).setUint32(8, tableClusters);
  await file.write(48, field);
  refcounts.tableOffset = header.refcountTableOffset;
  refcounts.table = decodeRefcountTable(table);
  refcounts.cache.clear();
  refcounts.deferred.clear();
  image.registerMetadata();
  await file.flush();
}

function lastIndex(blocks: ReadonlyMap<number, number>): number {
  let last = 0;
  for (const index of blocks.keys()) last = Math.max(last, index);
  return last;
}

/** A cluster for each block that has something to count, those of the blocks themselves included. */
function placeBlocks(walk: ReferenceWalk, blocks = new Map<number, number>()): Map<number, number> {
  const { blockEntries } = walk.image.refcounts;
  for (let cluster = 0; cluster < walk.counts.length; cluster++) {
    if (walk.counts.get(cluster) === 0) continue;
    const index = Math.floor(cluster / blockEntries);
    if (blocks.has(index)) continue;
    const place = placeRun(walk, 1);
    blocks.set(index, place);
    // The new block's own cluster may lie before the present one, under a block that has been passed.
    const own = Math.floor(place / blockEntries);
    if (!blocks.has(own)) cluster = Math.min(cluster, own * blockEntries - 1);
  }
  return blocks;
}

/** The first run of `length` clusters that nobody refers to and that hold no metadata; counted once from now on. */
function placeRun(walk: ReferenceWalk, length: number): number {
  const { image, counts } = walk;
  let run = 0;
  for (let cluster = 1;; cluster++) {
    const taken = counts.get(cluster) > 0 ||
      image.metadata.hit(cluster * image.clusterSize, image.clusterSize) !== undefined;
    run = taken ? 0 : run + 1;
    if (run < length) continue;
    const first = cluster - length + 1;
    for (let i = first; i <= cluster; i++) counts.set(i, 1);
    return first;
  }
}

function encodeBlock(walk: ReferenceWalk, index: number): Uint8Array {
  const { refcounts, clusterSize } = walk.image;
  const bytes = new Uint8Array(clusterSize);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < refcounts.blockEntries; i++) {
    const count = walk.counts.get(index * refcounts.blockEntries + i);
    if (count > 0) writeCount(view, i, refcounts.order, Math.min(count, refcounts.max));
  }
  return bytes;
}
