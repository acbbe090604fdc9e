/**
 * The properties of `ide-hd` and `ide-cd`, and the checks that QEMU makes when such a device is realized.
 *
 * @module
 */
import { prop, PropertyError, type PropertyValues } from "../bus/mod.ts";
import {
  checkGeometry,
  DRIVE_PROPERTIES,
  ERROR_PROPERTIES,
  GEOMETRY_PROPERTIES,
  guessGeometry,
  settleBlockSizes,
  translationFor,
} from "../drive/mod.ts";
import { ANY_UNIT } from "./ide_bus.ts";

/** What a disk and a CD drive have in common, in the order in which they are listed. */
const COMMON = {
  ...DRIVE_PROPERTIES,
  ...ERROR_PROPERTIES,
  "ver": prop.str(),
  "wwn": prop.uint64(0n),
  "serial": prop.str(),
  "model": prop.str(),
};

const PLACE = {
  "bootindex": prop.int32(-1, { noDefault: true, hidden: true }),
  "unit": prop.uint32(ANY_UNIT),
};

const TRANSLATIONS = ["auto", "none", "lba", "large", "rechs"] as const;

export const HD_PROPERTIES = {
  ...COMMON,
  ...GEOMETRY_PROPERTIES,
  "bios-chs-trans": prop.choice("BiosAtaTranslation", TRANSLATIONS, "auto", {
    description: "Logical CHS translation algorithm, auto/none/lba/large/rechs",
  }),
  "rotation_rate": prop.uint16(0),
  ...PLACE,
};

export const CD_PROPERTIES = { ...COMMON, ...PLACE };

export type CommonValues = PropertyValues<typeof CD_PROPERTIES>;
export type HdValues = PropertyValues<typeof HD_PROPERTIES>;

const SECTOR = 512;
const MAX_HEADS = 16;

/** Settles block sizes. @throws PropertyError in QEMU's words */
export function settleIdeBlockSizes(values: CommonValues): void {
  if (values.discard_granularity === 0xffff_ffff) values.discard_granularity = SECTOR;
  else if (values.discard_granularity !== 0 && values.discard_granularity !== SECTOR) {
    throw new PropertyError("discard_granularity must be 512 for ide");
  }
  settleBlockSizes(values);
  if (values.logical_block_size !== SECTOR) throw new PropertyError("logical_block_size must be 512 for IDE");
}

/** Settles the geometry: as asked for, or guessed from the disk. @throws PropertyError in QEMU's words */
export function settleGeometry(values: HdValues, firstSector: Uint8Array, totalSectors: number): void {
  if (values.cyls === 0 && values.heads === 0 && values.secs === 0) {
    const { geometry, translation } = guessGeometry(firstSector, totalSectors);
    values.cyls = geometry.cylinders;
    values.heads = geometry.heads;
    values.secs = geometry.sectors;
    if (values["bios-chs-trans"] === "auto") values["bios-chs-trans"] = translation;
  } else if (values["bios-chs-trans"] === "auto") {
    const geometry = { cylinders: values.cyls, heads: values.heads, sectors: values.secs };
    values["bios-chs-trans"] = translationFor(geometry);
  }
  checkGeometry(values, MAX_HEADS);
}
