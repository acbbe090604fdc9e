/**
 * How much a write that links clusters has to write besides its own data, and what their L2 entries say afterwards.
 *
 * With standard entries that is whole clusters. With extended ones it is whole subclusters, and of the old cluster, when
 * a new one takes its place, those that hold data: the others stay unallocated or zero in the new cluster too.
 *
 * Source: [QCOW2] "Extended L2 Entries".
 *
 * @module
 */
import { alignDown, alignUp } from "../../../base/bits.ts";
import type { Qcow2Image } from "./image.ts";
import { type Mapping, subclusterBits, subclusterRange, SUBCLUSTERS } from "./mapping.ts";

/** Guest bytes `at` to `end`. */
export interface GuestRange {
  readonly at: number;
  readonly end: number;
}

/** Clusters in a row that a write goes to, with what the first and the last of them were before. */
export interface Target {
  /** Guest offset of the first cluster. */
  readonly start: number;
  readonly clusters: number;
  readonly first: Mapping;
  readonly last: Mapping;
  /** The clusters are the image's own already: what they hold stays there. */
  readonly kept: boolean;
}

/** The guest bytes that are written along with the data in `touched`, a range within `target`. */
export function copiedRange(image: Qcow2Image, target: Target, touched: GuestRange): GuestRange {
  const { clusterSize, subclusterSize } = image;
  const lastStart = target.start + (target.clusters - 1) * clusterSize;
  if (!image.entries.extended) return { at: target.start, end: lastStart + clusterSize };
  const sub = Math.floor((touched.at - target.start) / subclusterSize);
  const lastSub = Math.floor((touched.end - 1 - lastStart) / subclusterSize);
  const at = target.start + firstCopied(target.first, sub, target.kept) * subclusterSize;
  const end = lastStart + (lastCopied(target.last, lastSub, target.kept) + 1) * subclusterSize;
  // Of a subcluster that is data in a cluster that is kept, only what is new is written.
  return {
    at: target.kept && isData(target.first, sub) ? touched.at : Math.min(at, alignDown(touched.at, subclusterSize)),
    end: target.kept && isData(target.last, lastSub)
      ? touched.end
      : Math.max(end, alignUp(touched.end, subclusterSize)),
  };
}

function isData(mapping: Mapping, sub: number): boolean {
  return (subclusterBits(mapping).data & 2 ** sub) !== 0;
}

function firstCopied(old: Mapping, sub: number, kept: boolean): number {
  if (old.kind === "compressed") return 0;
  const { data } = subclusterBits(old);
  if (kept || data === 0) return sub;
  return Math.min(sub, 31 - Math.clz32(data & -data));
}

function lastCopied(old: Mapping, sub: number, kept: boolean): number {
  if (old.kind === "compressed") return SUBCLUSTERS - 1;
  const { data } = subclusterBits(old);
  if (kept || data === 0) return sub;
  return Math.max(sub, 31 - Math.clz32(data));
}

/** Whether all that `touched` covers of the cluster at guest offset `start` is data: then no entry has to change. */
export function isWritten(image: Qcow2Image, mapping: Mapping, start: number, touched: GuestRange): boolean {
  if (mapping.kind !== "mixed") return mapping.kind === "data";
  const wanted = subclustersOf(image, start, touched);
  return (mapping.data & wanted) >>> 0 === wanted;
}

/** The subclusters of the cluster at guest offset `start` that `range` touches. */
function subclustersOf(image: Qcow2Image, start: number, range: GuestRange): number {
  const { clusterSize, subclusterSize } = image;
  const from = Math.max(range.at - start, 0);
  const to = Math.min(range.end - start, clusterSize);
  return subclusterRange(Math.floor(from / subclusterSize), Math.floor((to - 1) / subclusterSize));
}

/** What the cluster at guest offset `start` is once `written` has been written to it at `host`. */
export function linked(image: Qcow2Image, old: Mapping, start: number, host: number, written: GuestRange): Mapping {
  if (!image.entries.extended) return { kind: "data", host, copied: true };
  const bits = subclusterBits(old);
  const now = subclustersOf(image, start, written);
  return image.entries.fromBits(host, true, (bits.data | now) >>> 0, (bits.zero & ~now) >>> 0);
}

/** What a cluster is that gets its place at `host` beforehand. */
export function preallocated(image: Qcow2Image, old: Mapping, host: number): Mapping {
  if (!image.entries.extended) return { kind: "data", host, copied: true };
  // Nothing is said of its subclusters, so that a backing file still shows.
  return image.entries.fromBits(host, true, 0, subclusterBits(old).zero);
}

/** Whether the cluster is this image's alone, so that data may be written to it in place. */
export function isOwn(image: Qcow2Image, mapping: Mapping): mapping is Mapping & { host: number } {
  return image.entries.hasHost(mapping) && mapping.copied;
}

/** How many of the clusters `old`, from guest offset `start` on, are like the first: own, in a row, to be linked or not. */
export function countInPlace(image: Qcow2Image, old: readonly Mapping[], start: number, touched: GuestRange): number {
  const first = old[0]!;
  const { clusterSize } = image;
  const written = isWritten(image, first, start, touched);
  let count = 1;
  for (; count < old.length; count++) {
    const next = old[count]!;
    const distance = count * clusterSize;
    if (!isOwn(image, next) || !("host" in first) || next.host !== first.host + distance) break;
    if (isWritten(image, next, start + distance, touched) !== written) break;
  }
  return count;
}
