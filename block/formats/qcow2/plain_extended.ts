/**
 * The question of the fast path for extended L2 entries: is what a request touches plain data in one piece?
 *
 * Of clusters that are data only in part, the subclusters that are touched count.
 *
 * Source: [QCOW2] "Extended L2 Entries".
 *
 * @module
 */
import {
  ALL_SUBCLUSTERS,
  COPIED_HIGH,
  type EntryFormat,
  entryOffset,
  isPlainData,
  subclusterRange,
  ZERO_LOW,
} from "./mapping.ts";

/** A request from `inCluster` of the cluster at entry `index` on, whose entries are all in the slice. */
export interface ExtendedRequest {
  readonly index: number;
  readonly inCluster: number;
  readonly length: number;
  /** Only what may be overwritten where it is. */
  readonly inPlace: boolean;
}

/** Where the bytes lie in the file; -1 where that takes a closer look. */
export function plainExtended(
  shape: { readonly clusterSize: number; readonly subclusterSize: number; readonly entries: EntryFormat },
  view: DataView,
  { index: first, inCluster, length, inPlace }: ExtendedRequest,
): number {
  const { clusterSize, subclusterSize, entries } = shape;
  let expected = 0;
  let host = -1;
  for (let done = -inCluster, index = first; done < length; done += clusterSize, index++) {
    const at = index * entries.entryBytes;
    const high = view.getUint32(at);
    // The zero flag of standard entries means nothing here.
    const low = view.getUint32(at + 4) & ~ZERO_LOW;
    if (!isPlainData(high, low) || (inPlace && high < COPIED_HIGH)) return -1;
    const offset = entryOffset(high, low);
    if (host < 0 ? offset % clusterSize !== 0 : offset !== expected) return -1;
    if (host < 0) host = offset;
    expected = offset + clusterSize;
    const zero = view.getUint32(at + 8);
    const data = view.getUint32(at + 12);
    if (data === ALL_SUBCLUSTERS && zero === 0) continue;
    const from = Math.max(0, -done);
    const to = Math.min(clusterSize, length - done);
    const touched = subclusterRange(Math.floor(from / subclusterSize), Math.floor((to - 1) / subclusterSize));
    if ((data & zero) !== 0 || (data & touched) >>> 0 !== touched) return -1;
  }
  return host + inCluster;
}
