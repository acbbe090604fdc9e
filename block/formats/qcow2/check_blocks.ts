/**
 * The refcount table in a check: its entries, and one reference to each block.
 *
 * Source: [QCOW2] "Host cluster management".
 *
 * @module
 */
import { errnoText } from "../../../base/errno.ts";
import { afterZeroPages, isPageStart } from "../../../base/io_vector.ts";
import { errnoOf, ioError } from "../../errors.ts";
import type { ReferenceWalk } from "./check_references.ts";
import { ENTRY_BYTES } from "./mapping.ts";

/** The last offset that a file can have. */
export const LAST_OFFSET = 2 ** 63;

/** Counts the blocks; what is wrong with one cannot be mended count by count. */
export async function walkRefcountTable(walk: ReferenceWalk): Promise<void> {
  const { file, refcounts, clusterSize, header } = walk.image;
  const raw = await file.readBytes(header.refcountTableOffset, refcounts.tableBytes);
  const view = new DataView(raw.buffer);
  for (let index = 0; index < refcounts.table.length; index++) {
    if (isPageStart(index * ENTRY_BYTES)) index = afterZeroPages(raw, index * ENTRY_BYTES) / ENTRY_BYTES;
    if (index >= refcounts.table.length) break;
    const offset = refcounts.table[index]!;
    const low = view.getUint32(index * ENTRY_BYTES + 4);
    if ((low & 0x1ff) !== 0) {
      walk.error(`ERROR refcount table entry ${index} has reserved bits set`);
      walk.findings.rebuild = true;
      continue;
    }
    // The lower half, since a large offset has lost its last bits as a number.
    if (low % clusterSize !== 0) {
      walk.error(`ERROR refcount block ${index} is not cluster aligned; refcount table entry corrupted`);
      walk.findings.rebuild = true;
      continue;
    }
    const cluster = offset / clusterSize;
    if (cluster >= walk.references.length) {
      await blockOutside(walk, index, offset);
      continue;
    }
    if (offset !== 0) countBlock(walk, index, offset);
  }
}

function countBlock(walk: ReferenceWalk, index: number, offset: number): void {
  walk.add(offset, walk.image.clusterSize);
  const count = walk.references.get(offset / walk.image.clusterSize);
  if (count === 1) return;
  walk.error(`ERROR refcount block ${index} refcount=${count}`);
  walk.findings.rebuild = true;
}

/** Makes the file longer; a length that it cannot have is said of by itself. */
async function truncate(walk: ReferenceWalk, length: number): Promise<void> {
  try {
    if (length > Number.MAX_SAFE_INTEGER) throw ioError("truncate", "EFBIG");
    await walk.image.file.truncate(length);
  } catch (error) {
    walk.findings.reports.add(walk.findings.messages.length);
    walk.findings.messages.push(`Could not resize file: ${errnoText(errnoOf(error))}`);
    throw error;
  }
}

/** A block behind the file's end: a file that is long enough makes it a block of zeroes. */
async function blockOutside(walk: ReferenceWalk, index: number, offset: number): Promise<void> {
  const mend = walk.fix === "all";
  walk.error(`${mend ? "Repairing" : "ERROR"} refcount block ${index} is outside image`);
  if (!mend) return;
  const { clusterSize } = walk.image;
  try {
    if (offset > LAST_OFFSET - clusterSize) throw ioError("truncate", "EINVAL");
    await truncate(walk, offset + clusterSize);
    walk.measureFile();
    walk.references.extend(offset / clusterSize + 1);
  } catch (error) {
    walk.findings.rebuild = true;
    walk.findings.messages.push(`ERROR could not resize image: ${errnoText(errnoOf(error))}`);
    return;
  }
  walk.findings.corruptions--;
  walk.findings.corruptionsFixed++;
  countBlock(walk, index, offset);
}
