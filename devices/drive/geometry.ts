/**
 * The geometry that a disk shows where none was given: from its partition table, or from its size.
 *
 * A partition table was written by an operating system that saw some logical geometry; with 16 heads at most that one
 * is shown, so that old guests find their partitions. With more, firmware was translating, and the disk shows what its
 * size says.
 *
 * Source: [ATA/ATAPI-5] annex C on default CHS translation; the PC's partition table (head, sector and cylinder of a
 * partition's end).
 *
 * @module
 */

/** Cylinders, heads, sectors of a track. */
export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** How firmware makes a logical geometry from a physical one. */
export type Translation = "auto" | "none" | "lba" | "large" | "rechs";

const MAX_CYLINDERS = 16383;
const HEADS = 16;
const SECTORS = 63;
const PARTITIONS = 4;

/** What the size says: 16 heads, 63 sectors, 2 to 16383 cylinders. */
export function geometryOfSize(totalSectors: number): Geometry {
  const cylinders = Math.floor(totalSectors / (HEADS * SECTORS));
  return { cylinders: Math.min(Math.max(cylinders, 2), MAX_CYLINDERS), heads: HEADS, sectors: SECTORS };
}

/** The logical geometry behind the first partition that tells one; `undefined` without. */
export function geometryOfPartitions(firstSector: Uint8Array, totalSectors: number): Geometry | undefined {
  if (firstSector[510] !== 0x55 || firstSector[511] !== 0xaa) return undefined;
  const view = new DataView(firstSector.buffer, firstSector.byteOffset, 512);
  for (let i = 0; i < PARTITIONS; i++) {
    const entry = 0x1be + i * 16;
    const endHead = view.getUint8(entry + 5);
    const sectors = view.getUint8(entry + 6) & 0x3f;
    if (view.getUint32(entry + 12, true) === 0 || endHead === 0 || sectors === 0) continue;
    const heads = endHead + 1;
    const cylinders = Math.floor(totalSectors / (heads * sectors));
    if (cylinders >= 1 && cylinders <= MAX_CYLINDERS) return { cylinders, heads, sectors };
  }
  return undefined;
}

/** The translation that suits a geometry. */
export function translationFor({ cylinders, heads, sectors }: Geometry): Translation {
  return cylinders <= 1024 && heads <= 16 && sectors <= 63 ? "none" : "lba";
}

/** Geometry and translation of a disk whose first sector is known. */
export function guessGeometry(
  firstSector: Uint8Array,
  totalSectors: number,
): { readonly geometry: Geometry; readonly translation: Translation } {
  const bySize = geometryOfSize(totalSectors);
  const logical = geometryOfPartitions(firstSector, totalSectors);
  if (logical === undefined) return { geometry: bySize, translation: translationFor(bySize) };
  if (logical.heads <= HEADS) return { geometry: logical, translation: "none" };
  return { geometry: bySize, translation: bySize.cylinders * bySize.heads <= 131072 ? "large" : "lba" };
}
