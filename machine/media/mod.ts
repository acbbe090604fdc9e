/**
 * Media that moa makes itself: CDs, floppies and small disks, and archives for a kernel's first file system.
 *
 * @module
 */
export { buildCpio } from "./cpio.ts";
export { buildFat, type FatOptions } from "./fat.ts";
export { buildIso, type IsoOptions } from "./iso9660.ts";
export type { MediaContent, MediaFiles } from "./tree.ts";
export { IsoReader, type MediumBytes } from "./iso_reader.ts";
