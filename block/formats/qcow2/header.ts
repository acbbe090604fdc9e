/**
 * The header of a qcow2 image: its fields, what they may be, and their bytes.
 *
 * Fields beyond byte 112 that a newer program added are kept as bytes. Header extensions follow in
 * header_extensions.ts; what the tables contain is for others to look at.
 *
 * Source: [QCOW2] "Header", "Additional fields", "Header padding".
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import { MiB } from "../../../base/units.ts";
import { formatError } from "./failures.ts";

/** "QFI\xfb". */
export const QCOW2_MAGIC = 0x514649fb;
export const V2_HEADER_BYTES = 72;
export const V3_HEADER_BYTES = 104;
/** With compression_type and its padding: what is written today. */
export const HEADER_BYTES = 112;

export const MIN_CLUSTER_BITS = 9;
export const MAX_CLUSTER_BITS = 21;
export const MAX_REFCOUNT_TABLE_BYTES = 8 * MiB;
export const MAX_L1_BYTES = 32 * MiB;
export const MAX_SNAPSHOTS = 65536;
export const MAX_BACKING_NAME_BYTES = 1023;

export const INCOMPATIBLE = { dirty: 1, corrupt: 2, dataFile: 4, compressionType: 8, extendedL2: 16 } as const;
export const COMPATIBLE = { lazyRefcounts: 1 } as const;
export const AUTOCLEAR = { bitmaps: 1, dataFileRaw: 2 } as const;

/** A header's fields; offsets in bytes. Feature words are `bigint`, since they are no offsets. */
export interface Header {
  version: 2 | 3;
  backingFileOffset: number;
  backingFileLength: number;
  readonly clusterBits: number;
  size: number;
  cryptMethod: number;
  l1Entries: number;
  l1Offset: number;
  refcountTableOffset: number;
  refcountTableClusters: number;
  snapshotCount: number;
  snapshotsOffset: number;
  incompatible: bigint;
  compatible: bigint;
  autoclear: bigint;
  refcountOrder: number;
  headerLength: number;
  /** 0: zlib (deflate), 1: zstd. */
  compressionType: number;
  /** Whatever a longer header holds beyond byte 112. */
  readonly unknownFields: Uint8Array;
}

/** A 64-bit field of `view` as a number; 2^53 and above come out rounded, which every check refuses. */
export function readUint64(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

/** Writes `value` as a 64-bit field: a whole number, and above 2^53 one that a double holds exactly. */
export function writeUint64(view: DataView, at: number, value: number): void {
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** 64, `64-bit field of ${value}`);
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value % 0x1_0000_0000);
}

/** Whether `head`, an image's first bytes, begins as a qcow2 image of version 2 or later does. */
export function looksLikeQcow2(head: Uint8Array): boolean {
  if (head.length < 8) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return view.getUint32(0) === QCOW2_MAGIC && view.getUint32(4) >= 2;
}

/**
 * The fields of `bytes`, the beginning of an image (shorter ones read as if zeroes followed); those that make further
 * reading meaningless are checked here.
 *
 * @throws {BlockError} of kind `format`, in QEMU's words
 */
export function parseHeader(bytes: Uint8Array): Header {
  const padded = new Uint8Array(Math.max(bytes.length, HEADER_BYTES));
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  if (view.getUint32(0) !== QCOW2_MAGIC) throw formatError("Image is not in qcow2 format");
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) throw formatError(`Unsupported qcow2 version ${version}`, "ENOTSUP");
  const clusterBits = view.getUint32(20);
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    throw formatError(`Unsupported cluster size: 2^${clusterBits}`);
  }
  const headerLength = version === 2 ? V2_HEADER_BYTES : view.getUint32(100);
  if (version === 3) {
    if (headerLength < V3_HEADER_BYTES) throw formatError("qcow2 header too short");
    if (headerLength > 2 ** clusterBits) throw formatError("qcow2 header exceeds cluster size");
  }
  const backingFileOffset = readUint64(view, 8);
  if (backingFileOffset > 2 ** clusterBits) throw formatError("Invalid backing file offset");
  return {
    version,
    backingFileOffset,
    backingFileLength: view.getUint32(16),
    clusterBits,
    size: readUint64(view, 24),
    cryptMethod: view.getUint32(32),
    l1Entries: view.getUint32(36),
    l1Offset: readUint64(view, 40),
    refcountTableOffset: readUint64(view, 48),
    refcountTableClusters: view.getUint32(56),
    snapshotCount: view.getUint32(60),
    snapshotsOffset: readUint64(view, 64),
    incompatible: version === 2 ? 0n : view.getBigUint64(72),
    compatible: version === 2 ? 0n : view.getBigUint64(80),
    autoclear: version === 2 ? 0n : view.getBigUint64(88),
    refcountOrder: version === 2 ? 4 : view.getUint32(96),
    headerLength,
    compressionType: headerLength > V3_HEADER_BYTES ? padded[104]! : 0,
    unknownFields: headerLength > HEADER_BYTES ? padded.slice(HEADER_BYTES, headerLength) : new Uint8Array(0),
  };
}

/** The bytes of `header`, as long as its version asks for and without extensions. */
export function encodeHeader(header: Header): Uint8Array {
  const length = header.version === 2 ? V2_HEADER_BYTES : HEADER_BYTES + header.unknownFields.length;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, QCOW2_MAGIC);
  view.setUint32(4, header.version);
  writeUint64(view, 8, header.backingFileOffset);
  view.setUint32(16, header.backingFileLength);
  view.setUint32(20, header.clusterBits);
  writeUint64(view, 24, header.size);
  view.setUint32(32, header.cryptMethod);
  view.setUint32(36, header.l1Entries);
  writeUint64(view, 40, header.l1Offset);
  writeUint64(view, 48, header.refcountTableOffset);
  view.setUint32(56, header.refcountTableClusters);
  view.setUint32(60, header.snapshotCount);
  writeUint64(view, 64, header.snapshotsOffset);
  if (header.version === 2) return bytes;
  view.setBigUint64(72, header.incompatible);
  view.setBigUint64(80, header.compatible);
  view.setBigUint64(88, header.autoclear);
  view.setUint32(96, header.refcountOrder);
  view.setUint32(100, length);
  bytes[104] = header.compressionType;
  bytes.set(header.unknownFields, HEADER_BYTES);
  return bytes;
}
