/**
 * Drivers that play the guest, over ports, memory and interrupts only.
 *
 * @module
 */
export type { Answer, GuestBus } from "./bus.ts";
export {
  FLOPPY_FORMATS,
  type FloppyCallOptions,
  FloppyDisk,
  FloppyError,
  type FloppyGeometry,
  FloppyGuest,
} from "./floppy.ts";
export {
  AtaStatus,
  type AtaTaskFile,
  type DmaArea,
  type DriveIdentity,
  type IdeCallOptions,
  IdeCd,
  IdeDisk,
  type IdeDrive,
  IdeError,
  IdeGuest,
  type Sense,
} from "./ide.ts";
export { assignPci, type GuestBar, type GuestCapability, PciFunction, scanPci } from "./pci.ts";
export {
  type VirtioBlkCall,
  type VirtioBlkConfig,
  VirtioBlkError,
  VirtioBlkGuest,
  type VirtioBlkOptions,
  type VirtioBlkTransfer,
  VirtioBlkType,
} from "./virtio_blk.ts";
export type { VirtioTransport } from "./virtio_pci.ts";
