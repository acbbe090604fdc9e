/**
 * Floppy disks: the controller `isa-fdc` and the drive `floppy`.
 *
 * @module
 */
import type { DeviceType } from "../bus/mod.ts";
import { floppy } from "./floppy_drive.ts";
import { isaFdc } from "./isa_fdc.ts";

export { floppy, FloppyDrive } from "./floppy_drive.ts";
export { FloppyController, isaFdc } from "./isa_fdc.ts";
export { driveKindFor, type FloppyFormat, formatIn } from "./geometry.ts";

/** The device types of this folder. */
export const floppyDeviceTypes: readonly DeviceType[] = [floppy, isaFdc];
