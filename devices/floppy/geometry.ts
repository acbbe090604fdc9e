/**
 * Formats of floppy disks, known by their size, and the drives that take them.
 *
 * Source: the sizes that drives of 3.5 and 5.25 inches were formatted to; which drive QEMU 7.2 picks for a size.
 *
 * @module
 */

/** 3.5 inch with 1.44 or 2.88 MB, or 5.25 inch with 1.2 MB. */
export type DriveKind = "144" | "288" | "120";

/** Data rates as CCR and DSR select them. */
export const Rate = { Kbps500: 0, Kbps300: 1, Kbps250: 2, Mbps1: 3 } as const;

/** How a disk is formatted. */
export interface FloppyFormat {
  readonly drive: DriveKind;
  readonly cylinders: number;
  readonly heads: 1 | 2;
  /** Sectors of 512 bytes on a track. */
  readonly sectors: number;
  readonly rate: number;
}

const SECTOR_BYTES = 512;

function formats(
  drive: DriveKind,
  rate: number,
  ...geometries: readonly (readonly [cylinders: number, heads: 1 | 2, sectors: number])[]
): FloppyFormat[] {
  return geometries.map(([cylinders, heads, sectors]) => ({ drive, cylinders, heads, sectors, rate }));
}

/** The usual format of each drive comes first. */
const FORMATS: readonly FloppyFormat[] = [
  ...formats("144", Rate.Kbps500, [80, 2, 18], [80, 2, 20], [80, 2, 21], [82, 2, 21], [83, 2, 21]),
  ...formats("144", Rate.Kbps500, [80, 2, 22], [80, 2, 23], [80, 2, 24]),
  ...formats("288", Rate.Mbps1, [80, 2, 36], [80, 2, 39], [80, 2, 40], [80, 2, 44], [80, 2, 48]),
  ...formats("144", Rate.Kbps250, [80, 2, 9], [80, 2, 10], [82, 2, 10], [83, 2, 10], [80, 2, 13], [80, 2, 14]),
  ...formats("120", Rate.Kbps500, [80, 2, 15], [80, 2, 18], [82, 2, 18], [83, 2, 18], [80, 2, 20]),
  ...formats("120", Rate.Kbps300, [40, 2, 9], [41, 2, 10], [42, 2, 10]),
  ...formats("120", Rate.Kbps250, [40, 2, 8], [40, 1, 9], [40, 1, 8]),
];

/** Bytes of a disk of this format. */
export function formatBytes({ cylinders, heads, sectors }: FloppyFormat): number {
  return cylinders * heads * sectors * SECTOR_BYTES;
}

/** The kind of drive that a disk of this size belongs in; `undefined` for no known size. */
export function driveKindFor(sizeBytes: number): DriveKind | undefined {
  return FORMATS.find((format) => formatBytes(format) === sizeBytes)?.drive;
}

/** How a drive of `kind` takes a disk: one of its size that belongs in it, or in one as wide; else as the usual one. */
export function formatIn(kind: DriveKind, sizeBytes: number): FloppyFormat {
  const ofSize = FORMATS.filter((format) => formatBytes(format) === sizeBytes);
  const wide = (drive: DriveKind) => drive === "120";
  return ofSize.find(({ drive }) => drive === kind) ??
    ofSize.find(({ drive }) => wide(drive) === wide(kind)) ??
    FORMATS.find(({ drive }) => drive === kind)!;
}
