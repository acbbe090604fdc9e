/**
 * Objects: made and taken away by users, and all of them looked at by path.
 *
 * Source: qapi/qom.json.
 *
 * @module
 */
import { OBJECT_TYPES, type OptionTree, optionValue } from "../../../block/mod.ts";
import type { DeviceTypes } from "../../../devices/bus/mod.ts";
import { deviceNotFound, MonitorError } from "../../errors.ts";
import { any, bool, list, optional, str, struct, unchecked } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { objectOptions } from "../types/objects.ts";
import type { MachineQmpContext } from "../context.ts";
import { DEVICE_PROPERTIES, deviceProperties, knownTypes } from "../known_types.ts";
import { propertyInfo } from "../types/probe.ts";
import { getProperty, listProperties, objectAt, objectRoot, type ObjectView, setProperty } from "../object_view.ts";

/** The object at `path`. */
function at(context: MachineQmpContext, path: string): ObjectView {
  return objectAt(objectRoot(context.graph, context.machine, context.chardevs), path);
}

export const objectAdd = qmpCommand({
  name: "object-add",
  summary: "Makes an object: a secret, a throttle group.",
  data: unchecked,
  described: objectOptions,
  run({ graph }, data) {
    graph.objects.add(optionValue(data) as OptionTree, { strict: true });
  },
});

export const objectDel = qmpCommand({
  name: "object-del",
  summary: "Takes an object away that nobody uses.",
  data: struct({ id: str }),
  run({ graph }, { id }) {
    graph.objects.remove(id);
  },
});

export const qomList = qmpCommand({
  name: "qom-list",
  summary: "The properties and children of an object.",
  data: struct({ path: str }),
  returns: list(propertyInfo),
  run: (context, { path }) => listProperties(at(context, path)),
});

export const qomGet = qmpCommand({
  name: "qom-get",
  summary: "The value of a property.",
  data: struct({ path: str, property: str }),
  returns: any,
  run: (context, { path, property }) => getProperty(at(context, path), property),
});

export const qomSet = qmpCommand({
  name: "qom-set",
  summary: "Changes a property.",
  data: struct({ path: str, property: str, value: any }),
  run(context, { path, property, value }) {
    setProperty(at(context, path), property, value);
  },
});

export const qomListTypes = qmpCommand({
  name: "qom-list-types",
  summary: "Types of objects and devices that there are here.",
  data: struct({ implements: optional(str), abstract: optional(bool) }),
  returns: list(struct({ name: str, abstract: optional(bool), parent: optional(str) })),
  run: (context, { implements: wanted }) =>
    knownTypes(typesOf(context)).filter(({ name, ancestors }) =>
      wanted === undefined || wanted === name || ancestors.includes(wanted)
    ).map(({ name, ancestors }) => ({ name, parent: ancestors[0] })),
});

export const qomListProperties = qmpCommand({
  name: "qom-list-properties",
  summary: "The properties that objects of a type have.",
  data: struct({ typename: str }),
  returns: list(propertyInfo),
  run(context, { typename }) {
    const device = typesOf(context)?.find(typename);
    if (device !== undefined) return [...DEVICE_PROPERTIES, ...deviceProperties(device)];
    const type = OBJECT_TYPES.find(({ name }) => name === typename);
    if (type === undefined) throw new MonitorError(`Class '${typename}' not found`, { class: "DeviceNotFound" });
    return [{ name: "type", type: "string" }, ...type.listed];
  },
});

export const deviceListProperties = qmpCommand({
  name: "device-list-properties",
  summary: "The properties that devices of a type are made with.",
  data: struct({ typename: str }),
  returns: list(propertyInfo),
  run(context, { typename }) {
    const type = typesOf(context)?.find(typename);
    if (type !== undefined) return deviceProperties(type);
    if (knownTypes(undefined).some(({ name }) => name === typename)) {
      throw new MonitorError("Parameter 'typename' expects a non-abstract device type");
    }
    throw deviceNotFound(typename);
  },
});

/** The device types that there are, where there is a machine. */
function typesOf(context: MachineQmpContext): DeviceTypes | undefined {
  return context.machine?.types;
}
