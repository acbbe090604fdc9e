/**
 * Changing L2 tables: making one where there is none, copying one that a snapshot shares, setting entries.
 *
 * All of it runs under the image's lock.
 *
 * Source: [QCOW2] "Cluster mapping", "Snapshots".
 *
 * @module
 */
import { MAX_L1_BYTES } from "./header.ts";
import { writeHeaderField } from "./header_update.ts";
import { writeUint64 } from "./header.ts";
import { ioError } from "../../errors.ts";
import type { FreedBy, Qcow2Image } from "./image.ts";
import { ENTRY_BYTES, type Mapping } from "./mapping.ts";
import { AREA } from "./overlap.ts";
import { mappingAt } from "./runs.ts";
import type { Table } from "./table_cache.ts";

/** The L2 slice for guest offset `at`, this image's own and so free to be changed; made if need be. */
export async function ensureSlice(image: Qcow2Image, at: number): Promise<Table> {
  const l1Index = Math.floor(at / image.bytesPerL1Entry);
  if (l1Index >= image.l1.length) await growL1(image, l1Index + 1, false);
  if (image.l1.l2Offset(l1Index) === 0 || !image.l1.isCopied(l1Index)) await replaceL2(image, l1Index);
  for (;;) {
    const slice = image.cachedSlice(at);
    if (slice !== undefined) return slice;
    await image.loadSlice(at);
  }
}

/** Gives L1 entry `l1Index` a fresh table, with the old one's entries if there was one. */
async function replaceL2(image: Qcow2Image, l1Index: number): Promise<void> {
  const old = image.l1.l2Offset(l1Index);
  if (old % image.clusterSize !== 0) await image.loadSlice(l1Index * image.bytesPerL1Entry);
  image.file.node.debugEvent("l2_alloc_write");
  const offset = await image.allocator.allocate(1);
  if (offset === 0) image.contradiction("Preventing invalid allocation of L2 table at offset 0");
  image.checkOverlap(offset, image.clusterSize);
  const { pieceBytes } = image.l2;
  for (let at = 0; at < image.clusterSize; at += pieceBytes) {
    const bytes = old === 0 ? new Uint8Array(pieceBytes) : (await image.l2.load(old + at)).bytes.slice();
    image.l2.create(offset + at, bytes);
    if (image.l2.isFull) await image.relieve();
  }
  image.l1.set(l1Index, offset, true);
  image.metadata.add(AREA.activeL2, offset, image.clusterSize);
  if (old !== 0) await freeL2(image, old, "other");
}

/** One reference less to an L2 table; where that was the last, it is a table no more. */
export async function freeL2(image: Qcow2Image, offset: number, by: FreedBy): Promise<void> {
  image.metadata.remove(AREA.activeL2, offset, image.clusterSize);
  if (await image.allocator.refcount(offset / image.clusterSize) <= 1) image.l2.forget(offset, image.clusterSize);
  await image.allocator.free(offset, image.clusterSize, by);
}

/** Sets the entry for guest offset `at` and tells what it was. */
export function setMapping(image: Qcow2Image, at: number, mapping: Mapping): Promise<Mapping> {
  return updateMapping(image, at, () => mapping);
}

/** Makes of the entry for guest offset `at` what `change` makes of it, and tells what it was. */
export async function updateMapping(
  image: Qcow2Image,
  at: number,
  change: (old: Mapping) => Mapping,
): Promise<Mapping> {
  const slice = await ensureSlice(image, at);
  // The promise was resolved in this turn or the turns before; look again, so that no stale piece is changed.
  const table = image.cachedSlice(at) ?? slice;
  if (table !== image.cachedSlice(at)) return await updateMapping(image, at, change);
  const index = image.sliceIndex(at);
  const old = mappingAt(image, table, index);
  image.entries.encode(table.view, index, change(old));
  const { entryBytes } = image.entries;
  image.l2.markDirty(table, index * entryBytes, (index + 1) * entryBytes);
  return old;
}

/** One reference less to whatever clusters `mapping` refers to. */
export async function releaseMapping(image: Qcow2Image, mapping: Mapping, by: FreedBy): Promise<void> {
  switch (mapping.kind) {
    case "unallocated":
      return;
    case "zero":
    case "data":
    case "mixed":
    case "invalid":
      if (!image.entries.hasHost(mapping)) return;
      if (image.isExternal) {
        if (by !== "nobody" && image.settings.passDiscard[by]) image.dataDiscards.add(mapping.host);
        return;
      }
      if (mapping.host === 0) return;
      if (mapping.host % image.clusterSize !== 0) {
        image.contradiction(`Cannot free unaligned cluster 0x${mapping.host.toString(16)}`, mapping.host);
      }
      return await image.allocator.free(mapping.host, image.clusterSize, by);
    case "compressed":
      return await image.allocator.free(mapping.host, mapping.length, by);
  }
}

/** Makes the active L1 table at least `entries` long: a longer copy elsewhere, then the header, then the old one free. */
export async function growL1(image: Qcow2Image, entries: number, exact: boolean): Promise<void> {
  if (entries <= image.l1.length) return;
  let length = exact ? entries : Math.max(1, image.l1.length);
  while (length < entries) length = Math.ceil(length * 3 / 2);
  if (length * ENTRY_BYTES > MAX_L1_BYTES) throw ioError("truncate", "EFBIG");
  await image.writeBack();
  const bytes = new Uint8Array(length * ENTRY_BYTES);
  bytes.set(image.l1.bytes);
  const clusters = Math.ceil(bytes.length / image.clusterSize);
  const offset = await image.allocator.allocate(clusters);
  if (offset === 0) image.contradiction("Preventing invalid allocation of L1 table at offset 0");
  image.checkOverlap(offset, bytes.length);
  await image.writeBack();
  await image.file.write(offset, bytes);
  await switchL1(image, offset, bytes);
}

/** Makes `bytes`, which is written at `offset`, the active L1 table, and frees the old one. */
export async function switchL1(image: Qcow2Image, offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  await image.file.barrier();
  const old = { offset: image.l1.offset, length: image.l1.bytes.length };
  const field = new Uint8Array(12);
  const view = new DataView(field.buffer);
  view.setUint32(0, bytes.length / ENTRY_BYTES);
  writeUint64(view, 4, offset);
  await writeHeaderField(image, 36, field);
  image.header.l1Entries = bytes.length / ENTRY_BYTES;
  image.header.l1Offset = offset;
  image.l1.replace(offset, bytes);
  await image.file.flush();
  image.metadata.remove(AREA.activeL1, old.offset, old.length);
  image.metadata.add(AREA.activeL1, offset, bytes.length);
  await image.allocator.free(old.offset, old.length, "other");
}
