/**
 * Protocol `host_device`: a block or character device of this host. Its size is what the device says, it cannot be
 * resized, and zeroes and discards are asked of the device.
 *
 * @module
 */
import type { CreateOption, DriverDefinition } from "../driver.ts";
import type { BlockdevOptionsFile } from "../options/blockdev.ts";
import { isDevice } from "./file/devices.ts";
import { openFileDriver } from "./file/make.ts";

/** Rows of `-o help`. A device is there already: an image is made in it as it is. */
const CREATE_OPTIONS: readonly CreateOption[] = [
  { name: "preallocation", type: "str", help: "Preallocation mode (allowed values: off)" },
  { name: "size", type: "size", help: "Virtual disk size" },
];

/** The definition that `drivers.ts` lists. */
export const hostDevice: DriverDefinition<BlockdevOptionsFile> = {
  name: "host_device",
  kind: "protocol",
  probe: (_head, filename) => isDevice(filename) ? 100 : 0,
  open: (options, context) => openFileDriver("host_device", options, context),
  createOptions: CREATE_OPTIONS,
};
