/**
 * Refcount blocks that count nothing but themselves, after an image has shrunk: they go, so that the file can end earlier.
 *
 * A block's entry in the refcount table goes first, durably. What the block counted is then counted by nobody, which is
 * itself at most.
 *
 * Source: [QCOW2] "Host cluster management".
 *
 * @module
 */
import { writeUint64 } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { AREA } from "./overlap.ts";
import { readCount } from "./refcounts.ts";

/** Drops them; runs alone, with nothing dirty and nothing deferred. */
export async function dropUnusedBlocks(image: Qcow2Image): Promise<void> {
  const { refcounts, clusterSize, file, metadata } = image;
  const dropped: { readonly index: number; readonly offset: number }[] = [];
  // The last ones first: an earlier block may count nothing but a later one's cluster.
  for (let index = refcounts.table.length - 1; index >= 0; index--) {
    const offset = refcounts.table[index]!;
    if (offset !== 0 && offset % clusterSize === 0 && await isUnused(image, index)) dropped.push({ index, offset });
  }
  if (dropped.length === 0) return;
  const bytes = new Uint8Array(refcounts.tableBytes);
  const view = new DataView(bytes.buffer);
  const table = refcounts.table.slice();
  for (const { index } of dropped) table[index] = 0;
  table.forEach((offset, index) => writeUint64(view, index * ENTRY_BYTES, offset));
  image.checkOverlap(refcounts.tableOffset, bytes.length, AREA.refcountTable);
  await file.write(refcounts.tableOffset, bytes);
  refcounts.table = table;
  await file.flush();
  for (const { index, offset } of dropped) {
    metadata.remove(AREA.refcountBlock, offset, clusterSize);
    refcounts.cache.forget(offset, clusterSize);
    if (Math.floor(offset / clusterSize / refcounts.blockEntries) === index) continue;
    await image.allocator.free(offset, clusterSize, "other");
  }
  image.allocator.resetHint();
  await image.flushAll();
}

async function isUnused(image: Qcow2Image, index: number): Promise<boolean> {
  const { refcounts, clusterSize } = image;
  const offset = refcounts.table[index]!;
  const { view } = await refcounts.cache.load(offset);
  const own = offset / clusterSize - index * refcounts.blockEntries;
  for (let i = 0; i < refcounts.blockEntries; i++) {
    if (i !== own && readCount(view, i, refcounts.order) !== 0) return false;
  }
  return true;
}
