/**
 * Types of objects and devices, for who asks what could be made.
 *
 * QEMU's tree of types has many that nobody can make; here are those that can be, with their nearest ancestors.
 *
 * Source: qapi/qom.json, qapi/qdev.json.
 *
 * @module
 */
import type { JsonValue } from "../../base/json/mod.ts";
import { OBJECT_TYPES } from "../../block/mod.ts";
import type { DeviceType, DeviceTypes } from "../../devices/bus/mod.ts";

/** A type and what it is made from, the nearest first. */
export interface KnownType {
  readonly name: string;
  readonly ancestors: readonly string[];
}

/** What devices of a bus are made from. */
const BASES: Readonly<Record<string, string>> = {
  IDE: "ide-device",
  ISA: "isa-device",
  PCI: "pci-device",
  SCSI: "scsi-device",
  System: "sys-bus-device",
  "virtio-bus": "virtio-device",
  "usb-bus": "usb-device",
};

/** All types; without `devices` those of objects alone. */
export function knownTypes(devices: DeviceTypes | undefined): KnownType[] {
  const objects = OBJECT_TYPES.map(({ name, parent }) => ({
    name,
    ancestors: [parent, ...(parent === "object" ? [] : ["object"]), "user-creatable"],
  }));
  const made = (devices?.list() ?? []).map(({ name, busType }) => {
    const base = busType === undefined ? undefined : BASES[busType];
    return { name, ancestors: [...(base === undefined ? [] : [base]), "device", "object"] };
  });
  return [...made, ...objects];
}

/** A property as `device-list-properties` tells it. */
export interface PropertyDescription {
  readonly name: string;
  readonly type: string;
  readonly description?: string;
  readonly "default-value"?: JsonValue;
}

/** What every device has besides. */
export const DEVICE_PROPERTIES: readonly PropertyDescription[] = [
  { name: "type", type: "string" },
  { name: "parent_bus", type: "link<bus>" },
  { name: "realized", type: "bool" },
  { name: "hotplugged", type: "bool" },
  { name: "hotpluggable", type: "bool" },
];

/** The properties that devices of `type` are made with. */
export function deviceProperties(type: DeviceType): PropertyDescription[] {
  return Object.entries(type.properties).map(([name, property]) => {
    const { typeName, description, defaultText, defaultValue } = property;
    const value = defaultText === undefined ? undefined : plain(defaultValue);
    return {
      name,
      type: typeName,
      ...(description === undefined ? {} : { description }),
      ...(value === undefined ? {} : { "default-value": value }),
    };
  });
}

/** A value that JSON has. */
function plain(value: unknown): JsonValue | undefined {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ||
      typeof value === "bigint"
    ? value
    : undefined;
}
