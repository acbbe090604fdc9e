/**
 * Protocol `host_cdrom`: a CD-ROM drive of this host, which may be empty; the driver's `isInserted`, `moveTray` and
 * `lockMedium` reach the drive.
 *
 * @module
 */
import type { DriverDefinition } from "../driver.ts";
import type { BlockdevOptionsFile } from "../options/blockdev.ts";
import { isCdromDrive } from "./file/devices.ts";
import { openFileDriver } from "./file/make.ts";

/** The definition that `drivers.ts` lists. */
export const hostCdrom: DriverDefinition<BlockdevOptionsFile> = {
  name: "host_cdrom",
  kind: "protocol",
  probe: (_head, filename) => isCdromDrive(filename) ? 100 : 0,
  open: (options, context) => openFileDriver("host_cdrom", options, context),
};
