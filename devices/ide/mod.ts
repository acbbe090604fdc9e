/**
 * IDE: the controller `piix3-ide`, the drives `ide-hd` and `ide-cd`, and the bus-independent core below them.
 *
 * @module
 */
import type { DeviceType } from "../bus/mod.ts";
import { ideCd, ideHd } from "./ide_device.ts";
import { piix3Ide } from "./piix3_ide.ts";

export type { DriveBackend } from "./backend.ts";
export { BusMaster } from "./bus_master.ts";
export { CdDrive } from "./cd.ts";
export { Channel, type ChannelOptions, type ChannelState } from "./channel.ts";
export { Disk, type DiskDescription } from "./disk.ts";
export { type DmaBuffer, type DmaMaster, Drive, type DriveHost, type DriveRequest } from "./drive.ts";
export { IdeBus } from "./ide_bus.ts";
export { ideCd, IdeCdDrive, IdeHardDisk, ideHd } from "./ide_device.ts";
export { Piix3Ide, piix3Ide } from "./piix3_ide.ts";
export { Status } from "./registers.ts";

/** The device types of this folder. */
export const ideDeviceTypes: readonly DeviceType[] = [ideCd, ideHd, piix3Ide];
