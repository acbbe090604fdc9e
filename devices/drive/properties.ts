/**
 * The properties that devices with a drive have in common, whatever bus they are on, and the checks of them.
 *
 * Rows stand in the order in which `info qtree` lists them.
 *
 * Source: behaviour of QEMU 7.2; `-device X,help`.
 *
 * @module
 */
import type { BlockBackend } from "../../block/mod.ts";
import { prop, PropertyError, type PropertyValues } from "../bus/mod.ts";

const SECTOR_BYTES = 512;
/** The field that tells it to guests has 16 bits. */
const MAX_MIN_IO_BLOCKS = 65535;

/** Of every drive. */
export const DRIVE_PROPERTIES = {
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
};

/** Of those whose errors have a policy. */
export const ERROR_PROPERTIES = { "rerror": prop.blockdevOnError(), "werror": prop.blockdevOnError() };

/** Of those that show a geometry; the second three are what firmware shows. */
export const GEOMETRY_PROPERTIES = {
  "cyls": prop.uint32(0),
  "heads": prop.uint32(0),
  "secs": prop.uint32(0),
  "lcyls": prop.uint32(0),
  "lheads": prop.uint32(0),
  "lsecs": prop.uint32(0),
};

export type DriveValues = PropertyValues<typeof DRIVE_PROPERTIES>;
export type ErrorValues = PropertyValues<typeof ERROR_PROPERTIES>;
export type GeometryValues = PropertyValues<typeof GEOMETRY_PROPERTIES>;

/** Settles block sizes: 512 where nobody says otherwise. @throws PropertyError in QEMU's words */
export function settleBlockSizes(values: DriveValues): void {
  values.physical_block_size ||= SECTOR_BYTES;
  values.logical_block_size ||= SECTOR_BYTES;
  const { logical_block_size: logical, physical_block_size: physical } = values;
  if (logical > physical) throw new PropertyError("logical_block_size > physical_block_size not supported");
  for (const name of ["min_io_size", "opt_io_size"] as const) {
    if (values[name] % logical !== 0) throw new PropertyError(`${name} must be a multiple of logical_block_size`);
  }
  if (values.min_io_size / logical > MAX_MIN_IO_BLOCKS) {
    throw new PropertyError("min_io_size must not exceed 65535 logical blocks");
  }
}

/** Cylinders and sectors end where their fields do, heads at `mostHeads`. @throws PropertyError in QEMU's words */
export function checkGeometry(values: GeometryValues, mostHeads: number): void {
  for (const [name, most] of [["cyls", 65535], ["heads", mostHeads], ["secs", 255]] as const) {
    if (values[name] < 1 || values[name] > most) throw new PropertyError(`${name} must be between 1 and ${most}`);
  }
}

/** Hands write cache, error policies and accounting to the backend; "auto" leaves what the drive has. */
export function applyPolicies(values: DriveValues & Partial<ErrorValues>, backend: BlockBackend): void {
  const { werror = "auto", rerror = "auto" } = values;
  if (values["write-cache"] !== "auto") backend.writeCacheEnabled = values["write-cache"] === "on";
  if (werror !== "auto") backend.werror = werror;
  // ENOSPC does not happen on reads: what is left of "enospc" is to report.
  if (rerror !== "auto") backend.rerror = rerror === "enospc" ? "report" : rerror;
  if (values["account-failed"] !== "auto") backend.stats.accountFailed = values["account-failed"] === "on";
  if (values["account-invalid"] !== "auto") backend.stats.accountInvalid = values["account-invalid"] === "on";
}
