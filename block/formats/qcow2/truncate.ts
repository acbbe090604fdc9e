/**
 * Changing the size of the guest's disk, and giving it clusters before it asks for them (preallocation).
 *
 * @module
 */
import { alignDown, alignUp, divideCeil } from "../../../base/bits.ts";
import type { PreallocationMode } from "../../driver.ts";
import { prefixed } from "../../errors.ts";
import { preallocated } from "./copy_on_write.ts";
import { formatError, stateError } from "./failures.ts";
import { MAX_L1_BYTES } from "./header.ts";
import type { HostFile } from "./host_file.ts";
import type { Qcow2Image } from "./image.ts";
import { freeL2, growL1, updateMapping } from "./l2_update.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { findRun } from "./runs.ts";
import { writeSize } from "./snapshots.ts";
import { dropUnusedBlocks } from "./unused_blocks.ts";
import type { Writer } from "./write.ts";
import { discardClusters, writeZeroes } from "./zeroes.ts";

/** Sets the size to `size` bytes, a multiple of 512. */
export async function truncateImage(
  image: Qcow2Image,
  writer: Writer,
  size: number,
  preallocation: PreallocationMode,
): Promise<void> {
  image.ensureWorking("truncate");
  if (size % 512 !== 0) throw stateError("The new size must be a multiple of 512");
  if (image.snapshots.length > 0 && image.header.version < 3) {
    throw stateError("Can't resize a v2 image which has snapshots", "ENOTSUP");
  }
  const old = image.header.size;
  if (size < old) {
    if (preallocation !== "off") throw stateError("Preallocation can't be used for shrinking an image");
    return await shrink(image, writer, size);
  }
  await grow(image, writer, old, size, preallocation);
}

async function grow(
  image: Qcow2Image,
  writer: Writer,
  old: number,
  size: number,
  preallocation: PreallocationMode,
): Promise<void> {
  const entries = divideCeil(size, image.bytesPerL1Entry);
  if (entries * ENTRY_BYTES > MAX_L1_BYTES) {
    throw formatError("Failed to grow the L1 table: File too large", "EFBIG");
  }
  await image.lock.run(() => growL1(image, entries, true));
  await dropBeyond(image, writer, old, size);
  await makeRoom(image, writer, { old, size, preallocation });
  // Before the size says so: a power failure in between must not show them either.
  await hideOldBytes(image, writer, old, size);
  await image.lock.run(async () => {
    await image.settle();
    await writeSize(image, size);
  });
}

/** Gives the part of the disk that is added what `preallocation` asks for. */
async function makeRoom(
  image: Qcow2Image,
  writer: Writer,
  { old, size, preallocation }: { old: number; size: number; preallocation: PreallocationMode },
): Promise<void> {
  const start = alignUp(old, image.clusterSize);
  if (image.isExternal) {
    const { file } = image.data;
    if (preallocation === "off" && !image.isDataRaw) return await file.truncate(size);
    // A power failure while the disk got shorter may have left the file longer: what is there must not be seen again.
    if (file.size > old) await file.truncate(old);
    // All that there is to allocate is in the tables; what the mode asks for is the file's to do.
    const last = await writer.preallocate(start, size);
    if (last > file.size) await growFile(file, last, preallocation === "metadata" ? "off" : preallocation);
    return;
  }
  switch (preallocation) {
    case "off":
      return;
    case "metadata":
      return await preallocate(image, writer, start, size);
    case "falloc":
    case "full":
      return await writer.exclusive(0, Infinity, () => preallocateArea(image, old, size, preallocation));
  }
}

/** Beyond the end there is nothing, unless a power failure ended an earlier change of size: that goes. */
async function dropBeyond(image: Qcow2Image, writer: Writer, old: number, size: number): Promise<void> {
  const end = alignUp(size, image.clusterSize);
  for (let at = alignUp(old, image.clusterSize); at < end;) {
    const { mapping, length } = await findRun(image, at, end - at);
    if (mapping.kind !== "unallocated") {
      const start = alignDown(at, image.clusterSize);
      await discardClusters(image, writer, start, alignUp(at + length, image.clusterSize), true, "other");
    }
    at += length;
  }
}

/** What a longer disk adds reads as zeroes: not as stale bytes of its last cluster, nor as the backing file's. */
async function hideOldBytes(image: Qcow2Image, writer: Writer, old: number, size: number): Promise<void> {
  const shown = image.backing === undefined ? old : Math.min(size, image.backing.size);
  const partEnd = Math.min(size, alignUp(old, image.clusterSize));
  const end = Math.max(shown, partEnd);
  if (end <= old) return;
  if (shown <= old && !await holdsData(image, old, end)) return;
  await writeZeroes(image, writer, old, end - old, { unmap: true });
}

/** Whether any of the guest bytes `start` to `end` is stored; what is unallocated has no backing bytes to show. */
async function holdsData(image: Qcow2Image, start: number, end: number): Promise<boolean> {
  for (let at = start; at < end;) {
    const { mapping, length } = await findRun(image, at, end - at);
    if (mapping.kind === "data" || mapping.kind === "compressed") return true;
    at += length;
  }
  return false;
}

async function shrink(image: Qcow2Image, writer: Writer, size: number): Promise<void> {
  const { clusterSize, header } = image;
  const old = header.size;
  await discardClusters(image, writer, alignUp(size, clusterSize), alignUp(old, clusterSize), true, "other");
  await writer.exclusive(0, Infinity, async () => {
    await image.settle();
    const firstUnused = divideCeil(size, image.bytesPerL1Entry);
    const end = divideCeil(old, image.bytesPerL1Entry);
    for (let index = firstUnused; index < Math.min(end, image.l1.length); index++) {
      const offset = image.l1.l2Offset(index);
      if (offset === 0) continue;
      image.l1.set(index, 0, false);
      await freeL2(image, offset, "other");
    }
    await image.settle();
    await writeSize(image, size);
    await dropUnusedBlocks(image);
    const used = (await lastCluster(image) + 1) * clusterSize;
    if (used < image.file.size) await image.file.truncate(used);
    if (image.isExternal) await image.data.file.truncate(size);
  });
}

/** The last host cluster that is in use. */
export async function lastCluster(image: Qcow2Image): Promise<number> {
  let cluster = divideCeil(image.file.size, image.clusterSize) - 1;
  while (cluster > 0 && await image.allocator.refcount(cluster) === 0) cluster--;
  return cluster;
}

/** Gives guest bytes `start` to `end` clusters, one after the other as writes would take them; no data is written. */
export async function preallocate(image: Qcow2Image, writer: Writer, start: number, end: number): Promise<void> {
  const last = await writer.preallocate(start, end);
  if (last > image.file.size) await growFile(image.file, last, "off");
}

/** @throws {BlockError} in qemu-img's words, where the file does not grow */
async function growFile(file: HostFile, size: number, preallocation: PreallocationMode): Promise<void> {
  try {
    await file.truncate(size, preallocation);
  } catch (error) {
    throw prefixed("Failed to resize underlying file: ", error);
  }
}

/** One area for all data, behind a new refcount table that describes it; then the L2 tables that lead there. */
async function preallocateArea(
  image: Qcow2Image,
  old: number,
  size: number,
  preallocation: "falloc" | "full",
): Promise<void> {
  const { clusterSize } = image;
  const from = alignUp(old, clusterSize);
  const clusters = Math.max(0, divideCeil(size - from, clusterSize));
  if (clusters === 0) return;
  const tables = divideCeil(size, image.bytesPerL1Entry) - Math.floor(from / image.bytesPerL1Entry);
  await image.settle();
  const start = await lastCluster(image) + 1;
  const first = await image.allocator.placeTable(start, clusters + tables, { exact: true, counted: clusters });
  await image.settle();
  const end = (first + clusters) * clusterSize;
  // What lies there was freed; it must not be seen again.
  if (image.file.size !== first * clusterSize) await image.file.truncate(first * clusterSize);
  if (image.file.size < end) await growFile(image.file, end, preallocation);
  for (let i = 0; i < clusters; i++) {
    const host = (first + i) * clusterSize;
    const guest = from + i * clusterSize;
    await updateMapping(image, guest, (old) => preallocated(image, old, host));
    if (i % image.sliceEntries === image.sliceEntries - 1) await image.relieve();
  }
}
