/**
 * Persistent bitmaps in a check: their directory, each one's table, and the clusters that it leads to.
 *
 * Source: [QCOW2] "Bitmaps".
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import { ioError } from "../../errors.ts";
import type { ReferenceWalk } from "./check_references.ts";
import { AUTOCLEAR, readUint64 } from "./header.ts";
import { ENTRY_BYTES } from "./mapping.ts";

const RECORD_BYTES = 24;
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;
const MAX_TABLE_ENTRIES = 0x800_0000;
const MAX_BITMAP_BYTES = 0x2000_0000;
const MAX_NAME_BYTES = 1023;
/** All bits of a table entry that mean nothing: 1 to 8 and 56 to 63. */
const RESERVED_HIGH = 0xff00_0000;
const RESERVED_LOW = 0x1fe;

/** Counts what the bitmaps take. @throws {BlockError} EINVAL for a directory that cannot be read as one */
export async function addBitmaps(walk: ReferenceWalk): Promise<void> {
  const { image } = walk;
  const { bitmaps } = image.extensions;
  // Without its bit the extension is stale, and what it leads to is nobody's.
  if (bitmaps === undefined || (image.header.autoclear & BigInt(AUTOCLEAR.bitmaps)) === 0n) return;
  walk.add(bitmaps.directoryOffset, bitmaps.directoryBytes);
  const length = Math.min(bitmaps.directoryBytes, MAX_DIRECTORY_BYTES);
  const directory = await image.file.readBytes(bitmaps.directoryOffset, length);
  const tables = readDirectory(walk, new DataView(directory.buffer));
  if (tables === undefined) {
    walk.findings.corruptions++;
    throw ioError("status", "EINVAL");
  }
  for (const { offset, entries } of tables) await addTable(walk, offset, entries);
}

function readDirectory(walk: ReferenceWalk, view: DataView): { offset: number; entries: number }[] | undefined {
  const { clusterSize } = walk.image;
  const tables: { offset: number; entries: number }[] = [];
  for (let at = 0; at < view.byteLength;) {
    if (at + RECORD_BYTES > view.byteLength) return undefined;
    const offset = readUint64(view, at);
    const entries = view.getUint32(at + 8);
    const nameBytes = view.getUint16(at + 18);
    const granularityBits = view.getUint8(at + 17);
    const sound = entries > 0 && entries <= MAX_TABLE_ENTRIES && entries * clusterSize <= MAX_BITMAP_BYTES &&
      offset !== 0 && offset % clusterSize === 0 && granularityBits >= 9 && granularityBits <= 31 &&
      nameBytes > 0 && nameBytes <= MAX_NAME_BYTES && view.getUint8(at + 16) === 1 && view.getUint32(at + 20) === 0 &&
      (view.getUint32(at + 12) & ~3) === 0;
    if (!sound) return undefined;
    tables.push({ offset, entries });
    at += alignUp(RECORD_BYTES + nameBytes, 8);
    if (at > view.byteLength) return undefined;
  }
  return tables;
}

async function addTable(walk: ReferenceWalk, offset: number, entries: number): Promise<void> {
  walk.add(offset, entries * ENTRY_BYTES);
  const { clusterSize, file } = walk.image;
  const view = new DataView((await file.readBytes(offset, entries * ENTRY_BYTES)).buffer);
  for (let index = 0; index < entries; index++) {
    const high = view.getUint32(index * ENTRY_BYTES);
    const low = view.getUint32(index * ENTRY_BYTES + 4);
    const data = (high & 0x00ff_ffff) * 0x1_0000_0000 + ((low & ~0x1ff) >>> 0);
    // Bit 0 says "all ones", for what has no cluster.
    const wrong = (high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0 || data % clusterSize !== 0 ||
      (data !== 0 && (low & 1) !== 0);
    if (wrong) walk.findings.corruptions++;
    else if (data !== 0) walk.add(data, clusterSize);
  }
}
