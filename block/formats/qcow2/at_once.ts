/**
 * The part of an allocating write that needs no waiting: where the tables are cached, the image is nobody's at the
 * moment and the guest clusters hold nothing, clusters are taken and linked between two awaits, without lock and claim.
 *
 * Everything else (snapshots, backing data to copy, tables to be read or made) takes the long way in write.ts.
 *
 * @module
 */
import type { Qcow2Image } from "./image.ts";
import { COPIED_HIGH, ENTRY_BYTES, ZERO_LOW } from "./mapping.ts";
import type { Table } from "./table_cache.ts";

/** Clusters that were taken for guest clusters, and what the write has to know of them. */
export interface Taken {
  /** Guest offset of the first cluster. */
  readonly start: number;
  /** Offset in the file. */
  readonly host: number;
  readonly clusters: number;
  /** Nobody ever wrote to the clusters: what is not written now reads as zeroes. */
  readonly fresh: boolean;
}

/**
 * Takes clusters for `length` guest bytes at `at`; `undefined`, with nothing changed, where that has to wait. The lock is
 * free or the caller's.
 */
export function takeAtOnce(image: Qcow2Image, at: number, length: number): Taken | undefined {
  if (image.broken || !image.data.isPlain || image.data.file !== image.file) return undefined;
  // Subclusters are written and copied one by one.
  if (image.entries.extended) return undefined;
  const { clusterSize } = image;
  const index = image.sliceIndex(at);
  const start = at - at % clusterSize;
  const clusters = Math.ceil((at + length - start) / clusterSize);
  if (index + clusters > image.sliceEntries) return undefined;
  const slice = ownSlice(image, at);
  if (slice === undefined || !holdNothing(image, slice, index, clusters)) return undefined;
  if (backingReaches(image, start)) return undefined;
  const { freshOffset } = image.allocator;
  const host = image.allocator.allocateAtOnce(clusters);
  return host < 0 ? undefined : { start, host, clusters, fresh: host >= freshOffset };
}

/**
 * Makes the entries of guest clusters that hold nothing point at clusters with data. False, with nothing changed, where
 * the slice is not cached any more or something has to be let go first. The lock is free or the caller's.
 */
export function linkAtOnce(image: Qcow2Image, { start, host, clusters }: Omit<Taken, "fresh">): boolean {
  const slice = image.entries.extended ? undefined : ownSlice(image, start);
  const index = image.sliceIndex(start);
  if (slice === undefined || !holdNothing(image, slice, index, clusters)) return false;
  for (let i = 0; i < clusters; i++) {
    const offset = host + i * image.clusterSize;
    slice.view.setUint32((index + i) * ENTRY_BYTES, Math.floor(offset / 0x1_0000_0000) + COPIED_HIGH);
    slice.view.setUint32((index + i) * ENTRY_BYTES + 4, offset % 0x1_0000_0000);
  }
  image.l2.markDirty(slice, index * ENTRY_BYTES, (index + clusters) * ENTRY_BYTES);
  return true;
}

/** The cached slice for guest offset `at`, if this image may change it. */
function ownSlice(image: Qcow2Image, at: number): Table | undefined {
  const l1Index = Math.floor(at / image.bytesPerL1Entry);
  return l1Index < image.l1.length && image.l1.isCopied(l1Index) ? image.cachedSlice(at) : undefined;
}

/** Whether the entries refer to no cluster: unallocated, or zeroes for which none is kept. */
function holdNothing(image: Qcow2Image, slice: Table, index: number, clusters: number): boolean {
  for (let i = index; i < index + clusters; i++) {
    if (slice.view.getUint32(i * ENTRY_BYTES) !== 0) return false;
    const low = slice.view.getUint32(i * ENTRY_BYTES + 4);
    if (low !== 0 && (low !== ZERO_LOW || image.header.version < 3)) return false;
  }
  return true;
}

/** Whether there may be backing data behind the guest clusters from `start`. */
function backingReaches(image: Qcow2Image, start: number): boolean {
  return image.backing !== undefined && start < image.backing.size;
}
