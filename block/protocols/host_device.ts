/**
 * Protocol `host_device`: a block or character device of this host. Its size is what the device says, it cannot be
 * resized, and zeroes and discards are asked of the device.
 *
 * @module
 */
import type { DriverDefinition } from "../driver.ts";
import type { BlockdevOptionsFile } from "../options/blockdev.ts";
import { isDevice } from "./file/devices.ts";
import { openFileDriver } from "./file/make.ts";

/** The definition that `drivers.ts` lists. */
export const hostDevice: DriverDefinition<BlockdevOptionsFile> = {
  name: "host_device",
  kind: "protocol",
  probe: (_head, filename) => isDevice(filename) ? 100 : 0,
  open: (options, context) => openFileDriver("host_device", options, context),
};
