/**
 * Zeroing and discarding guest clusters by their L2 entries, without touching data.
 *
 * Version 3 has a flag for "reads as zeroes", with extended entries one for each subcluster; in version 2 only an
 * unallocated cluster without a backing file does. Discards are of whole clusters.
 *
 * Source: [QCOW2] "Standard Cluster Descriptor", "Extended L2 Entries".
 *
 * @module
 */
import { alignDown, alignUp } from "../../../base/bits.ts";
import { IoVector } from "../../../base/io_vector.ts";
import type { ZeroOptions } from "../../driver.ts";
import { ioError } from "../../errors.ts";
import type { FreedBy, Qcow2Image } from "./image.ts";
import { ensureSlice, releaseMapping, setMapping } from "./l2_update.ts";
import { type Mapping, subclusterBits, subclusterRange } from "./mapping.ts";
import { readsAsZero } from "./read.ts";
import { mappingAt } from "./runs.ts";
import type { Writer } from "./write.ts";

const UNALLOCATED: Mapping = { kind: "unallocated" };
const PLAIN_ZERO: Mapping = { kind: "zero", host: 0, copied: false };
const HAND_BYTES = 1024 * 1024;

/** Makes `length` bytes at `at` read as zeroes; by writing zeroes where that is the only way, unless `noFallback`. */
export async function writeZeroes(
  image: Qcow2Image,
  writer: Writer,
  at: number,
  length: number,
  how: ZeroOptions,
): Promise<void> {
  image.ensureWorking("write");
  const { subclusterSize: unit, header } = image;
  const end = at + length;
  const start = alignUp(at, unit);
  // The last unit of the disk counts as whole where the disk ends inside it.
  const stop = end === header.size ? alignUp(end, unit) : alignDown(end, unit);
  if (start > stop) return await zeroPart(image, writer, at, length, how);
  if (at < start) await zeroPart(image, writer, at, start - at, how);
  if (start < stop) {
    if (canZero(image)) await zeroUnits(image, writer, { start, stop, dataEnd: Math.min(stop, end) }, how);
    else await byHand(writer, start, Math.min(stop, end) - start, how);
  }
  if (stop < end) await zeroPart(image, writer, stop, end - stop, how);
}

/** Whole subclusters from `start` to `stop`, of which the disk has those bytes that lie before `dataEnd`. */
async function zeroUnits(
  image: Qcow2Image,
  writer: Writer,
  range: { readonly start: number; readonly stop: number; readonly dataEnd: number },
  how: ZeroOptions,
): Promise<void> {
  const { clusterSize } = image;
  const { stop, dataEnd } = range;
  await zeroRawData(image, range.start, dataEnd - range.start, how.unmap ?? false);
  let start = range.start;
  const head = Math.min(stop, alignUp(start, clusterSize));
  if (start < head) await zeroSubclusters(image, writer, start, head, how);
  if (head === stop) return;
  start = head;
  // What lies behind the end of the disk is nobody's, so that the last cluster is a whole one too.
  const tail = dataEnd === image.header.size ? stop : Math.max(start, alignDown(stop, clusterSize));
  const change = (old: Mapping) => zeroed(image, old, how.unmap ?? false);
  await eachCluster(image, writer, start, alignUp(tail, clusterSize), change, "request");
  if (tail < stop) await zeroSubclusters(image, writer, tail, stop, how);
}

/** Whole subclusters of one cluster; only by hand where it is compressed. */
async function zeroSubclusters(
  image: Qcow2Image,
  writer: Writer,
  start: number,
  stop: number,
  how: ZeroOptions,
): Promise<void> {
  const cluster = alignDown(start, image.clusterSize);
  const done = await writer.exclusive(cluster, cluster + image.clusterSize, async () => {
    const old = mappingAt(image, await ensureSlice(image, cluster), image.sliceIndex(cluster));
    if (old.kind === "compressed") return false;
    await change(image, cluster, old, withZeroes(image, old, start - cluster, stop - cluster), "request");
    return true;
  });
  if (!done) await byHand(writer, start, stop - start, how);
}

function withZeroes(image: Qcow2Image, old: Mapping, from: number, to: number): Mapping {
  const { subclusterSize } = image;
  const range = subclusterRange(from / subclusterSize, to / subclusterSize - 1);
  const { data, zero } = subclusterBits(old);
  const { host, copied } = image.entries.hasHost(old) ? old : { host: 0, copied: false };
  return image.entries.fromBits(host, copied, (data & ~range) >>> 0, (zero | range) >>> 0);
}

/** A file that is the disk by itself has the zeroes too, and before any entry says so. */
async function zeroRawData(image: Qcow2Image, at: number, length: number, unmap: boolean): Promise<void> {
  if (image.isExternal && image.isDataRaw) await image.data.file.writeZeroes(at, length, { unmap });
}

/** A part of one subcluster: the whole is taken where the rest reads as zeroes anyway. */
async function zeroPart(
  image: Qcow2Image,
  writer: Writer,
  at: number,
  length: number,
  how: ZeroOptions,
): Promise<void> {
  const { subclusterSize: unit, clusterSize } = image;
  const start = alignDown(at, unit);
  const restIsZero = canZero(image) && await readsAsZero(image, start, at - start) &&
    await readsAsZero(image, at + length, start + unit - (at + length));
  const cluster = alignDown(start, clusterSize);
  const done = restIsZero && await writer.exclusive(cluster, cluster + clusterSize, async () => {
    const old = mappingAt(image, await ensureSlice(image, start), image.sliceIndex(start));
    // Somebody may have written to the rest since it was looked at.
    if (holdsData(image, old, start)) return false;
    await zeroRawData(image, at, length, how.unmap ?? false);
    const wanted = unit === clusterSize
      ? zeroed(image, old, how.unmap ?? false)
      : withZeroes(image, old, start - cluster, start + unit - cluster);
    await change(image, cluster, old, wanted, "request");
    return true;
  });
  if (!done) await byHand(writer, at, length, how);
}

function holdsData(image: Qcow2Image, mapping: Mapping, at: number): boolean {
  const sub = Math.floor(at % image.clusterSize / image.subclusterSize);
  switch (mapping.kind) {
    case "mixed":
      return (mapping.data & 2 ** sub) !== 0;
    case "data":
    case "compressed":
    case "invalid":
      return true;
    case "zero":
    case "unallocated":
      return false;
  }
}

/** Whether an L2 entry can say "zeroes" here. */
function canZero(image: Qcow2Image): boolean {
  return image.header.version >= 3 || image.backing === undefined;
}

function zeroed(image: Qcow2Image, mapping: Mapping, unmap: boolean): Mapping {
  if (image.header.version < 3) return UNALLOCATED;
  switch (mapping.kind) {
    case "zero":
    case "data":
    case "mixed":
    case "invalid":
      if (unmap) return PLAIN_ZERO;
      return { kind: "zero", host: mapping.host, copied: mapping.copied };
    case "compressed":
    case "unallocated":
      return PLAIN_ZERO;
  }
}

async function byHand(writer: Writer, at: number, length: number, how: ZeroOptions): Promise<void> {
  if (how.noFallback) throw ioError("write-zeroes", "ENOTSUP");
  const zeroes = IoVector.allocate(Math.min(length, HAND_BYTES));
  for (let done = 0; done < length;) {
    const piece = zeroes.slice(0, Math.min(zeroes.length, length - done));
    await writer.write(at + done, piece);
    done += piece.length;
  }
}

/** Lets go of the clusters that lie wholly in the range; parts of clusters stay as they are. */
export async function discard(image: Qcow2Image, writer: Writer, at: number, length: number): Promise<void> {
  image.ensureWorking("discard");
  const { clusterSize, header } = image;
  const start = alignUp(at, clusterSize);
  // The last cluster of the disk counts as whole where the disk ends inside it.
  const stop = at + length >= header.size ? alignUp(at + length, clusterSize) : alignDown(at + length, clusterSize);
  if (stop <= start) return;
  // Without a zero flag the backing file's stale bytes would show through.
  if (header.version < 3 && image.backing !== undefined) return;
  await zeroRawData(image, start, Math.min(stop, header.size) - start, true);
  await discardClusters(image, writer, start, stop, false, "request");
}

/** Lets go of clusters; with `full` the backing file shows through afterwards. */
export async function discardClusters(
  image: Qcow2Image,
  writer: Writer,
  start: number,
  stop: number,
  full: boolean,
  by: FreedBy,
): Promise<void> {
  await eachCluster(image, writer, start, stop, (mapping) => discarded(image, mapping, full), by);
}

function discarded(image: Qcow2Image, mapping: Mapping, full: boolean): Mapping {
  if (full || image.header.version < 3) return UNALLOCATED;
  if (image.backing !== undefined) return PLAIN_ZERO;
  switch (mapping.kind) {
    case "unallocated":
      return UNALLOCATED;
    case "mixed":
      // Subclusters that are zero by themselves, or nothing: they read as zeroes already.
      return image.entries.hasHost(mapping) ? PLAIN_ZERO : mapping;
    case "zero":
    case "data":
    case "compressed":
    case "invalid":
      return PLAIN_ZERO;
  }
}

/** Gives each guest cluster the mapping that `change` says, one L2 slice at a time under the lock. */
async function eachCluster(
  image: Qcow2Image,
  writer: Writer,
  start: number,
  stop: number,
  wantedFor: (mapping: Mapping) => Mapping,
  by: FreedBy,
): Promise<void> {
  const { clusterSize } = image;
  const sliceBytes = image.sliceEntries * clusterSize;
  for (let at = start; at < stop;) {
    const end = Math.min(stop, alignDown(at, sliceBytes) + sliceBytes);
    const from = at;
    await writer.exclusive(from, end, async () => {
      for (let guest = from; guest < end; guest += clusterSize) {
        const slice = await ensureSlice(image, guest);
        const old = mappingAt(image, slice, image.sliceIndex(guest));
        await change(image, guest, old, wantedFor(old), by);
      }
      await image.relieve();
    });
    at = end;
  }
}

/** Gives the guest cluster at `guest` the mapping `wanted` in place of `old`, and lets go of what that referred to. */
async function change(image: Qcow2Image, guest: number, old: Mapping, wanted: Mapping, by: FreedBy): Promise<void> {
  if (same(old, wanted)) return;
  await setMapping(image, guest, wanted);
  const kept = image.entries.hasHost(wanted) && "host" in old && wanted.host === old.host;
  if (!kept) await releaseMapping(image, old, by);
}

function same(a: Mapping, b: Mapping): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === "mixed" && b.kind === "mixed") return a.host === b.host && a.data === b.data && a.zero === b.zero;
  if (a.kind === "unallocated" || b.kind === "unallocated") return true;
  return a.host === b.host;
}
