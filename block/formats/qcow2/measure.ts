/**
 * How much room an image of a disk takes: `qemu-img measure -O qcow2`.
 *
 * Counted are the header, tables for a disk that is written everywhere, and the data clusters; snapshots are not.
 *
 * Source: [QCOW2]; the numbers and refusals are those of qemu-img 7.2.
 *
 * @module
 */
import { alignUp, isPowerOfTwo } from "../../../base/bits.ts";
import { KiB } from "../../../base/units.ts";
import { blockStatus } from "../../block_status.ts";
import { NO_SECRETS } from "../../crypto/secret_source.ts";
import type { CreateValues, MeasureResult, MeasureSource } from "../../driver.ts";
import { bitmapsBytes } from "./bitmap_size.ts";
import { encryptionBytes } from "./encryption_create.ts";
import { optionError } from "./failures.ts";
import { MAX_CLUSTER_BITS, MAX_L1_BYTES, MIN_CLUSTER_BITS } from "./header.ts";

const ENTRY_BYTES = 8;
const MIN_EXTENDED_CLUSTER_BYTES = 16 * KiB;

/** What of the options bears on the size. */
interface Shape {
  readonly clusterSize: number;
  readonly refcountBits: number;
  readonly l2EntryBytes: number;
  readonly version: 2 | 3;
  /** All data clusters are taken at once. */
  readonly full: boolean;
}

/** Measures an image with these options for a disk. @throws {BlockError} for options that do not go. */
export async function measureImage(options: CreateValues, source: MeasureSource): Promise<MeasureResult> {
  const shape = shapeOf(options);
  const { clusterSize } = shape;
  const virtualBytes = alignUp(source.sizeBytes, clusterSize);
  const perTable = clusterSize / shape.l2EntryBytes;
  const l2Tables = Math.ceil(virtualBytes / clusterSize / perTable);
  if (l2Tables * ENTRY_BYTES > MAX_L1_BYTES) {
    throw optionError("The image size is too large (try using a larger cluster size)", "size");
  }
  const encryption = await encryptionBytes(options, source.secrets ?? NO_SECRETS, clusterSize);
  const metadata = encryption + metadataBytes(virtualBytes, shape);
  const { node } = source;
  // What an overlay of a disk that is there will hold cannot be told.
  const overlay = node !== undefined && options["backing_file"] !== undefined;
  const dataBytes = shape.full || overlay
    ? virtualBytes
    : node === undefined
    ? 0
    : await dataBytesOf(node, clusterSize);
  const result = { requiredBytes: metadata + dataBytes, fullyAllocatedBytes: metadata + virtualBytes };
  if (shape.version < 3 || node?.driver.bitmapStore?.supported !== true) return result;
  return { ...result, bitmapsBytes: bitmapsBytes(node, clusterSize) };
}

function shapeOf(options: CreateValues): Shape {
  const clusterSize = Number(options["cluster_size"] ?? 64 * KiB);
  if (!isPowerOfTwo(clusterSize) || clusterSize < 2 ** MIN_CLUSTER_BITS || clusterSize > 2 ** MAX_CLUSTER_BITS) {
    throw optionError("Cluster size must be a power of two between 512 and 2048k", "cluster_size");
  }
  const preallocation = String(options["preallocation"] ?? "off");
  if (!["off", "metadata", "falloc", "full"].includes(preallocation)) {
    throw optionError(`invalid parameter value: ${preallocation}`, "preallocation");
  }
  const compat = String(options["compat"] ?? "1.1");
  if (!["0.10", "1.1", "v2", "v3"].includes(compat)) throw optionError(`Invalid compatibility level: '${compat}'`);
  const version = compat === "0.10" || compat === "v2" ? 2 : 3;
  const refcountBits = Number(options["refcount_bits"] ?? 16);
  if (!isPowerOfTwo(refcountBits) || refcountBits > 64) {
    throw optionError("Refcount width must be a power of two and may not exceed 64 bits", "refcount_bits");
  }
  if (version === 2 && refcountBits !== 16) {
    throw optionError(
      "Different refcount widths than 16 bits require compatibility level 1.1 or above (use compat=1.1 or greater)",
    );
  }
  const extended = options["extended_l2"] === true;
  if (extended && clusterSize < MIN_EXTENDED_CLUSTER_BYTES) {
    throw optionError(
      `Extended L2 entries are only supported with cluster sizes of at least ${MIN_EXTENDED_CLUSTER_BYTES} bytes`,
    );
  }
  const full = preallocation === "full" || preallocation === "falloc";
  return { clusterSize, refcountBits, l2EntryBytes: extended ? 16 : 8, version, full };
}

/** Header, L1, L2 and refcounts of an image whose data clusters are all in use. */
function metadataBytes(virtualBytes: number, shape: Shape): number {
  const { clusterSize } = shape;
  const perL1 = clusterSize / ENTRY_BYTES;
  const l2Entries = alignUp(virtualBytes / clusterSize, clusterSize / shape.l2EntryBytes);
  const l2Bytes = l2Entries * shape.l2EntryBytes;
  const l1Bytes = Math.ceil(l2Bytes / clusterSize / perL1) * clusterSize;
  const counted = clusterSize + l2Bytes + l1Bytes;
  return counted + refcountBytes((counted + virtualBytes) / clusterSize, shape);
}

/** Refcount blocks and their table, which count themselves too. */
function refcountBytes(clusters: number, shape: Shape): number {
  const { clusterSize, refcountBits } = shape;
  const perBlock = clusterSize * 8 / refcountBits;
  let own = 0;
  for (;;) {
    const blocks = Math.ceil((clusters + own) / perBlock);
    const next = blocks + Math.ceil(blocks / (clusterSize / ENTRY_BYTES));
    if (next === own) return own * clusterSize;
    own = next;
  }
}

/** Bytes of the clusters in which `node` has data. */
async function dataBytesOf(node: NonNullable<MeasureSource["node"]>, clusterSize: number): Promise<number> {
  let bytes = 0;
  for (let at = 0; at < node.size;) {
    const status = await blockStatus(node, at, node.size - at);
    let length = status.lengthBytes;
    if (status.data && status.allocated && !status.zero) {
      const start = at - at % clusterSize;
      length = alignUp(at + length, clusterSize) - at;
      bytes += at + length - start;
    }
    at += length;
  }
  return bytes;
}
