/**
 * virtio: rings in guest memory, their transport over PCI, and the block device.
 *
 * @module
 */
import type { DeviceType } from "../bus/mod.ts";
import { virtioBlk } from "./virtio_blk.ts";
import { virtioBlkPci, virtioBlkPciNonTransitional, virtioBlkPciTransitional } from "./virtio_blk_pci.ts";

export { BlkFeature, DeviceStatus, Feature } from "./features.ts";
export { VirtioBlk } from "./virtio_blk.ts";
export { virtioBlkPci } from "./virtio_blk_pci.ts";
export { VirtioDevice } from "./virtio_device.ts";
export { VirtioPci } from "./virtio_pci.ts";

/** The device types of this folder. */
export const virtioDeviceTypes: readonly DeviceType[] = [
  virtioBlk,
  virtioBlkPci,
  virtioBlkPciTransitional,
  virtioBlkPciNonTransitional,
];
