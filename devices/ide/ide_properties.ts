/**
 * The properties of `ide-hd` and `ide-cd`, and the checks that QEMU makes when such a device is realized.
 *
 * @module
 */
import type { BlockBackend } from "../../block/mod.ts";
import { prop, PropertyError, type PropertyValues } from "../bus/mod.ts";
import { guessGeometry, translationFor } from "./geometry.ts";
import { ANY_UNIT } from "./ide_bus.ts";

/** What a disk and a CD drive have in common, in the order in which they are listed. */
const COMMON = {
  "drive": prop.drive<BlockBackend>(),
  "backend_defaults": prop.onOffAuto(),
  "logical_block_size": prop.blockSize(),
  "physical_block_size": prop.blockSize(),
  "min_io_size": prop.size32(0),
  "opt_io_size": prop.size32(0),
  "discard_granularity": prop.size32(0xffff_ffff),
  "write-cache": prop.onOffAuto(),
  "share-rw": prop.bool(false),
  "account-invalid": prop.onOffAuto(),
  "account-failed": prop.onOffAuto(),
  "rerror": prop.blockdevOnError(),
  "werror": prop.blockdevOnError(),
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
  "cyls": prop.uint32(0),
  "heads": prop.uint32(0),
  "secs": prop.uint32(0),
  "lcyls": prop.uint32(0),
  "lheads": prop.uint32(0),
  "lsecs": prop.uint32(0),
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
/** The field that tells it to guests of other buses has 16 bits. */
const MAX_MIN_IO_BLOCKS = 65535;

/** Settles block sizes. @throws PropertyError in QEMU's words */
export function settleBlockSizes(values: CommonValues): void {
  if (values.discard_granularity === 0xffff_ffff) values.discard_granularity = SECTOR;
  else if (values.discard_granularity !== 0 && values.discard_granularity !== SECTOR) {
    throw new PropertyError("discard_granularity must be 512 for ide");
  }
  values.physical_block_size ||= SECTOR;
  values.logical_block_size ||= SECTOR;
  const { logical_block_size: logical, physical_block_size: physical } = values;
  if (logical > physical) throw new PropertyError("logical_block_size > physical_block_size not supported");
  for (const name of ["min_io_size", "opt_io_size"] as const) {
    if (values[name] % logical !== 0) throw new PropertyError(`${name} must be a multiple of logical_block_size`);
  }
  if (values.min_io_size / logical > MAX_MIN_IO_BLOCKS) {
    throw new PropertyError("min_io_size must not exceed 65535 logical blocks");
  }
  if (logical !== SECTOR) throw new PropertyError("logical_block_size must be 512 for IDE");
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
  for (const [name, most] of [["cyls", 65535], ["heads", 16], ["secs", 255]] as const) {
    if (values[name] < 1 || values[name] > most) throw new PropertyError(`${name} must be between 1 and ${most}`);
  }
}

/** Hands write cache, error policies and accounting to the backend; "auto" leaves what the drive has. */
export function applyPolicies(values: CommonValues, backend: BlockBackend): void {
  if (values["write-cache"] !== "auto") backend.writeCacheEnabled = values["write-cache"] === "on";
  if (values.werror !== "auto") backend.werror = values.werror;
  // ENOSPC does not happen on reads: what is left of "enospc" is to report.
  if (values.rerror !== "auto") backend.rerror = values.rerror === "enospc" ? "report" : values.rerror;
  if (values["account-failed"] !== "auto") backend.stats.accountFailed = values["account-failed"] === "on";
  if (values["account-invalid"] !== "auto") backend.stats.accountInvalid = values["account-invalid"] === "on";
}
