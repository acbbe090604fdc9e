/**
 * Opening an image: header, extensions, tables, in the order in which QEMU looks at them, so that a bad image gets the
 * same message. Nothing is written before everything has been looked at.
 *
 * Source: [QCOW2] "Header", "Header extensions".
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import { SECTOR_BYTES } from "../../../base/units.ts";
import type { BlockdevOptionsQcow2 } from "../../options/blockdev.ts";
import { areBitmapsValid } from "./bitmap_directory.ts";
import { COMPRESSIONS } from "./compressed.ts";
import { formatError } from "./failures.ts";
import { type Extensions, noExtensions, parseExtensions } from "./header_extensions.ts";
import {
  AUTOCLEAR,
  type Header,
  INCOMPATIBLE,
  MAX_BACKING_NAME_BYTES,
  MAX_L1_BYTES,
  MAX_REFCOUNT_TABLE_BYTES,
  MAX_SNAPSHOTS,
  parseHeader,
} from "./header.ts";
import type { HostFile } from "./host_file.ts";
import { Qcow2Image } from "./image.ts";
import { L1Table } from "./l1_table.ts";
import { ENTRY_BYTES, SUBCLUSTERS } from "./mapping.ts";
import { openData, type OpenScope } from "./open_data.ts";
import { MetadataMap } from "./overlap.ts";
import { registerInactiveL2 } from "./overlap_inactive.ts";
import { decodeRefcountTable, Refcounts } from "./refcounts.ts";
import { cacheSizes, overlapBits, settingsFor } from "./settings.ts";
import { readSnapshotTable } from "./snapshot_table.ts";

const SNAPSHOT_RECORD_BYTES = 40;
const MAX_ADDRESSABLE_L1_ENTRIES = 2 ** 31 - 1;
const HEADER_READ_BYTES = 112;
/** Autoclear features that are kept up to date. */
const KEPT_AUTOCLEAR = BigInt(AUTOCLEAR.bitmaps | AUTOCLEAR.dataFileRaw);

const text = new TextDecoder();

/** How an image is opened. */
export interface OpenHow {
  /** For a check: a header that says "corrupt" is no reason to refuse. */
  readonly forCheck?: boolean;
  /** The external data file, where it is open already. */
  readonly dataFile?: HostFile | undefined;
}

/** Reads everything but the data. The backing node is joined by the caller. */
export async function openImage(
  file: HostFile,
  options: BlockdevOptionsQcow2,
  context: OpenScope,
  how: OpenHow = {},
): Promise<Qcow2Image> {
  const head = await file.readBytes(0, HEADER_READ_BYTES);
  const header = parseHeader(head);
  const clusterSize = 2 ** header.clusterBits;
  const first = await file.readBytes(0, clusterSize);
  const full = header.headerLength > HEADER_READ_BYTES ? parseHeader(first) : header;
  const extensionsEnd = full.backingFileOffset === 0 ? clusterSize : full.backingFileOffset;
  checkFeatures(full, first, extensionsEnd);
  checkState(full, context.readOnly || how.forCheck === true);
  checkTables(full, how);
  const extensions = parseExtensions(first, full.headerLength, extensionsEnd);
  const staleBitmaps = extensions.bitmaps !== undefined && !areBitmapsValid(extensions.bitmaps, full, context);
  if (staleBitmaps) extensions.bitmaps = undefined;
  const backingName = readBackingName(full, first);

  const sizes = cacheSizes(options, full);
  const l1 = new L1Table(full.l1Offset, await file.readBytes(full.l1Offset, full.l1Entries * ENTRY_BYTES));
  const table = await file.readBytes(full.refcountTableOffset, full.refcountTableClusters * clusterSize);
  const refcounts = new Refcounts(file, {
    order: full.refcountOrder,
    clusterSize,
    tableOffset: full.refcountTableOffset,
    table: decodeRefcountTable(table),
    cachedBlocks: sizes.refcountBlocks,
  });
  const metadata = new MetadataMap(clusterSize, overlapBits(options["overlap-check"]));
  const settings = settingsFor(options, full, sizes, context);
  const data = await openData({ header: full, extensions, file, dataFile: how.dataFile }, options, context);
  const image = new Qcow2Image({ file, data, header: full, extensions, l1, refcounts, metadata, settings });
  image.backingName = backingName;
  image.staleBitmaps = staleBitmaps;
  if (how.forCheck !== true) {
    const { snapshots, bytes } = await readSnapshotTable(file, full);
    image.snapshots = snapshots;
    image.snapshotTableBytes = bytes;
  }
  if (!context.readOnly) {
    image.registerMetadata();
    await registerInactiveL2(image);
  }
  return image;
}

function checkFeatures(header: Header, first: Uint8Array, extensionsEnd: number): void {
  const known = Object.values(INCOMPATIBLE).reduce((all, bit) => all | BigInt(bit), 0n);
  const unknown = header.incompatible & ~known;
  if (unknown !== 0n) {
    const names = featureNames(header, first, extensionsEnd);
    throw formatError(`Unsupported qcow2 feature(s): ${describeFeatures(unknown, names)}`, "ENOTSUP");
  }
  const nonDefault = (header.incompatible & BigInt(INCOMPATIBLE.compressionType)) !== 0n;
  if (header.compressionType >= COMPRESSIONS.length) {
    throw formatError(`qcow2: unknown compression type: ${header.compressionType}`, "ENOTSUP");
  }
  if (nonDefault && header.compressionType === 0) {
    throw formatError("qcow2: Compression type incompatible feature bit must not be set");
  }
  if (!nonDefault && header.compressionType !== 0) {
    throw formatError("qcow2: Compression type incompatible feature bit must be set");
  }
}

function featureNames(header: Header, first: Uint8Array, extensionsEnd: number): Extensions["featureNames"] {
  try {
    return parseExtensions(first, header.headerLength, extensionsEnd).featureNames;
  } catch {
    return noExtensions().featureNames;
  }
}

function describeFeatures(bits: bigint, names: Extensions["featureNames"]): string {
  const found: string[] = [];
  let rest = bits;
  for (const { type, bit, name } of names) {
    if (type !== 0 || bit > 63 || (rest & (1n << BigInt(bit))) === 0n || name === "") continue;
    found.push(name);
    rest &= ~(1n << BigInt(bit));
  }
  if (rest !== 0n) found.push(`Unknown incompatible feature: ${rest.toString(16)}`);
  return found.join(", ");
}

function checkState(header: Header, corruptAllowed: boolean): void {
  if ((header.incompatible & BigInt(INCOMPATIBLE.corrupt)) !== 0n && !corruptAllowed) {
    throw formatError("qcow2: Image is corrupt; cannot be opened read/write", "EACCES");
  }
  if (header.refcountOrder > 6) {
    throw formatError("Reference count entry width too large; may not exceed 64 bits");
  }
  if (header.cryptMethod > 2) throw formatError(`Unsupported encryption method ${header.cryptMethod}`);
}

function checkTables(header: Header, how: OpenHow): void {
  const clusterSize = 2 ** header.clusterBits;
  if (header.refcountTableClusters === 0 && how.forCheck !== true) {
    throw formatError("Image does not contain a reference count table");
  }
  checkTable("Reference count table", header.refcountTableOffset, {
    bytes: header.refcountTableClusters * clusterSize,
    most: MAX_REFCOUNT_TABLE_BYTES,
    clusterSize,
  });
  // A check reads the snapshot table by itself, and can mend it.
  if (how.forCheck !== true) {
    checkTable("Snapshot table", header.snapshotsOffset, {
      bytes: header.snapshotCount * SNAPSHOT_RECORD_BYTES,
      most: MAX_SNAPSHOTS * SNAPSHOT_RECORD_BYTES,
      clusterSize,
    });
  }
  checkTable("Active L1 table", header.l1Offset, {
    bytes: header.l1Entries * ENTRY_BYTES,
    most: MAX_L1_BYTES,
    clusterSize,
  });
  const extended = (header.incompatible & BigInt(INCOMPATIBLE.extendedL2)) !== 0n;
  if (extended && clusterSize / SUBCLUSTERS < SECTOR_BYTES) {
    throw formatError(`Unsupported subcluster size: ${clusterSize / SUBCLUSTERS}`);
  }
  const needed = divideCeil(header.size, clusterSize * (clusterSize / (extended ? 2 * ENTRY_BYTES : ENTRY_BYTES)));
  if (needed > MAX_ADDRESSABLE_L1_ENTRIES) throw formatError("Image is too big", "EFBIG");
  if (header.l1Entries < needed) throw formatError("L1 table is too small");
  if (!Number.isSafeInteger(header.size)) {
    throw formatError("Could not refresh total sector count: File too large", "EFBIG");
  }
}

function checkTable(name: string, offset: number, limits: { bytes: number; most: number; clusterSize: number }): void {
  if (limits.bytes > limits.most) throw formatError(`${name} too large`, "EFBIG");
  // QEMU's offsets are signed; beyond 2^53 nothing here can address either.
  if (offset + limits.bytes > Number.MAX_SAFE_INTEGER || offset % limits.clusterSize !== 0) {
    throw formatError(`${name} offset invalid`);
  }
}

function readBackingName(header: Header, first: Uint8Array): string {
  if (header.backingFileOffset === 0) return "";
  const room = Math.min(MAX_BACKING_NAME_BYTES, first.length - header.backingFileOffset);
  if (header.backingFileLength > room) throw formatError("Backing file name too long");
  const { backingFileOffset: at, backingFileLength: length } = header;
  const name = text.decode(first.subarray(at, at + length));
  const end = name.indexOf("\0");
  return end < 0 ? name : name.slice(0, end);
}

/** Before the first write: features that moa does not keep consistent must not claim to be. */
export async function clearUnknownAutoclear(image: Qcow2Image): Promise<void> {
  const { header } = image;
  const known = header.autoclear & KEPT_AUTOCLEAR;
  if (header.autoclear === known) return;
  header.autoclear = known;
  await image.writeHeader();
  await image.file.flush();
}
