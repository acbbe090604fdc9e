/**
 * `virtio-blk-pci`: a block device on the PCI bus, in three types. The plain one lets the user choose its interfaces; a
 * "transitional" one speaks both, a "non-transitional" one that of version 1 only.
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  type Property,
  type PropertyTable,
  type PropertyValues,
} from "../bus/mod.ts";
import { BLK_PROPERTIES, type BlkValues } from "./blk_properties.ts";
import { INTERFACE_PROPERTIES, VIRTIO_PCI_PROPERTIES } from "./pci_properties.ts";
import { VirtioBlk } from "./virtio_blk.ts";
import { type Interfaces, VirtioPci } from "./virtio_pci.ts";

const SCSI_CLASS = 0x0100;
const OTHER_STORAGE_CLASS = 0x0180;
const LEGACY_DEVICE = 0x001;
const VIRTIO_ID = 2;

/** A row of the device's, as it is set on the function: refusals name the device, and `info qtree` shows it there. */
function passedOn<T>(row: Property<T>): Property<T> {
  return {
    ...row,
    hidden: true,
    parse: (text, scope) => row.parse(text, { ...scope, deviceType: "virtio-blk-device" }),
  };
}

const PASSED_ON = Object.fromEntries(
  Object.entries(BLK_PROPERTIES).map(([name, row]) => [name, passedOn(row as Property<unknown>)]),
) as typeof BLK_PROPERTIES;

const TYPED_PROPERTIES = { ...VIRTIO_PCI_PROPERTIES, ...PASSED_ON } satisfies PropertyTable;
const PLAIN_PROPERTIES = { ...INTERFACE_PROPERTIES, ...TYPED_PROPERTIES } satisfies PropertyTable;

type TypedTable = typeof TYPED_PROPERTIES;

/** The function. */
export class VirtioBlkPci<Table extends TypedTable> extends VirtioPci<Table> {
  constructor(
    type: DeviceType<Table>,
    context: DeviceContext,
    interfaces: Interfaces,
    values: Partial<PropertyValues<Table>> = {},
    options?: DeviceOptions,
  ) {
    const classCode = values.class === OTHER_STORAGE_CLASS ? OTHER_STORAGE_CLASS : SCSI_CLASS;
    super(type, context, { virtioId: VIRTIO_ID, legacyDevice: LEGACY_DEVICE, classCode }, interfaces, values, options);
  }

  protected get followsBusMaster(): boolean {
    return this.#values["use-disabled-flag"];
  }

  protected override makeDevice(interfaces: Interfaces): VirtioBlk {
    const values: Record<string, unknown> = this.#values;
    const own = Object.fromEntries(Object.keys(BLK_PROPERTIES).map((name) => [name, values[name]]));
    return new VirtioBlk(this.context, interfaces, own as Partial<BlkValues>);
  }

  /** One for each queue, one for the configuration. */
  protected override defaultVectors(device: VirtioBlk): number {
    return device.queues.length + 1;
  }

  get #values(): PropertyValues<TypedTable> {
    return this.properties;
  }
}

const HELP_ONLY = { "virtio-backend": "child<virtio-blk-device>" } as const;
const COMMON = { busType: "PCI", category: "Storage", userCreatable: true, helpOnly: HELP_ONLY } as const;

/** The type `virtio-blk-pci`. */
export const virtioBlkPci: DeviceType<typeof PLAIN_PROPERTIES> = {
  ...COMMON,
  name: "virtio-blk-pci",
  alias: "virtio-blk",
  properties: PLAIN_PROPERTIES,
  create(context, values = {}, options) {
    // On a bus that is not PCI Express "auto" is both.
    const legacy = values["disable-legacy"] !== "on";
    const settled = { ...values, "disable-legacy": legacy ? "off" as const : "on" as const };
    const interfaces = { legacy, modern: values["disable-modern"] !== true };
    return new VirtioBlkPci(virtioBlkPci, context, interfaces, settled, options);
  },
};

/** The type `virtio-blk-pci-transitional`. */
export const virtioBlkPciTransitional: DeviceType<TypedTable> = {
  ...COMMON,
  name: "virtio-blk-pci-transitional",
  properties: TYPED_PROPERTIES,
  create: (context, values, options) =>
    new VirtioBlkPci(virtioBlkPciTransitional, context, { legacy: true, modern: true }, values, options),
};

/** The type `virtio-blk-pci-non-transitional`. */
export const virtioBlkPciNonTransitional: DeviceType<TypedTable> = {
  ...COMMON,
  name: "virtio-blk-pci-non-transitional",
  properties: TYPED_PROPERTIES,
  create: (context, values, options) =>
    new VirtioBlkPci(virtioBlkPciNonTransitional, context, { legacy: false, modern: true }, values, options),
};
