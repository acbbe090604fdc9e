/** Binary multiples in bytes, under the names that storage people say. */
export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;
export const TiB = 1024 * GiB;

/** The sector of ATA, of QEMU's image formats and of its messages, in bytes. */
export const SECTOR_BYTES = 512;

export const NS_PER_US = 1_000;
export const NS_PER_MS = 1_000_000;
export const NS_PER_S = 1_000_000_000;
