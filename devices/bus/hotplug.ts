/**
 * Devices that come and go while the machine is there: who is asked, and who is told.
 *
 * A bus whose {@link HotplugHandler} is set can be plugged into at any time. The handler is the board's or the
 * controller's: a SCSI adapter lets a disk go at once, a PCI bus asks the guest and lets go when that says "eject".
 *
 * Source: QEMU's docs/devel/qdev-api, "Hotplug".
 *
 * @module
 */
import type { Device } from "./device.ts";

/** What a bus does about devices that come and go. */
export interface HotplugHandler {
  /** `device` is on the bus and ready: the guest is told. @throws {PropertyError} where it cannot stay */
  plugged?(device: Device): void;
  /**
   * The user wants `device` out. `"now"`: nobody minds. `"asked"`: the guest is asked, and
   * {@link DeviceContext.ejected} says later that it agreed.
   *
   * @throws {PropertyError} where it cannot go
   */
  unplug(device: Device): "now" | "asked";
}
