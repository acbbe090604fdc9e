/**
 * Dropping all of an image's data: what a commit does to the overlay at its end.
 *
 * Where nothing else is in the image, it is laid out anew as if just created, and its file cut to that. Every step leaves
 * an image that opens: the data goes first (the L1 table is cleared), and the dirty bit stands until refcounts are right.
 *
 * @module
 */
import { alignUp, divideCeil } from "../../../base/bits.ts";
import { writeUint64 } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { decodeRefcountTable, writeCount } from "./refcounts.ts";
import type { Writer } from "./write.ts";
import { discardClusters } from "./zeroes.ts";

/** The encryption method that keeps a header of its own in the image. */
const LUKS = 2;
/** Header, refcount table and refcount block. */
const FIXED_CLUSTERS = 3;

/** Makes every guest cluster unallocated, so that the backing file shows through. */
export async function emptyImage(image: Qcow2Image, writer: Writer): Promise<void> {
  const l1Clusters = divideCeil(image.l1.bytes.length, image.clusterSize);
  const fits = FIXED_CLUSTERS + l1Clusters <= image.refcounts.blockEntries;
  const { header, snapshots, extensions } = image;
  const holdsMore = snapshots.length > 0 || extensions.bitmaps !== undefined || header.cryptMethod === LUKS;
  if (header.version >= 3 && !holdsMore && !image.isExternal && fits) {
    return await writer.exclusive(0, Infinity, () => layOutAnew(image, l1Clusters));
  }
  await discardAll(image, writer);
}

async function discardAll(image: Qcow2Image, writer: Writer): Promise<void> {
  const { clusterSize, bytesPerL1Entry, header } = image;
  const end = alignUp(header.size, clusterSize);
  for (let index = 0; index * bytesPerL1Entry < end; index++) {
    // A part of the disk without an L2 table is empty already.
    if (image.l1.l2Offset(index) === 0) continue;
    const start = index * bytesPerL1Entry;
    await discardClusters(image, writer, start, Math.min(end, start + bytesPerL1Entry), true, "snapshot");
  }
  await image.lock.run(() => image.settle());
}

async function layOutAnew(image: Qcow2Image, l1Clusters: number): Promise<void> {
  const { file, clusterSize, refcounts, l1, header } = image;
  await file.settleData();
  await image.flushAll();
  await image.markDirty();
  await file.write(l1.offset, new Uint8Array(l1.bytes.length));
  await file.flush();

  // The old L1 or refcount table may lie where the new ones go. Zeroes are right for both: an empty table, and one that
  // the dirty bit has rebuilt.
  const total = FIXED_CLUSTERS + l1Clusters;
  await file.write(clusterSize, new Uint8Array((total - 1) * clusterSize));
  await file.flush();
  const l1Bytes = new Uint8Array(l1.bytes.length);
  header.l1Offset = FIXED_CLUSTERS * clusterSize;
  header.refcountTableOffset = clusterSize;
  header.refcountTableClusters = 1;
  await file.write(36, headerTables(l1Bytes.length / ENTRY_BYTES, header.l1Offset, clusterSize));
  await file.flush();

  const table = new Uint8Array(clusterSize);
  writeUint64(new DataView(table.buffer), 0, 2 * clusterSize);
  const block = new Uint8Array(clusterSize);
  for (let i = 0; i < total; i++) writeCount(new DataView(block.buffer), i, refcounts.order, 1);
  l1.replace(header.l1Offset, l1Bytes);
  image.l2.clear();
  refcounts.cache.clear();
  refcounts.deferred.clear();
  refcounts.toDiscard.clear();
  refcounts.tableOffset = clusterSize;
  refcounts.table = decodeRefcountTable(table);
  image.allocator.resetHint();
  image.registerMetadata();
  await file.write(2 * clusterSize, block);
  await file.write(clusterSize, table);
  await file.flush();
  await file.truncate(total * clusterSize);
  await image.markClean();
}

/** The header's bytes 36 to 59: where the L1 table and the refcount table are. */
function headerTables(l1Entries: number, l1Offset: number, clusterSize: number): Uint8Array {
  const field = new Uint8Array(24);
  const view = new DataView(field.buffer);
  view.setUint32(0, l1Entries);
  writeUint64(view, 4, l1Offset);
  writeUint64(view, 12, clusterSize);
  view.setUint32(20, 1);
  return field;
}
