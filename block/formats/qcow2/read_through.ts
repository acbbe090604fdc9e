/**
 * Reads of clusters that this image holds nothing of, where the tables that say so are cached: they go to the backing
 * node at once, or are zeroes, so that a layer of a long chain costs a look into its table and no promise.
 *
 * Everything else takes the long way in read.ts. So does one layer in {@link LAYERS_AT_ONCE}: requests go down a chain
 * as calls within calls, and the stack is not endless.
 *
 * Source: [QCOW2] "Cluster mapping".
 *
 * @module
 */
import type { IoVector } from "../../../base/io_vector.ts";
import { DONE } from "../../done.ts";
import type { Qcow2Image } from "./image.ts";

/** Layers that are read through within one call. */
const LAYERS_AT_ONCE = 32;

/** Reads `into.length` bytes at `at`; `undefined`, with nothing done, where the image may hold some of them. */
export function readThrough(image: Qcow2Image, at: number, into: IoVector): Promise<void> | undefined {
  if (image.broken || !holdsNothing(image, at, into.length)) return undefined;
  const { backing } = image;
  const end = backing === undefined ? 0 : Math.min(backing.size, image.header.size);
  if (backing === undefined || at >= end) {
    into.fill(0);
    return DONE;
  }
  if (at + into.length > end || backing.depth % LAYERS_AT_ONCE === 0) return undefined;
  image.file.node.debugEvent("read_backing_aio");
  return backing.read(at, into);
}

/** Whether no entry of the clusters that the bytes touch says anything; false where that is not known at once. */
function holdsNothing(image: Qcow2Image, at: number, length: number): boolean {
  const l1Index = Math.floor(at / image.bytesPerL1Entry);
  if (image.l1.l2Offset(l1Index) === 0) return at + length <= (l1Index + 1) * image.bytesPerL1Entry;
  const index = image.sliceIndex(at);
  const clusters = Math.floor((at % image.clusterSize + length - 1) / image.clusterSize) + 1;
  if (index + clusters > image.sliceEntries) return false;
  const slice = image.cachedSlice(at);
  if (slice === undefined) return false;
  const { entryBytes } = image.entries;
  // Of a standard entry and of an extended one, nothing but zero bits is "unallocated" throughout.
  for (let word = index * entryBytes; word < (index + clusters) * entryBytes; word += 4) {
    if (slice.view.getUint32(word) !== 0) return false;
  }
  return true;
}
