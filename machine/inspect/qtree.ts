/**
 * The tree of buses and devices as data: what `info qtree` shows.
 *
 * @module
 */
import { type Bus, className, type Device, PciDevice, SystemBusDevice } from "../../devices/bus/mod.ts";
import type { Machine } from "../machine.ts";

/** A bus with its devices, youngest first. */
export interface QtreeBus {
  /** `"pci.0"`. */
  readonly name: string;
  /** `"PCI"`. */
  readonly typeName: string;
  readonly devices: readonly QtreeDevice[];
}

/** A device. Its lines come in the order of the fields. */
export interface QtreeDevice {
  readonly typeName: string;
  /** Empty where the user gave none. */
  readonly id: string;
  readonly pins: readonly { readonly direction: "in" | "out"; readonly name: string; readonly count: number }[];
  /** Texts as QEMU prints them: `1008 (0x3f0)`, `"auto"`. */
  readonly properties: readonly { readonly name: string; readonly text: string }[];
  /** Windows of a device on the system bus. */
  readonly windows: readonly { readonly address: bigint; readonly sizeBytes: bigint }[];
  readonly pci: QtreePci | undefined;
  readonly buses: readonly QtreeBus[];
}

/** What a PCI bus adds. */
export interface QtreePci {
  readonly className: string;
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
  readonly vendor: number;
  readonly device: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  /** `address` is `undefined` while the region is not seen. */
  readonly bars: readonly {
    readonly index: number;
    readonly kind: "io" | "memory";
    readonly address: number | undefined;
    readonly sizeBytes: number;
  }[];
}

/** The tree from the system bus down. */
export function qtree(machine: Machine): QtreeBus {
  return describeBus(machine.systemBus);
}

function describeBus(bus: Bus): QtreeBus {
  return { name: bus.name, typeName: bus.typeName, devices: bus.devices.map(describeDevice) };
}

function describeDevice(device: Device): QtreeDevice {
  return {
    typeName: device.type.name,
    id: device.id ?? "",
    pins: device.pins.flatMap(({ name, inputs, outputs }) => [
      ...(inputs.length > 0 ? [{ direction: "in" as const, name, count: inputs.length }] : []),
      ...(outputs.length > 0 ? [{ direction: "out" as const, name, count: outputs.length }] : []),
    ]),
    properties: Object.entries(device.type.properties)
      .filter(([, property]) => !property.hidden)
      .map(([name, property]) => ({ name, text: property.print(device.properties[name]) })),
    windows: device instanceof SystemBusDevice
      ? device.mmio.map(({ address, sizeBytes }) => ({ address, sizeBytes }))
      : [],
    pci: device instanceof PciDevice ? describePci(device) : undefined,
    buses: device.buses.map(describeBus),
  };
}

function describePci(device: PciDevice): QtreePci {
  const { config } = device;
  return {
    className: className(config.get("class")),
    bus: device.pci.number,
    slot: device.slot,
    function: device.function,
    vendor: config.get("vendor"),
    device: config.get("device"),
    subsystemVendor: config.get("subsystem-vendor"),
    subsystem: config.get("subsystem"),
    bars: device.bars.map(({ index, kind, address, sizeBytes }) => ({ index, kind, address, sizeBytes })),
  };
}
