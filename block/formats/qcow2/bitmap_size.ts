/**
 * How much room a disk's persistent bitmaps take in another image: what `measure` tells of them.
 *
 * Source: [QCOW2] "Bitmap directory", "Bitmap table"; the sum is that of qemu-img 7.2, which counts every data cluster.
 *
 * @module
 */
import { alignUp, divideCeil } from "../../../base/bits.ts";
import type { BlockNode } from "../../node.ts";
import { directoryBytes } from "./bitmap_directory.ts";
import { ENTRY_BYTES } from "./mapping.ts";

/** Bytes for the persistent bitmaps of `node` in an image with clusters of `clusterSize`; 0 where it has none. */
export function bitmapsBytes(node: BlockNode, clusterSize: number): number {
  const kept = node.bitmaps.filter(({ persistent }) => persistent);
  if (kept.length === 0) return 0;
  const names = kept.map(({ name }) => ({ nameBytes: new TextEncoder().encode(name) }));
  return kept.reduce((sum, { granularityBytes }) => {
    const clusters = divideCeil(divideCeil(divideCeil(node.size, granularityBytes), 8), clusterSize);
    return sum + clusters * clusterSize + alignUp(clusters * ENTRY_BYTES, clusterSize);
  }, alignUp(directoryBytes(names), clusterSize));
}
