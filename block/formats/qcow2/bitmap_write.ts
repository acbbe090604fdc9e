/**
 * Writing persistent bitmaps: each to clusters of its own, then a new directory, then the header that leads there.
 *
 * What the file had before stays until the header is durable, so that a power failure leaves either the old directory,
 * in which all are marked in use, or the new one with all that it leads to. All of it runs under the image's lock.
 *
 * Source: [QCOW2] "Bitmap directory", "Bitmap table", "Bitmap data".
 *
 * @module
 */
import { divideCeil, log2Exact } from "../../../base/bits.ts";
import type { DirtyBitmap } from "../../bitmap.ts";
import {
  BITMAP_FLAG,
  directoryBytes,
  encodeDirectory,
  encodeExtension,
  MAX_BITMAP_DIRECTORY_BYTES,
  MAX_BITMAPS,
  type StoredBitmap,
} from "./bitmap_directory.ts";
import { readBitmapTable } from "./bitmap_load.ts";
import { checkConstraints } from "./bitmap_store.ts";
import { stateError } from "./failures.ts";
import { rewriteHeader } from "./header_update.ts";
import { AUTOCLEAR, writeUint64 } from "./header.ts";
import type { BitmapsExtension } from "./header_extensions.ts";
import type { Qcow2Image } from "./image.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { AREA } from "./overlap.ts";

/** A run of host bytes. */
interface HostRange {
  readonly offset: number;
  readonly length: number;
}

/** Marks all bitmaps of the directory in use, where they are; durable when this returns. */
export async function markInUse(image: Qcow2Image): Promise<void> {
  const { bitmaps } = image.extensions;
  const marked = image.storedBitmaps.map((one) => ({ ...one, flags: one.flags | BITMAP_FLAG.inUse }));
  if (bitmaps === undefined || marked.every(({ flags }, i) => flags === image.storedBitmaps[i]!.flags)) return;
  const bytes = encodeDirectory(marked);
  image.checkOverlap(bitmaps.directoryOffset, bytes.length, AREA.bitmapDirectory);
  await image.file.write(bitmaps.directoryOffset, bytes);
  await image.file.flush();
  image.storedBitmaps = marked;
}

/** Writes `bitmaps`, the newest first, each in place of the one of its name or behind all others. @throws {BlockError} */
export async function storeBitmaps(image: Qcow2Image, bitmaps: readonly DirtyBitmap[]): Promise<void> {
  const plan = planDirectory(image, bitmaps);
  const taken: HostRange[] = [];
  const replaced: StoredBitmap[] = [];
  const records: StoredBitmap[] = [];
  try {
    for (const { before, bitmap, nameBytes } of plan) {
      if (bitmap === undefined) {
        records.push(before!);
        continue;
      }
      const table = await writeBitmap(image, bitmap, taken);
      records.push({
        name: bitmap.name,
        nameBytes,
        tableOffset: table.offset,
        tableEntries: table.length / ENTRY_BYTES,
        flags: bitmap.enabled ? BITMAP_FLAG.auto : 0,
        granularityBits: log2Exact(bitmap.granularityBytes),
      });
      if (before !== undefined) replaced.push(before);
    }
    await switchDirectory(image, records, taken);
  } catch (error) {
    // After a header that may or may not have been written, there is nothing in the list.
    for (const { offset, length } of taken) await image.allocator.free(offset, length, "other");
    throw error;
  }
  for (const record of replaced) await freeBitmap(image, record);
}

/** Removes the bitmap called `name` from the image. @throws {BlockError} */
export async function removeBitmap(image: Qcow2Image, name: string): Promise<void> {
  const record = image.storedBitmaps.find((stored) => stored.name === name);
  if (record === undefined) return;
  const taken: HostRange[] = [];
  try {
    await switchDirectory(image, image.storedBitmaps.filter((stored) => stored !== record), taken);
  } catch (error) {
    for (const { offset, length } of taken) await image.allocator.free(offset, length, "other");
    throw error;
  }
  await freeBitmap(image, record);
}

/** A record of the next directory: an old one, a new one for `bitmap`, or a new one in place of an old one. */
interface PlannedRecord {
  readonly before: StoredBitmap | undefined;
  readonly bitmap: DirtyBitmap | undefined;
  readonly nameBytes: Uint8Array;
}

function planDirectory(image: Qcow2Image, bitmaps: readonly DirtyBitmap[]): PlannedRecord[] {
  const left = new Map(bitmaps.map((bitmap) => [bitmap.name, bitmap]));
  const plan: PlannedRecord[] = image.storedBitmaps.map((before) => {
    const bitmap = left.get(before.name);
    left.delete(before.name);
    if (bitmap !== undefined && (before.flags & BITMAP_FLAG.inUse) === 0) {
      throw stateError(`Bitmap '${before.name}' already exists in the image`);
    }
    return { before, bitmap, nameBytes: before.nameBytes };
  });
  for (const bitmap of left.values()) {
    plan.push({ before: undefined, bitmap, nameBytes: new TextEncoder().encode(bitmap.name) });
  }
  for (const { bitmap, nameBytes } of plan) {
    if (bitmap !== undefined) checkConstraints(image, nameBytes, bitmap.granularityBytes);
  }
  if (plan.length > MAX_BITMAPS) throw stateError("Too many persistent bitmaps");
  if (directoryBytes(plan) > MAX_BITMAP_DIRECTORY_BYTES) throw stateError("Bitmap directory is too large");
  return plan;
}

/** Writes a bitmap's clusters and its table; where the table is. */
async function writeBitmap(image: Qcow2Image, bitmap: DirtyBitmap, taken: HostRange[]): Promise<HostRange> {
  const { clusterSize, file } = image;
  const { bits } = bitmap;
  const table = new Uint8Array(Math.max(1, divideCeil(bits.byteLength, clusterSize)) * ENTRY_BYTES);
  const view = new DataView(table.buffer);
  const bitsPerCluster = clusterSize * 8;
  const cluster = new Uint8Array(clusterSize);
  for (let bit = bits.next(0, true); bit < bits.length;) {
    const index = Math.floor(bit / bitsPerCluster);
    const offset = await take(image, clusterSize, taken);
    bits.read(index * clusterSize, cluster);
    await file.write(offset, cluster);
    writeUint64(view, index * ENTRY_BYTES, offset);
    bit = bits.next((index + 1) * bitsPerCluster, true);
  }
  const offset = await take(image, table.length, taken);
  await file.write(offset, table);
  return { offset, length: table.length };
}

async function take(image: Qcow2Image, length: number, taken: HostRange[]): Promise<number> {
  const offset = await image.allocator.allocate(divideCeil(length, image.clusterSize));
  taken.push({ offset, length });
  image.checkOverlap(offset, length);
  return offset;
}

/** Makes `records` the image's bitmaps: a new directory, then the header; the old directory is freed. */
async function switchDirectory(image: Qcow2Image, records: StoredBitmap[], taken: HostRange[]): Promise<void> {
  const { extensions, header, file } = image;
  let extension: BitmapsExtension | undefined;
  if (records.length > 0) {
    const bytes = encodeDirectory(records);
    const offset = await take(image, bytes.length, taken);
    await file.write(offset, bytes);
    extension = encodeExtension(records.length, bytes.length, offset);
  }
  await image.writeBack();
  await file.flush();
  const before = { extension: extensions.bitmaps, autoclear: header.autoclear };
  const bit = BigInt(AUTOCLEAR.bitmaps);
  extensions.bitmaps = extension;
  header.autoclear = extension === undefined ? header.autoclear & ~bit : header.autoclear | bit;
  let changing = false;
  try {
    await rewriteHeader(image, () => {
      changing = true;
      taken.length = 0;
      image.storedBitmaps = records;
    });
  } catch (error) {
    // Once something was written, the file may lead to either directory: both stay, and the new one is what is marked.
    if (!changing) {
      extensions.bitmaps = before.extension;
      header.autoclear = before.autoclear;
    }
    throw error;
  }
  const old = before.extension;
  if (extension !== undefined) {
    image.metadata.add(AREA.bitmapDirectory, extension.directoryOffset, extension.directoryBytes);
  }
  if (old === undefined) return;
  image.metadata.remove(AREA.bitmapDirectory, old.directoryOffset, old.directoryBytes);
  await image.allocator.free(old.directoryOffset, old.directoryBytes, "other");
}

/** Gives back what a bitmap that the directory no longer names has taken; a table that is none leaves leaks. */
async function freeBitmap(image: Qcow2Image, record: StoredBitmap): Promise<void> {
  const { clusterSize, allocator } = image;
  let clusters: Awaited<ReturnType<typeof readBitmapTable>>;
  try {
    clusters = await readBitmapTable(image, record);
  } catch {
    return;
  }
  for (const cluster of clusters) {
    if (typeof cluster !== "number") continue;
    // Whatever the options say: QEMU gives the data's space back.
    image.refcounts.toDiscard.add(cluster / clusterSize);
    await allocator.free(cluster, clusterSize, "other");
  }
  await allocator.free(record.tableOffset, record.tableEntries * ENTRY_BYTES, "other");
}
