/**
 * How large the parts of a FAT12 or FAT16 file system are: the usual numbers of floppies, and others worked out.
 *
 * Source: [FAT] Microsoft Extensible Firmware Initiative FAT32 File System Specification 1.03, "Boot Sector and BPB",
 * "FAT Type Determination".
 *
 * @module
 */
import { divideCeil } from "../../base/bits.ts";
import { KiB, SECTOR_BYTES } from "../../base/units.ts";
import { MachineError } from "../errors.ts";

/** The parts, in sectors of 512 bytes unless they say otherwise. */
export interface FatLayout {
  readonly bits: 12 | 16;
  readonly sectors: number;
  readonly sectorsPerCluster: number;
  readonly sectorsPerFat: number;
  readonly rootEntries: number;
  readonly media: number;
  readonly sectorsPerTrack: number;
  readonly heads: number;
  readonly clusters: number;
}

/** One boot sector and two tables come first. */
export const RESERVED_SECTORS = 1;
/** How many tables there are. */
export const FAT_COUNT = 2;
/** Bytes of one entry of a folder. */
export const ENTRY_BYTES = 32;

/** Floppies by their size in sectors: sectors per cluster, entries of the root, media byte, sectors per track. */
const FLOPPIES: Readonly<Record<number, readonly [number, number, number, number]>> = {
  720: [2, 112, 0xfd, 9],
  1440: [2, 112, 0xf9, 9],
  2400: [1, 224, 0xf9, 15],
  2880: [1, 224, 0xf0, 18],
  5760: [2, 240, 0xf0, 36],
};
const HARD_DISK_MEDIA = 0xf8;
const HARD_DISK_ROOT_ENTRIES = 512;
/** A FAT12 file system has fewer clusters than this, a FAT16 one no fewer and fewer than the other. */
const MIN_FAT16_CLUSTERS = 4085;
const MAX_FAT16_CLUSTERS = 65_525;
/** Clusters end at 32 KiB. */
const MAX_SECTORS_PER_CLUSTER = 64;
const MIN_SECTORS = 32;

/** The layout of a disk of `sizeBytes`. @throws {MachineError} where neither FAT12 nor FAT16 is for that size */
export function fatLayout(sizeBytes: number): FatLayout {
  const sectors = Math.floor(sizeBytes / SECTOR_BYTES);
  if (sectors < MIN_SECTORS) {
    throw new MachineError(`A FAT disk has at least ${MIN_SECTORS * SECTOR_BYTES / KiB} KiB`);
  }
  const floppy = FLOPPIES[sectors];
  if (floppy !== undefined) {
    const [sectorsPerCluster, rootEntries, media, sectorsPerTrack] = floppy;
    return parts({ sectors, sectorsPerCluster, rootEntries, media, sectorsPerTrack, heads: 2 });
  }
  const shape = {
    sectors,
    rootEntries: HARD_DISK_ROOT_ENTRIES,
    media: HARD_DISK_MEDIA,
    sectorsPerTrack: 63,
    heads: 16,
  };
  for (let sectorsPerCluster = 1; sectorsPerCluster <= MAX_SECTORS_PER_CLUSTER; sectorsPerCluster *= 2) {
    const layout = parts({ ...shape, sectorsPerCluster });
    if (layout.clusters < MAX_FAT16_CLUSTERS) return layout;
  }
  throw new MachineError("A FAT16 disk has at most 2 GiB; larger ones need FAT32, which moa does not make");
}

/** Works out the tables: their size follows from the number of clusters, and that from their size. */
function parts(shape: Omit<FatLayout, "bits" | "sectorsPerFat" | "clusters">): FatLayout {
  const { sectors, sectorsPerCluster, rootEntries } = shape;
  const rootSectors = rootEntries * ENTRY_BYTES / SECTOR_BYTES;
  let sectorsPerFat = 1;
  for (;;) {
    const dataSectors = sectors - RESERVED_SECTORS - rootSectors - FAT_COUNT * sectorsPerFat;
    const clusters = Math.max(0, Math.floor(dataSectors / sectorsPerCluster));
    const bits = clusters < MIN_FAT16_CLUSTERS ? 12 : 16;
    // Entries 0 and 1 stand for no cluster.
    const needed = divideCeil((clusters + 2) * bits, 8 * SECTOR_BYTES);
    if (needed <= sectorsPerFat) return { ...shape, bits, sectorsPerFat, clusters };
    sectorsPerFat = needed;
  }
}
