/**
 * The directory of an image's persistent bitmaps: one record each, and where the directory itself is.
 *
 * Extra data of bitmaps is refused, as QEMU refuses it: nobody has defined any.
 *
 * Source: [QCOW2] "Bitmaps extension", "Bitmap directory".
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import { MiB } from "../../../base/units.ts";
import type { OpenContext } from "../../driver.ts";
import { formatError } from "./failures.ts";
import type { BitmapsExtension } from "./header_extensions.ts";
import { AUTOCLEAR, type Header, readUint64, writeUint64 } from "./header.ts";

export const MAX_BITMAPS = 65535;
export const MAX_BITMAP_NAME_BYTES = 1023;
export const MIN_GRANULARITY_BITS = 9;
export const MAX_GRANULARITY_BITS = 31;
/** The clusters of one bitmap's data. */
export const MAX_BITMAP_DATA_BYTES: number = 512 * MiB;
/** The entries of one bitmap's table. */
export const MAX_BITMAP_TABLE_ENTRIES = 0x800_0000;

export const MAX_BITMAP_DIRECTORY_BYTES: number = MAX_BITMAPS * 1024;

const RECORD_BYTES = 24;
const DIRTY_TRACKING = 1;

/** Flags of a record. */
export const BITMAP_FLAG = { inUse: 1, auto: 2 } as const;
const KNOWN_FLAGS = BITMAP_FLAG.inUse | BITMAP_FLAG.auto;

/** A bitmap as the directory has it. */
export interface StoredBitmap {
  readonly name: string;
  /** The name's bytes, which need not be UTF-8. */
  readonly nameBytes: Uint8Array;
  readonly tableOffset: number;
  readonly tableEntries: number;
  flags: number;
  readonly granularityBits: number;
}

/** Bytes of a record with a name of `nameBytes`. */
export function recordBytes(nameBytes: number): number {
  return alignUp(RECORD_BYTES + nameBytes, 8);
}

/** Bytes that the directory of `bitmaps` takes. */
export function directoryBytes(bitmaps: readonly { readonly nameBytes: Uint8Array }[]): number {
  return bitmaps.reduce((sum, { nameBytes }) => sum + recordBytes(nameBytes.length), 0);
}

/**
 * Whether the bitmaps that the header's extension leads to are as their last writer left them; where somebody has
 * written the image who knows no bitmaps, they are to be forgotten.
 *
 * @throws {BlockError} in QEMU's words
 */
export function areBitmapsValid(
  extension: BitmapsExtension,
  header: Header,
  context: Pick<OpenContext, "warn"> & Partial<Pick<OpenContext, "notice">>,
): boolean {
  if ((header.autoclear & BigInt(AUTOCLEAR.bitmaps)) !== 0n) {
    checkExtension(extension, 2 ** header.clusterBits);
    return true;
  }
  const who = header.version >= 3
    ? "a program lacking bitmap support modified this file, so all bitmaps are now considered inconsistent"
    : "This qcow2 v2 image contains bitmaps, but they may have been modified by a program without persistent bitmap " +
      "support; so now they must all be considered inconsistent";
  context.warn(who);
  (context.notice ?? context.warn)("Some clusters may be leaked, run 'qemu-img check -r' on the image file to fix.");
  return false;
}

function checkExtension({ raw }: BitmapsExtension, clusterSize: number): void {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const count = view.getUint32(0);
  const bytes = view.getBigUint64(8);
  if (view.getUint32(4) !== 0) throw formatError("bitmaps_ext: Reserved field is not zero");
  if (count > MAX_BITMAPS) {
    throw formatError(
      `bitmaps_ext: Image has ${count} bitmaps, exceeding the QEMU supported maximum of ${MAX_BITMAPS}`,
    );
  }
  if (count === 0) throw formatError("found bitmaps extension with zero bitmaps");
  const offset = readUint64(view, 16);
  if (view.getUint32(20) % clusterSize !== 0 || offset > Number.MAX_SAFE_INTEGER - 2 * MAX_BITMAP_DIRECTORY_BYTES) {
    throw formatError("bitmaps_ext: invalid bitmap directory offset");
  }
  if (bytes > BigInt(MAX_BITMAP_DIRECTORY_BYTES)) {
    throw formatError(
      `bitmaps_ext: bitmap directory size (${bytes}) exceeds the maximum supported size ` +
        `(${MAX_BITMAP_DIRECTORY_BYTES})`,
    );
  }
  if (bytes === 0n) throw formatError("Requested bitmap directory size is zero");
}

/** The extension's bytes. */
export function encodeExtension(count: number, bytes: number, offset: number): BitmapsExtension {
  const raw = new Uint8Array(24);
  const view = new DataView(raw.buffer);
  view.setUint32(0, count);
  writeUint64(view, 8, bytes);
  writeUint64(view, 16, offset);
  return { count, directoryBytes: bytes, directoryOffset: offset, raw };
}

/** What a record has to go with. */
export interface DirectoryLimits {
  readonly count: number;
  readonly clusterSize: number;
  /** Of the guest's disk. */
  readonly sizeBytes: number;
}

/** The records of a directory. @throws {BlockError} in QEMU's words */
export function parseDirectory(bytes: Uint8Array, limits: DirectoryLimits): StoredBitmap[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: StoredBitmap[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at + RECORD_BYTES > bytes.length) throw formatError("Broken bitmap directory");
    if (found.length === limits.count) throw formatError("More bitmaps found than specified in header extension");
    const nameLength = view.getUint16(at + 18);
    if (view.getUint32(at + 20) !== 0) throw formatError("Bitmap extra data is not supported");
    const next = at + recordBytes(nameLength);
    if (next > bytes.length) throw formatError("Broken bitmap directory");
    const nameBytes = bytes.slice(at + RECORD_BYTES, at + RECORD_BYTES + nameLength);
    const record = {
      name: textOf(nameBytes),
      nameBytes,
      tableOffset: readUint64(view, at),
      tableEntries: view.getUint32(at + 8),
      flags: view.getUint32(at + 12),
      granularityBits: view.getUint8(at + 17),
    };
    if (view.getUint8(at + 16) !== DIRTY_TRACKING || !isSound(record, view.getUint32(at + 4), limits)) {
      throw formatError(`Bitmap '${record.name}' doesn't satisfy the constraints`);
    }
    found.push(record);
    at = next;
  }
  if (found.length < limits.count) throw formatError("Less bitmaps found than specified in header extension");
  return found;
}

function textOf(name: Uint8Array): string {
  const end = name.indexOf(0);
  return new TextDecoder().decode(end < 0 ? name : name.subarray(0, end));
}

function isSound(record: StoredBitmap, tableOffsetLow: number, limits: DirectoryLimits): boolean {
  const { tableOffset, tableEntries, flags, granularityBits, nameBytes } = record;
  const { clusterSize, sizeBytes } = limits;
  // The lower half, since a large offset has lost its last bits as a number.
  if (tableOffset === 0 || tableOffsetLow % clusterSize !== 0) return false;
  if (tableOffset > Number.MAX_SAFE_INTEGER - 2 ** 31) return false;
  if (tableEntries === 0 || tableEntries > MAX_BITMAP_TABLE_ENTRIES) return false;
  if (granularityBits < MIN_GRANULARITY_BITS || granularityBits > MAX_GRANULARITY_BITS) return false;
  if ((flags & ~KNOWN_FLAGS) !== 0 || nameBytes.length > MAX_BITMAP_NAME_BYTES) return false;
  const dataBytes = tableEntries * clusterSize;
  if (dataBytes > MAX_BITMAP_DATA_BYTES) return false;
  // One that was in use may be of another size.
  return (flags & BITMAP_FLAG.inUse) !== 0 || sizeBytes <= dataBytes * 8 * 2 ** granularityBits;
}

/** The bytes of a directory. */
export function encodeDirectory(bitmaps: readonly StoredBitmap[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(directoryBytes(bitmaps));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { nameBytes, tableOffset, tableEntries, flags, granularityBits } of bitmaps) {
    writeUint64(view, at, tableOffset);
    view.setUint32(at + 8, tableEntries);
    view.setUint32(at + 12, flags);
    view.setUint8(at + 16, DIRTY_TRACKING);
    view.setUint8(at + 17, granularityBits);
    view.setUint16(at + 18, nameBytes.length);
    bytes.set(nameBytes, at + RECORD_BYTES);
    at += recordBytes(nameBytes.length);
  }
  return bytes;
}
