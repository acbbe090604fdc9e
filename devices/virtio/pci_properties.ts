/**
 * Properties that all virtio functions have, in the order in which `info qtree` lists them.
 *
 * Those about PCI Express (`ats`, `aer`, `x-pcie-...`) have an effect on an express bus only, those about eventfd none
 * that a guest could see; the pc's bus is a conventional one, so they are taken as they come, as QEMU takes them.
 *
 * @module
 */
import { PCI_PROPERTIES, prop, PropertyError, type PropertyValues } from "../bus/mod.ts";

const onOff = { description: "on/off" } as const;

export const VIRTIO_PCI_PROPERTIES = {
  "class": prop.uint32(0),
  "ioeventfd": prop.bool(true, onOff),
  "vectors": prop.uint32(0xffff_ffff),
  "virtio-pci-bus-master-bug-migration": prop.bool(false, onOff),
  "migrate-extra": prop.bool(true, onOff),
  "modern-pio-notify": prop.bool(false, onOff),
  "x-disable-pcie": prop.bool(false, onOff),
  "page-per-vq": prop.bool(false, onOff),
  "x-ignore-backend-features": prop.bool(false),
  "ats": prop.bool(false, onOff),
  "x-ats-page-aligned": prop.bool(true, onOff),
  "x-pcie-deverr-init": prop.bool(true, onOff),
  "x-pcie-lnkctl-init": prop.bool(true, onOff),
  "x-pcie-pm-init": prop.bool(true, onOff),
  "x-pcie-flr-init": prop.bool(true, onOff),
  "aer": prop.bool(false, onOff),
  ...PCI_PROPERTIES,
};

/** What a plain `virtio-blk-pci` has before them: which interfaces it speaks. */
export const INTERFACE_PROPERTIES = {
  "disable-legacy": prop.onOffAuto(),
  "disable-modern": prop.bool(false),
};

/** Refuses what moa has not. @throws PropertyError */
export function checkPciProperties(values: PropertyValues<typeof VIRTIO_PCI_PROPERTIES>): void {
  const refuse = (name: string, why: string) => {
    throw new PropertyError(`${name} is not available: ${why}`);
  };
  const migration = "it is about the form of QEMU's migration stream";
  if (values["virtio-pci-bus-master-bug-migration"]) refuse("virtio-pci-bus-master-bug-migration", migration);
  if (!values["migrate-extra"]) refuse("migrate-extra=off", migration);
  if (values.romfile) refuse("romfile", "moa loads no option ROMs from files");
  if (values["acpi-index"] !== 0) refuse("acpi-index", "moa's firmware tables have no such names");
}
