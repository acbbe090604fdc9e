/**
 * Compressed clusters that lie one behind the other, as whoever writes an image from front to back leaves them, unpacked
 * all at once by another thread, straight to where they are wanted.
 *
 * That is for zstd, whose frames say how long they are and how much comes out, and where the system has its library.
 * Whatever is not so (a gap, a frame that does not tell, damage) goes the way of single clusters, which says what is
 * wrong with which.
 *
 * Source: [QCOW2] "Compressed Clusters Descriptor", [RFC 8878].
 *
 * @module
 */
import type { IoVector } from "../../../base/io_vector.ts";
import type { Qcow2Image } from "./image.ts";
import { findRun } from "./runs.ts";
import { zstdContentBytes, zstdFrameBytes } from "./zstd_frame.ts";

/** Some for each thread out of a large read; so many make up for the way to one and back. */
const BATCH_CLUSTERS = 8;

/** Whole compressed clusters at the start of a read. */
interface Batch {
  /** Where the first one begins in the file. */
  readonly host: number;
  /** Of each, where it begins behind that. */
  readonly starts: readonly number[];
  /** What is to be read of the file. */
  readonly length: number;
}

/**
 * Starts to unpack the clusters at the start of `into`, which is what the guest sees from `at` on.
 *
 * @returns how many bytes are under way, and the work; `undefined` where there is no such batch
 */
export async function unpackBatch(
  image: Qcow2Image,
  at: number,
  into: IoVector,
): Promise<{ readonly bytes: number; readonly work: Promise<boolean> } | undefined> {
  const { clusterSize } = image;
  const { decoder } = image.packers;
  if (decoder === undefined || at % clusterSize !== 0) return undefined;
  const batch = await findBatch(image, at, into.length);
  if (batch === undefined) return undefined;
  const bytes = batch.starts.length * clusterSize;
  const room = into.slice(0, bytes).single;
  if (room === undefined || !(room.buffer instanceof ArrayBuffer)) return undefined;
  const to = room as Uint8Array<ArrayBuffer>;
  const work = async () => {
    for (let i = 0; i < batch.starts.length; i++) image.file.node.debugEvent("read_compressed");
    const packed = await image.file.readBytes(batch.host, batch.length);
    const frames = wholeFrames(packed, batch.starts, clusterSize);
    if (frames === undefined) return false;
    image.packers.unpacked += batch.starts.length;
    return await decoder.decode(frames, to) === bytes;
  };
  return { bytes, work: work() };
}

async function findBatch(image: Qcow2Image, at: number, length: number): Promise<Batch | undefined> {
  const { clusterSize } = image;
  const most = Math.min(BATCH_CLUSTERS, Math.floor(length / clusterSize));
  const starts: number[] = [];
  let host = 0;
  let end = 0;
  for (let i = 0; i < most; i++) {
    const { mapping } = await findRun(image, at + i * clusterSize, clusterSize);
    if (mapping.kind !== "compressed") break;
    if (i === 0) host = mapping.host;
    // The one before ends in the sectors that its descriptor names, with the next one's beginning or right behind.
    else if (mapping.host <= host + starts.at(-1)! || mapping.host > end) break;
    starts.push(mapping.host - host);
    end = mapping.host + mapping.length;
  }
  const bytes = end - host;
  if (starts.length === 0 || bytes > starts.length * clusterSize) return undefined;
  return { host, starts, length: bytes };
}

/** The frames alone, if they are one for each cluster and each says that it holds just that. */
function wholeFrames(
  packed: Uint8Array<ArrayBuffer>,
  starts: readonly number[],
  clusterBytes: number,
): Uint8Array<ArrayBuffer> | undefined {
  try {
    let at = 0;
    for (const start of starts) {
      if (start !== at || zstdContentBytes(packed, at) !== clusterBytes) return undefined;
      at += zstdFrameBytes(packed, at);
    }
    return packed.subarray(0, at);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}
