/**
 * Zeroing and discarding guest clusters by their L2 entries, without touching data.
 *
 * Version 3 has a flag for "reads as zeroes"; in version 2 only an unallocated cluster without a backing file does.
 *
 * Source: [QCOW2] "Standard Cluster Descriptor".
 *
 * @module
 */
import { alignDown, alignUp } from "../../../base/bits.ts";
import { IoVector } from "../../../base/io_vector.ts";
import type { ZeroOptions } from "../../driver.ts";
import { ioError } from "../../errors.ts";
import type { FreedBy, Qcow2Image } from "./image.ts";
import { ensureSlice, releaseMapping, setMapping } from "./l2_update.ts";
import type { Mapping } from "./mapping.ts";
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
  const { clusterSize, header } = image;
  const end = at + length;
  const start = alignUp(at, clusterSize);
  // The last cluster of the disk counts as whole where the disk ends inside it.
  const stop = end === header.size ? alignUp(end, clusterSize) : alignDown(end, clusterSize);
  if (start > stop) return await zeroPart(image, writer, at, length, how);
  if (at < start) await zeroPart(image, writer, at, start - at, how);
  if (start < stop) {
    if (canZero(image)) {
      await eachCluster(image, writer, start, stop, (mapping) => zeroed(image, mapping, how.unmap ?? false), "request");
    } else await byHand(writer, start, Math.min(stop, end) - start, how);
  }
  if (stop < end) await zeroPart(image, writer, stop, end - stop, how);
}

/** A part of one cluster: the whole is taken where the rest reads as zeroes anyway. */
async function zeroPart(
  image: Qcow2Image,
  writer: Writer,
  at: number,
  length: number,
  how: ZeroOptions,
): Promise<void> {
  const { clusterSize } = image;
  const start = alignDown(at, clusterSize);
  const restIsZero = canZero(image) && await readsAsZero(image, start, at - start) &&
    await readsAsZero(image, at + length, start + clusterSize - (at + length));
  const done = restIsZero && await writer.exclusive(start, start + clusterSize, async () => {
    const slice = await ensureSlice(image, start);
    const old = mappingAt(image, slice, image.sliceIndex(start));
    // Somebody may have written to the rest since it was looked at.
    if (old.kind === "data" || old.kind === "compressed") return false;
    await change(image, start, old, zeroed(image, old, how.unmap ?? false), "request");
    return true;
  });
  if (!done) await byHand(writer, at, length, how);
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
      if (unmap || mapping.host === 0) return PLAIN_ZERO;
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
  switch (mapping.kind) {
    case "unallocated":
      return image.backing === undefined ? UNALLOCATED : PLAIN_ZERO;
    case "zero":
    case "data":
    case "compressed":
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
  if ("host" in old && !("host" in wanted && wanted.host === old.host)) await releaseMapping(image, old, by);
}

function same(a: Mapping, b: Mapping): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === "unallocated" || b.kind === "unallocated") return true;
  return a.host === b.host;
}
