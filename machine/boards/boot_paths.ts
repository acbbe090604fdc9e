/**
 * The OpenFirmware paths of devices that have a `bootindex`, in its order: what firmware tries first.
 *
 * Source: [IEEE 1275] "Device paths"; the names of nodes are those that QEMU's firmware expects.
 *
 * @module
 */
import { type Device, PciDevice } from "../../devices/bus/mod.ts";

const PCI_ROOT = "/pci@i0cf8";

/** Paths such as `/pci@i0cf8/ide@1,1/drive@0/disk@0`. */
export function bootPaths(devices: readonly Device[]): string[] {
  return devices
    .map((device) => ({ index: bootIndex(device), path: bootPath(device) }))
    .filter(({ index, path }) => index >= 0 && path !== undefined)
    .sort((a, b) => a.index - b.index)
    .map(({ path }) => path!);
}

/** Disks whose logical geometry was given: path, cylinders, heads, sectors, in order of the object tree. */
export function logicalGeometries(devices: readonly Device[]): string[] {
  return devices.flatMap((device) => {
    const { lcyls, lheads, lsecs } = device.properties as Readonly<Record<string, unknown>>;
    const path = bootPath(device);
    return path !== undefined && (lcyls || lheads || lsecs) ? [`${path} ${lcyls} ${lheads} ${lsecs}`] : [];
  });
}

/** A device's `bootindex`; -1 where it has none. */
export function bootIndex(device: Device): number {
  const { bootindex } = device.properties;
  return typeof bootindex === "number" ? bootindex : -1;
}

function bootPath(device: Device): string | undefined {
  const controller = device.bus?.parent;
  if (device.type.name === "virtio-blk-device" && controller instanceof PciDevice) {
    return `${PCI_ROOT}/scsi@${pciPlace(controller)}/disk@0,0`;
  }
  if (device.bus?.typeName !== "IDE" || !(controller instanceof PciDevice)) return undefined;
  const channel = [...controller.buses].reverse().indexOf(device.bus);
  return `${PCI_ROOT}/ide@${pciPlace(controller)}/drive@${channel}/disk@${device.properties.unit}`;
}

function pciPlace(device: PciDevice): string {
  return device.function === 0 ? hex(device.slot) : `${hex(device.slot)},${hex(device.function)}`;
}

function hex(value: number): string {
  return value.toString(16);
}
