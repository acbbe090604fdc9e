/**
 * The shape that a disk shows in int 13h, by its own geometry and how that is translated: as SeaBIOS does it, so that
 * a disk that was partitioned under one firmware boots under the other.
 *
 * Source: [ATA-8] "CHS translation" as PC firmware has it; SeaBIOS' answers to function 08h.
 *
 * @module
 */
import { SECTOR_BYTES } from "../../base/units.ts";
import { BlockBackend } from "../../block/mod.ts";
import type { Device } from "../../devices/bus/mod.ts";
import { type Geometry, geometryOfSize, type Translation, translationFor } from "../../devices/drive/mod.ts";

const MAX_CYLINDERS = 1024;
const MAX_SECTORS = 63;
const MAX_HEADS = 255;
/** What can be shown by doubling heads; beyond that only the number of sectors counts. */
const MAX_TRACKS_TO_DOUBLE = 131_072;

/** What the firmware is told of a disk. */
export interface BiosShapes {
  /** In int 13h by cylinder, head and sector. */
  readonly shape: Geometry;
  /** The drive's own. */
  readonly physical: Geometry;
}

/** Both shapes of a device with a disk; `undefined` where it has none. */
export function biosShapes(device: Device): BiosShapes | undefined {
  const properties = device.properties as Readonly<Record<string, unknown>>;
  const number = (name: string) => Number(properties[name] ?? 0);
  const { drive } = properties;
  if (!(drive instanceof BlockBackend)) return undefined;
  const total = Math.floor(drive.sizeBytes / SECTOR_BYTES);
  const told = { cylinders: number("cyls"), heads: number("heads"), sectors: number("secs") };
  const physical = told.cylinders * told.heads * told.sectors > 0 ? told : geometryOfSize(total);
  const asked = { cylinders: number("lcyls"), heads: number("lheads"), sectors: number("lsecs") };
  if (asked.cylinders * asked.heads * asked.sectors > 0) return { shape: asked, physical };
  return { shape: translated(physical, translationOf(properties["bios-chs-trans"], physical), total), physical };
}

function translationOf(property: unknown, physical: Geometry): Translation {
  if (property === "none" || property === "lba" || property === "large" || property === "rechs") return property;
  if (property === "auto") return translationFor(physical);
  const { cylinders, heads } = physical;
  if (cylinders <= MAX_CYLINDERS) return "none";
  return cylinders * heads <= MAX_TRACKS_TO_DOUBLE ? "large" : "lba";
}

/** @param totalSectors what the disk has, whatever its geometry says */
export function translated(physical: Geometry, translation: Translation, totalSectors: number): Geometry {
  let { cylinders, heads } = physical;
  const { sectors } = physical;
  if (translation === "lba") {
    const tracks = Math.floor(totalSectors / MAX_SECTORS);
    heads = [16, 32, 64, 128].find((count) => Math.floor(tracks / MAX_CYLINDERS) <= count) ?? MAX_HEADS;
    return { cylinders: Math.min(MAX_CYLINDERS, Math.floor(tracks / heads)), heads, sectors: MAX_SECTORS };
  }
  if (translation === "rechs" && heads === 16) {
    cylinders = Math.floor(Math.min(cylinders, 61_439) * 16 / 15);
    heads = 15;
  }
  if (translation === "rechs" || translation === "large") {
    while (cylinders > MAX_CYLINDERS && heads <= 127) {
      cylinders >>= 1;
      heads <<= 1;
    }
  }
  return { cylinders: Math.min(MAX_CYLINDERS, cylinders), heads: Math.min(MAX_HEADS, heads), sectors };
}
