/**
 * The device types that a machine is given unless somebody chooses others.
 *
 * @module
 */
import { DeviceTypes } from "../devices/bus/mod.ts";
import { chipsetDeviceTypes } from "../devices/chipset/mod.ts";
import { floppyDeviceTypes } from "../devices/floppy/mod.ts";
import { ideDeviceTypes } from "../devices/ide/mod.ts";
import { serialDeviceTypes } from "../devices/serial/mod.ts";
import { vgaDeviceTypes } from "../devices/vga/mod.ts";
import { virtioDeviceTypes } from "../devices/virtio/mod.ts";

/** All types there are. */
export function standardDeviceTypes(): DeviceTypes {
  return new DeviceTypes([
    ...chipsetDeviceTypes,
    ...floppyDeviceTypes,
    ...ideDeviceTypes,
    ...virtioDeviceTypes,
    ...serialDeviceTypes,
    ...vgaDeviceTypes,
  ]);
}
