/**
 * Reading an image's persistent bitmaps when it is opened.
 *
 * A bitmap that was in use when its image was last written is not read: nobody knows what is missing in it. What is read
 * is bounded by the image's file, whatever the directory says.
 *
 * Source: [QCOW2] "Bitmap table", "Bitmap data", "Dirty tracking bitmaps".
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import { errnoText } from "../../../base/errno.ts";
import { DirtyBitmap } from "../../bitmap.ts";
import { errnoOf } from "../../errors.ts";
import { BITMAP_FLAG, parseDirectory, type StoredBitmap } from "./bitmap_directory.ts";
import { formatError } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";
import { ENTRY_BYTES, entryOffset } from "./mapping.ts";

/** Room behind the file's end in which a directory that is cut off shows it. */
const DIRECTORY_SLACK_BYTES = 64;
/** Bits that are zero in every entry of a bitmap's table: 56 to 63, and 1 to 8. */
const RESERVED_HIGH = 0xff00_0000;
const RESERVED_LOW = 0x1fe;
/** Clusters that bitmaps may refer to beyond twice those that the file has. */
const SPARE_CLUSTERS = 1024;

/** What an entry of a bitmap's table says of its cluster. */
export type BitmapCluster = "zeroes" | "ones" | number;

/** The records of an image's bitmaps; none where it has no valid extension. @throws {BlockError} */
export async function readDirectory(image: Qcow2Image): Promise<StoredBitmap[]> {
  const { bitmaps } = image.extensions;
  if (bitmaps === undefined) return [];
  const inFile = Math.max(0, image.file.size - bitmaps.directoryOffset) + DIRECTORY_SLACK_BYTES;
  const bytes = await image.file.readBytes(bitmaps.directoryOffset, Math.min(bitmaps.directoryBytes, inFile));
  return parseDirectory(bytes, {
    count: bitmaps.count,
    clusterSize: image.clusterSize,
    sizeBytes: image.header.size,
  });
}

/** The entries of a bitmap's table. @throws {BlockError} EINVAL where one is none */
export async function readBitmapTable(image: Qcow2Image, bitmap: StoredBitmap): Promise<BitmapCluster[]> {
  const inFile = Math.min(bitmap.tableEntries * ENTRY_BYTES, Math.max(0, image.file.size - bitmap.tableOffset));
  const entries = new Array<BitmapCluster>(bitmap.tableEntries).fill("zeroes");
  const bytes = await image.file.readBytes(bitmap.tableOffset, Math.ceil(inFile / ENTRY_BYTES) * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < bytes.length / ENTRY_BYTES; index++) {
    const high = view.getUint32(index * ENTRY_BYTES);
    const low = view.getUint32(index * ENTRY_BYTES + 4);
    if (high === 0 && low === 0) continue;
    const offset = entryOffset(high, low);
    const reserved = (high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0;
    const misplaced = offset !== 0 && (offset % image.clusterSize !== 0 || (low & 1) !== 0);
    if (reserved || misplaced || offset > Number.MAX_SAFE_INTEGER - image.clusterSize) {
      throw formatError(errnoText("EINVAL"));
    }
    entries[index] = offset === 0 ? "ones" : offset;
  }
  return entries;
}

/** The image's bitmaps in the order of its directory, as users see them. @throws {BlockError} */
export async function loadBitmaps(image: Qcow2Image, stored: readonly StoredBitmap[]): Promise<DirtyBitmap[]> {
  const budget = { clusters: 2 * divideCeil(image.file.size, image.clusterSize) + SPARE_CLUSTERS };
  const loaded = new Map<string, DirtyBitmap>();
  for (const one of stored) {
    if (loaded.has(one.name)) throw formatError(`Bitmap already exists: ${one.name}`);
    const bitmap = new DirtyBitmap({
      name: one.name,
      sizeBytes: image.header.size,
      granularityBytes: 2 ** one.granularityBits,
    });
    bitmap.persistent = true;
    bitmap.enabled = (one.flags & BITMAP_FLAG.auto) !== 0;
    if ((one.flags & BITMAP_FLAG.inUse) !== 0) {
      bitmap.inconsistent = true;
      bitmap.enabled = false;
    } else await readData(image, one, bitmap, budget);
    loaded.set(one.name, bitmap);
  }
  return [...loaded.values()];
}

async function readData(
  image: Qcow2Image,
  stored: StoredBitmap,
  bitmap: DirtyBitmap,
  budget: { clusters: number },
): Promise<void> {
  const { clusterSize, file } = image;
  const { bits } = bitmap;
  spend(stored, budget, divideCeil(stored.tableEntries * ENTRY_BYTES, clusterSize));
  let entries: BitmapCluster[];
  try {
    entries = await readBitmapTable(image, stored);
  } catch (error) {
    const reason = errnoText(errnoOf(error));
    const what = `Could not read bitmap_table table from image for bitmap '${stored.name}'`;
    throw formatError(`${what}: ${reason}`, errnoOf(error), error);
  }
  try {
    if (entries.length !== divideCeil(bits.byteLength, clusterSize)) throw formatError(errnoText("EINVAL"));
    for (const [index, cluster] of entries.entries()) {
      const at = index * clusterSize;
      if (cluster === "ones") bits.change(at * 8, (at + clusterSize) * 8, true);
      if (typeof cluster !== "number" || cluster >= file.size) continue;
      spend(stored, budget, 1);
      bits.write(at, await file.readBytes(cluster, Math.min(clusterSize, bits.byteLength - at)));
    }
  } catch (error) {
    const errno = errnoOf(error);
    throw formatError(`Could not read bitmap '${stored.name}' from image: ${errnoText(errno)}`, errno, error);
  }
}

/** Bitmaps that share clusters again and again are none that anybody has written. */
function spend(stored: StoredBitmap, budget: { clusters: number }, clusters: number): void {
  budget.clusters -= clusters;
  if (budget.clusters >= 0) return;
  throw formatError(`Could not read bitmap '${stored.name}' from image: ${errnoText("EFBIG")}`, "EFBIG");
}
