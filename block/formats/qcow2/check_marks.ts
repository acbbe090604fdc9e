/**
 * The marks "referred to exactly once" in the active tables against the refcounts.
 *
 * Source: [QCOW2] "Cluster mapping".
 *
 * @module
 */
import { errnoText } from "../../../base/errno.ts";
import { afterZeroPages, isPageStart } from "../../../base/io_vector.ts";
import { errnoOf } from "../../errors.ts";
import { LAST_OFFSET } from "./check_blocks.ts";
import { entryHex } from "./check_findings.ts";
import type { ReferenceWalk } from "./check_references.ts";
import { INCOMPATIBLE } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { COPIED_HIGH, ENTRY_BYTES, entryOffset, ZERO_LOW } from "./mapping.ts";
import { AREA } from "./overlap.ts";

const COMPRESSED_HIGH = 0x4000_0000;
const SECTOR_BYTES = 512;

/**
 * Compares all marks, and mends them where that is safe; with `agree`, the image's counts are what `walk` has counted.
 *
 * @throws {BlockError} where a table cannot be read or written
 */
export async function checkMarks(walk: ReferenceWalk, agree: boolean): Promise<void> {
  const { image, findings, fix } = walk;
  const clean = findings.corruptions === 0 && findings.leaks === 0 && findings.checkErrors === 0;
  const mend = fix === "all" || (fix === "leaks" && clean);
  // Counting has seen a mark at each entry, and nothing that two refer to: what the image counts is 1 everywhere.
  const allRight = agree && !walk.unmarked && !walk.references.shared;
  for (let index = 0; index < image.l1.length; index++) {
    const offset = image.l1.l2Offset(index);
    if (offset === 0) continue;
    const high = image.l1.high(index);
    const low = image.l1.view.getUint32(index * ENTRY_BYTES + 4);
    const refcount = await countOrSkip(image, offset);
    if (refcount === undefined) continue;
    if ((refcount === 1) !== (high >= COPIED_HIGH)) {
      findings.corruptions++;
      findings.messages.push(
        `${mend ? "Repairing" : "ERROR"} OFLAG_COPIED L2 cluster: l1_index=${index} ` +
          `l1_entry=${entryHex(high, low)} refcount=${refcount}`,
      );
      if (mend) {
        await markL1(walk, index, refcount === 1);
        findings.corruptions--;
        findings.corruptionsFixed++;
      }
    }
    if (!allRight) await checkTable(walk, offset, { mend, agree });
  }
}

/** Sets the mark of an L1 entry, and nothing else of it. */
async function markL1(walk: ReferenceWalk, index: number, copied: boolean): Promise<void> {
  const { l1, file } = walk.image;
  const at = index * ENTRY_BYTES;
  const high = l1.high(index);
  l1.view.setUint32(at, copied ? (high | COPIED_HIGH) >>> 0 : (high & ~COPIED_HIGH) >>> 0);
  const start = at - at % SECTOR_BYTES;
  const bytes = l1.bytes.subarray(start, start + SECTOR_BYTES);
  try {
    walk.image.checkOverlap(l1.offset + start, bytes.length, AREA.activeL1);
    await file.write(l1.offset + start, bytes);
    await file.flush();
  } catch (error) {
    walk.findings.checkErrors++;
    throw error;
  }
}

async function countOrSkip(image: Qcow2Image, offset: number): Promise<number | undefined> {
  const cluster = Math.floor(offset / image.clusterSize);
  if (image.refcounts.blockOffset(cluster) >= LAST_OFFSET) return undefined;
  try {
    return await image.allocator.refcount(cluster);
  } catch {
    // The comparison has said so already.
    return undefined;
  }
}

/**
 * Where the first entry at or behind byte `at` is that may be marked wrongly: the others are compared with what was
 * counted, without waiting.
 */
function skipRight(walk: ReferenceWalk, view: DataView, at: number): number {
  const { counts, length } = walk.references;
  const { clusterSize } = walk.image;
  const perByte = 1 / clusterSize;
  for (; at < view.byteLength; at += ENTRY_BYTES) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if (low === 0 && high === 0) continue;
    if ((high & COMPRESSED_HIGH) !== 0) continue;
    const place = ((high & 0x00ff_ffff) * 0x1_0000_0000 + low) * perByte;
    if (place >= length || place < 1 || (counts[place | 0] === 1) !== (high >= COPIED_HIGH)) break;
  }
  return at;
}

async function checkTable(
  walk: ReferenceWalk,
  offset: number,
  how: { readonly mend: boolean; readonly agree: boolean },
): Promise<void> {
  const { mend } = how;
  const { image, findings, hasDataFile } = walk;
  const extended = (image.header.incompatible & BigInt(INCOMPATIBLE.extendedL2)) !== 0n;
  const entryBytes = extended ? 2 * ENTRY_BYTES : ENTRY_BYTES;
  const view = await walk.readL2(offset, "check_oflag_copied");
  const bytes = new Uint8Array(view.buffer);
  const quick = how.agree && !extended && !hasDataFile;
  let changed = 0;
  for (let at = 0; at < bytes.length; at += entryBytes) {
    if (quick) at = skipRight(walk, view, at);
    else if (isPageStart(at)) at = afterZeroPages(bytes, at);
    if (at >= bytes.length) break;
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if ((high & COMPRESSED_HIGH) !== 0) continue;
    const host = entryOffset(high, low);
    const isZero = !extended && (low & ZERO_LOW) !== 0;
    // With a data file, offset 0 is one like any other.
    if (host === 0 && !(hasDataFile && !isZero && high >= COPIED_HIGH)) continue;
    const refcount = hasDataFile ? 1 : await countOrSkip(image, host);
    if (refcount === undefined || (refcount === 1) === (high >= COPIED_HIGH)) continue;
    findings.corruptions++;
    findings.messages.push(
      `${mend ? "Repairing" : "ERROR"} OFLAG_COPIED data cluster: l2_entry=${entryHex(high, low)} refcount=${refcount}`,
    );
    if (!mend) continue;
    view.setUint32(at, refcount === 1 ? (high | COPIED_HIGH) >>> 0 : (high & ~COPIED_HIGH) >>> 0);
    changed++;
  }
  if (changed === 0) return;
  await writeTable(walk, offset, bytes);
  findings.corruptions -= changed;
  findings.corruptionsFixed += changed;
}

async function writeTable(walk: ReferenceWalk, offset: number, bytes: Uint8Array): Promise<void> {
  const { image, findings } = walk;
  const failed = (what: string, error: unknown): never => {
    findings.messages.push(`ERROR: Could not write L2 table${what}: ${errnoText(errnoOf(error))}`);
    findings.checkErrors++;
    throw error;
  };
  try {
    image.checkOverlap(offset, bytes.length, AREA.activeL2);
  } catch (error) {
    failed("; metadata overlap check failed", error);
  }
  await image.file.write(offset, bytes).catch((error: unknown) => failed("", error));
  image.l2.forget(offset, image.clusterSize);
}
