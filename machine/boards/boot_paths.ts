/**
 * The OpenFirmware paths of devices that have a place in the order of booting: what firmware tries first.
 *
 * Disks have a `bootindex`; the floppy controller has one for each of its drives.
 *
 * Source: [IEEE 1275] "Device paths"; the names of nodes are those that QEMU's firmware expects.
 *
 * @module
 */
import { type Device, PciDevice } from "../../devices/bus/mod.ts";

const PCI_ROOT = "/pci@i0cf8";

/** What a device has of the order of booting, by property. */
export const BOOT_INDEXES: readonly string[] = ["bootindex", "bootindexA", "bootindexB"];

/** Something that is no device, and its place. */
export interface PlacedPath {
  readonly index: number;
  readonly path: string;
}

/** Paths such as `/pci@i0cf8/ide@1,1/drive@0/disk@0`, `others` among them; devices that are going have none. */
export function bootPaths(devices: readonly Device[], others: readonly PlacedPath[] = []): string[] {
  const placed = devices
    .filter((device) => !isGoing(device))
    .flatMap((device) =>
      BOOT_INDEXES.map((property) => ({ index: bootIndex(device, property), path: bootPath(device, property) }))
    )
    .flatMap(({ index, path }): PlacedPath[] => index < 0 || path === undefined ? [] : [{ index, path }]);
  return [...others, ...placed].sort((a, b) => a.index - b.index).map(({ path }) => path);
}

/** Disks whose logical geometry was given: path, cylinders, heads, sectors, in order of the object tree. */
export function logicalGeometries(devices: readonly Device[]): string[] {
  return devices.flatMap((device) => {
    const { lcyls, lheads, lsecs } = device.properties as Readonly<Record<string, unknown>>;
    const path = bootPath(device, "bootindex");
    return path !== undefined && (lcyls || lheads || lsecs) ? [`${path} ${lcyls} ${lheads} ${lsecs}`] : [];
  });
}

/** One of {@link BOOT_INDEXES} of a device; -1 where it has none. */
export function bootIndex(device: Device, property = "bootindex"): number {
  const value = (device.properties as Readonly<Record<string, unknown>>)[property];
  return typeof value === "number" ? value : -1;
}

/** The place of a drive itself: a floppy's is its controller's to tell. -1 where it has none. */
export function driveBootIndex(drive: Device): number {
  const controller = drive.bus?.parent;
  if (drive.type.name !== "floppy" || controller === undefined) return bootIndex(drive);
  return bootIndex(controller, drive.properties.unit === 1 ? "bootindexB" : "bootindexA");
}

/** Whether it, or what it is plugged into, has been asked to go. */
function isGoing(device: Device): boolean {
  const parent = device.bus?.parent;
  return device.unplugPending || (parent !== undefined && isGoing(parent));
}

function bootPath(device: Device, property: string): string | undefined {
  const controller = device.bus?.parent;
  if (!(controller instanceof PciDevice)) return undefined;
  if (device.type.name === "isa-fdc" && property !== "bootindex") {
    const port = hex(Number(device.properties.iobase)).padStart(4, "0");
    return `${PCI_ROOT}/isa@${hex(controller.slot)}/fdc@${port}/floppy@${property === "bootindexA" ? 0 : 1}`;
  }
  if (device.type.name === "virtio-blk-device") return `${PCI_ROOT}/scsi@${pciPlace(controller)}/disk@0,0`;
  if (device.bus?.typeName !== "IDE") return undefined;
  const channel = [...controller.buses].reverse().indexOf(device.bus);
  return `${PCI_ROOT}/ide@${pciPlace(controller)}/drive@${channel}/disk@${device.properties.unit}`;
}

function pciPlace(device: PciDevice): string {
  return device.function === 0 ? hex(device.slot) : `${hex(device.slot)},${hex(device.function)}`;
}

function hex(value: number): string {
  return value.toString(16);
}
