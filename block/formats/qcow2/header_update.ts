/**
 * Writing the header's cluster so that a power failure at any moment leaves a header that can be read, and that says
 * what the old one said or what the new one says.
 *
 * A sector is written whole or not at all. Where only one changes, writing it is enough. Else the first sector is written
 * twice: first as a bridge that needs nothing of the sectors behind it but a copy of the backing file's name, at the end
 * of the cluster; when those have been written, as it is to be. What the bridge leaves out are extensions that an image
 * can do without: names of features, and bitmaps, which it declares stale.
 *
 * Left out: extensions that matter and yet cross the first sector's end, and names for which there is no room twice.
 *
 * @module
 */
import { alignDown } from "../../../base/bits.ts";
import { SECTOR_BYTES } from "../../../base/units.ts";
import { AUTOCLEAR, readUint64, writeUint64 } from "./header.ts";
import type { Qcow2Image } from "./image.ts";

const VERSION_AT = 4;
const BACKING_OFFSET_AT = 8;
const BACKING_LENGTH_AT = 16;
const AUTOCLEAR_AT = 88;
const HEADER_LENGTH_AT = 100;
const V2_HEADER_BYTES = 72;
/** Type and length; all zeroes, the end of the list. */
const RECORD_HEAD_BYTES = 8;

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
  const copy = changed.length > 1 ? await bridge(image, before, after) : undefined;
  // Everything but the first sector at once, since nothing leads there; then the first, which says where everything is.
  const behind = changed.filter((at) => at > 0);
  for (const at of behind) await file.write(at, after.subarray(at, at + SECTOR_BYTES));
  if (behind.length > 0) await file.flush();
  if (behind.length < changed.length) {
    await file.write(0, after.subarray(0, SECTOR_BYTES));
    await file.flush();
  }
  if (copy !== undefined) await file.write(copy, after.subarray(copy));
}

/**
 * Writes a field of the header, such as one that leads to a table.
 *
 * A write that failed may have reached the disk all the same. So the old bytes are put back; where that fails as well,
 * nobody knows which table counts, and nothing works any more.
 */
export async function writeHeaderField(image: Qcow2Image, at: number, bytes: Uint8Array): Promise<void> {
  const { file } = image;
  const before = await file.readBytes(at, bytes.length);
  try {
    await file.write(at, bytes);
  } catch (error) {
    try {
      await file.write(at, before);
      await file.flush();
    } catch {
      image.broken = true;
    }
    throw error;
  }
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

/** Makes the first sector do without those behind it; where the name's copy is, if there is one. */
async function bridge(image: Qcow2Image, before: Uint8Array, after: Uint8Array): Promise<number | undefined> {
  const { file, header } = image;
  const sector = after.slice(0, SECTOR_BYTES);
  const view = new DataView(sector.buffer);
  let copy: number | undefined;
  if (header.backingFileLength > 0) {
    const { backingFileOffset: at, backingFileLength: length } = header;
    const place = copyPlace(before, after, length);
    if (place === undefined) return undefined;
    await file.write(place, after.subarray(at, at + length));
    await file.flush();
    writeUint64(view, BACKING_OFFSET_AT, copy = place);
  }
  if (endList(view)) sector[AUTOCLEAR_AT + 7]! &= ~AUTOCLEAR.bitmaps;
  await file.write(0, sector);
  await file.flush();
  return copy;
}

/**
 * Where at the end of the cluster a copy of the name finds room; `undefined` where there is none. The old header may be a
 * bridge itself, which another change left when it failed: the copy that it needs stays untouched until it has gone.
 */
function copyPlace(before: Uint8Array, after: Uint8Array, length: number): number | undefined {
  const view = new DataView(before.buffer, before.byteOffset, before.byteLength);
  const [oldAt, oldLength] = [readUint64(view, BACKING_OFFSET_AT), view.getUint32(BACKING_LENGTH_AT)];
  const last = alignDown(before.length - length, SECTOR_BYTES);
  const isBridge = oldAt >= SECTOR_BYTES && oldLength > 0 && oldAt + oldLength > last;
  const place = isBridge ? alignDown(alignDown(oldAt, SECTOR_BYTES) - length, SECTOR_BYTES) : last;
  const rest = isBridge ? before.slice().fill(0, oldAt, oldAt + oldLength) : before;
  return place < Math.max(SECTOR_BYTES, lastUsed(rest), lastUsed(after)) ? undefined : place;
}

/** Ends the list of extensions before the first one that is not whole in this sector; whether there was one. */
function endList(view: DataView): boolean {
  let at = view.getUint32(VERSION_AT) === 2 ? V2_HEADER_BYTES : view.getUint32(HEADER_LENGTH_AT);
  for (; at + RECORD_HEAD_BYTES <= SECTOR_BYTES;) {
    const type = view.getUint32(at);
    if (type === 0) return false;
    const next = at + RECORD_HEAD_BYTES + Math.ceil(view.getUint32(at + 4) / 8) * 8;
    // The next one's head has to be here, too, so that the list can be seen to end.
    if (next + RECORD_HEAD_BYTES > SECTOR_BYTES) break;
    at = next;
  }
  for (let i = at; i < SECTOR_BYTES; i++) view.setUint8(i, 0);
  return true;
}

function lastUsed(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
