/**
 * Writing the header's cluster so that a power failure at any moment leaves a header that can be read.
 *
 * A sector is written whole or not at all. Where only one changes, writing it is enough; where extensions move, the
 * backing file's name first goes out of the way, then the bitmaps are declared stale, then everything behind the first
 * change is written before that itself.
 *
 * @module
 */
import { alignDown } from "../../../base/bits.ts";
import { SECTOR_BYTES } from "../../../base/units.ts";
import { AUTOCLEAR, writeUint64 } from "./header.ts";
import type { Qcow2Image } from "./image.ts";

/** The last byte of the version. */
const VERSION_AT = 7;
const BACKING_OFFSET_AT = 8;
const AUTOCLEAR_AT = 88;
const FIELD_BYTES = 8;

/**
 * Brings the file's first cluster up to what the image in memory says; durable when this returns.
 *
 * @param beforeChange called before the first byte is written
 */
export async function rewriteHeader(image: Qcow2Image, beforeChange: () => void = () => {}): Promise<void> {
  const { file, clusterSize } = image;
  const before = await file.readBytes(0, clusterSize);
  const { bytes: after } = image.composeHeader();
  const changed = changedSectors(before, after);
  beforeChange();
  const copy = changed.length > 1 ? await moveAside(image, before, after) : undefined;
  // The first sector, which says where everything is, comes last.
  for (const at of changed.reverse()) {
    await file.write(at, after.subarray(at, at + SECTOR_BYTES));
    await file.flush();
  }
  if (copy !== undefined) await file.write(copy, after.subarray(copy));
}

function changedSectors(before: Uint8Array, after: Uint8Array): number[] {
  const changed: number[] = [];
  for (let at = 0; at < after.length; at += SECTOR_BYTES) {
    for (let i = at; i < at + SECTOR_BYTES; i++) {
      if (before[i] === after[i]) continue;
      changed.push(at);
      break;
    }
  }
  return changed;
}

/**
 * Writes everything but the header's fixed fields, each step readable by itself; where a copy of the backing file's name
 * was put for the time being.
 */
async function moveAside(image: Qcow2Image, before: Uint8Array, after: Uint8Array): Promise<number | undefined> {
  const { file, header } = image;
  const used = Math.max(lastUsed(before), lastUsed(after));
  const copy = await moveName(image, after, used);
  // The version may be what changes: what counts is the header that is there.
  if (before[VERSION_AT]! >= 3) {
    const field = before.slice(AUTOCLEAR_AT, AUTOCLEAR_AT + FIELD_BYTES);
    field[FIELD_BYTES - 1]! &= ~AUTOCLEAR.bitmaps;
    await file.write(AUTOCLEAR_AT, field);
    await file.flush();
  }
  const first = firstDifference(before, after, header.headerLength);
  if (first < 0) return copy;
  // The list ends here until all that follows is there.
  await file.write(first, new Uint8Array(FIELD_BYTES));
  await file.flush();
  await file.write(first + FIELD_BYTES, after.subarray(first + FIELD_BYTES, Math.max(used, first + FIELD_BYTES)));
  await file.flush();
  await file.write(first, after.subarray(first, first + FIELD_BYTES));
  await file.flush();
  return copy;
}

/** Makes the header lead to a copy of the backing file's name at the cluster's end, where there is room for one. */
async function moveName(image: Qcow2Image, after: Uint8Array, used: number): Promise<number | undefined> {
  const { file, header, clusterSize } = image;
  const { backingFileOffset: at, backingFileLength: length } = header;
  const place = alignDown(clusterSize - length, SECTOR_BYTES);
  if (length === 0 || place < used) return undefined;
  await file.write(place, after.subarray(at, at + length));
  await file.flush();
  const field = new Uint8Array(FIELD_BYTES);
  writeUint64(new DataView(field.buffer), 0, place);
  await file.write(BACKING_OFFSET_AT, field);
  await file.flush();
  return place;
}

function firstDifference(before: Uint8Array, after: Uint8Array, from: number): number {
  for (let at = from; at < after.length; at++) if (before[at] !== after[at]) return alignDown(at, FIELD_BYTES);
  return -1;
}

function lastUsed(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
