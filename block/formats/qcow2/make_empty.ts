/**
 * Dropping all of an image's data: what a commit does to the overlay at its end.
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import type { Qcow2Image } from "./image.ts";
import type { Writer } from "./write.ts";
import { discardClusters } from "./zeroes.ts";

/** Makes every guest cluster unallocated, so that the backing file shows through. */
export async function emptyImage(image: Qcow2Image, writer: Writer): Promise<void> {
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
