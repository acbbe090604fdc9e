/**
 * Objects: made and taken away by users, and all of them looked at by path.
 *
 * Source: qapi/qom.json.
 *
 * @module
 */
import { OBJECT_TYPES, type OptionTree, optionValue } from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { any, bool, list, optional, str, struct, unchecked } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import type { MachineQmpContext } from "../context.ts";
import { getProperty, listProperties, objectAt, objectRoot, type ObjectView, setProperty } from "../object_view.ts";

/** The object at `path`. */
function at(context: MachineQmpContext, path: string): ObjectView {
  return objectAt(objectRoot(context.graph, context.hmp.context([]).machine), path);
}

const propertyInfo = struct({
  name: str,
  type: str,
  description: optional(str),
  "default-value": optional(any),
});

export const objectAdd = qmpCommand({
  name: "object-add",
  summary: "Makes an object: a secret, a throttle group.",
  data: unchecked,
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
  summary: "Types of objects that users can make here.",
  data: struct({ implements: optional(str), abstract: optional(bool) }),
  returns: list(struct({ name: str, abstract: optional(bool), parent: optional(str) })),
  run: (_context, { implements: wanted }) =>
    OBJECT_TYPES
      .filter(({ name, parent }) => wanted === undefined || ["object", "user-creatable", name, parent].includes(wanted))
      .map(({ name, parent }) => ({ name, parent })),
});

export const qomListProperties = qmpCommand({
  name: "qom-list-properties",
  summary: "The properties that objects of a type have.",
  data: struct({ typename: str }),
  returns: list(propertyInfo),
  run(_context, { typename }) {
    const type = OBJECT_TYPES.find(({ name }) => name === typename);
    if (type === undefined) throw new MonitorError(`Class '${typename}' not found`, { class: "DeviceNotFound" });
    return [{ name: "type", type: "string" }, ...type.listed];
  },
});
