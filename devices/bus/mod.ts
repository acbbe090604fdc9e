/**
 * What hardware is made of: devices, buses, memory, ports, interrupt lines, timers, PCI.
 *
 * @module
 */
export { AddressSpace, PORT_COUNT, portRegion, PortSpace } from "./address_space.ts";
export { Bus } from "./bus.ts";
export type { CharConnection, Chardev, CharEvent, CharFrontend, CharLine } from "./chardev.ts";
export type { DeviceContext, DeviceRequest } from "./context.ts";
export { Device, DeviceStateError, type NoState, type PinGroup, type SavedDevice } from "./device.ts";
export {
  DEVICE_CATEGORIES,
  type DeviceCategory,
  type DeviceOptions,
  type DeviceType,
  DeviceTypes,
  parseProperties,
  type PropertyHelp,
  propertyHelp,
} from "./device_types.ts";
export { type FlatRange, flatten } from "./flat_view.ts";
export type { HotplugHandler } from "./hotplug.ts";
export { type IrqLine, irqLine, irqLines, OutputPin, pulse, SharedLine, splitLine, UNCONNECTED } from "./irq.ts";
export { IsaBus, IsaDevice, type IsaDma } from "./isa.ts";
export { type AccessSizes, ALL_ADDRESSES, type IoHandlers, MemoryRegion, type RegionContent } from "./memory_region.ts";
export { ObjectNode, ObjectTree } from "./object_tree.ts";
export { CONFIG_BYTES, type ConfigRegister, ConfigSpace } from "./pci/config_space.ts";
export { className, Command, type PciIdentity, Status } from "./pci/header.ts";
export { MAX_MSIX_VECTORS, Msix } from "./pci/msix.ts";
export { PciBus, type PciBusWiring, type PciInterruptRouter } from "./pci/pci_bus.ts";
export { type Bar, type BarOptions, PCI_PROPERTIES, PciDevice, ROM_BAR } from "./pci/pci_device.ts";
export {
  defaultValues,
  type NamedDrive,
  parseInteger,
  prop,
  type Property,
  PropertyError,
  type PropertyScope,
  type PropertyTable,
  type PropertyValues,
} from "./properties.ts";
export { type GuestRam, PlainRam } from "./ram.ts";
export { SystemBus, SystemBusDevice } from "./system_bus.ts";
export { DeviceTimer } from "./timer.ts";
