/**
 * All objects of a machine by path, as `qom-list` and its like see them: `/objects` (what users made), `/machine`
 * (devices and what holds them).
 *
 * A device shows its declared properties; memory regions, interrupt lines and the properties of the board itself are
 * not in the tree. Of a realized device's properties only `bootindex` and its like can be changed.
 *
 * Source: qapi/qom.json; the texts are QEMU 7.2's.
 *
 * @module
 */
import { type JsonValue } from "../../base/json/mod.ts";
import { isInteger, parseInteger } from "../../base/keyval.ts";
import { type BlockGraph, OBJECT_TYPES, optionValue, type UserObject } from "../../block/mod.ts";
import { Device, type ObjectNode } from "../../devices/bus/mod.ts";
import { BOOT_INDEXES, type ChardevSet, type Machine, setBootIndex } from "../../machine/mod.ts";
import { deviceNotFound, MonitorError } from "../errors.ts";

/** A property by name and type. */
export interface PropertyView {
  readonly name: string;
  readonly type: string;
}

/** One object. */
export interface ObjectView {
  readonly typeName: string;
  /** By name, in order of making. */
  readonly children: ReadonlyMap<string, ObjectView>;
  /** Besides `type` and children. */
  readonly properties: readonly PropertyView[];
  get(property: string): JsonValue | undefined;
  /** `asText`: a string is the value as a user types it. */
  set(property: string, value: JsonValue, asText: boolean): void;
}

const NO_CHILDREN: ReadonlyMap<string, ObjectView> = new Map();

function container(typeName: string, children: Iterable<readonly [string, ObjectView]>): ObjectView {
  return { typeName, children: new Map(children), properties: [], get: () => undefined, set: () => {} };
}

/** The tree's root. */
export function objectRoot(graph: BlockGraph, machine: Machine | undefined, chardevs: ChardevSet): ObjectView {
  const made = graph.objects.list.map((object): [string, ObjectView] => [object.id, userObject(graph, object)]);
  const objects = ["objects", container("container", made)] as const;
  return container("container", [
    // Without a machine there is no such container before it holds something.
    ...(machine === undefined
      ? (made.length === 0 ? [] : [objects])
      : [objects, ["machine", machineObject(machine, machine.objects.machine)] as const]),
    [
      "chardevs",
      container("container", chardevs.list.map((device) => [device.label, container(`chardev-${device.kind}`, [])])),
    ],
  ]);
}

function userObject(graph: BlockGraph, object: UserObject): ObjectView {
  return {
    typeName: object.type,
    children: NO_CHILDREN,
    properties: OBJECT_TYPES.find(({ name }) => name === object.type)!.listed,
    get: (name) => object.get(name),
    set: (name, value, asText) => graph.objects.set(object.id, name, optionValue(value), asText),
  };
}

function machineObject(machine: Machine, node: ObjectNode): ObjectView {
  const { value, typeName } = node;
  const children = new Map(
    node.children.map((child): [string, ObjectView] => [child.name, machineObject(machine, child)]),
  );
  if (!(value instanceof Device)) return { ...container(typeName, []), children };
  const table = value.type.properties;
  const flags: Readonly<Record<string, JsonValue>> = {
    realized: value.realized,
    hotplugged: value.hotplugged,
    hotpluggable: value.type.hotpluggable !== false,
  };
  return {
    typeName,
    children,
    properties: [
      ...Object.keys(flags).map((name) => ({ name, type: "bool" })),
      ...Object.keys(table).map((name) => ({ name, type: table[name]!.typeName })),
    ],
    get(name) {
      const property = table[name];
      if (property === undefined) return flags[name];
      return plain(value.properties[name]) ?? property.print(value.properties[name]).replace(/^"(.*)"$/, "$1");
    },
    set(name, wanted, asText) {
      if (name !== "realized" && Object.hasOwn(flags, name)) throw notWritable(typeName, name);
      // What a device passes on to a part of itself is that part's to take or refuse.
      const parts = node.children.map((child) => child.value)
        .filter((part) => part instanceof Device)
        .filter((part) => Object.hasOwn(part.type.properties, name));
      if (BOOT_INDEXES.includes(name)) {
        return setBootIndex(machine, [value, ...parts], name, integerOf(name, wanted, asText));
      }
      if (table[name]?.isDrive === true) throw driveRefusal(machine, wanted);
      const owner = parts[0] ?? value;
      const device = owner.id === undefined ? "anonymous device" : `device '${owner.id}'`;
      const text = `Attempt to set property '${name}' on ${device} (type '${owner.type.name}') after it was realized`;
      throw new MonitorError(text);
    },
  };
}

/** @throws {MonitorError} in QEMU's words */
function integerOf(name: string, value: JsonValue, asText: boolean): number {
  if (asText && typeof value === "string") {
    if (!isInteger(value)) throw new MonitorError(`Parameter '${name}' expects int64`);
    return Number(parseInteger(value, name));
  }
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw new MonitorError(`Invalid parameter type for '${name}', expected: integer`);
  }
  return value;
}

/** QEMU takes the name of a node there. */
function driveRefusal(machine: Machine, wanted: JsonValue): MonitorError {
  if (typeof wanted !== "string") return new MonitorError("Invalid parameter type for 'drive', expected: string");
  return new MonitorError(
    machine.graph.find(wanted) === undefined
      ? `Cannot find device='' nor node-name='${wanted}'`
      : `not available in moa: a realized device keeps its drive ('${wanted}' can be its medium where it has a tray)`,
  );
}

function notWritable(typeName: string, name: string): MonitorError {
  return new MonitorError(`Property '${typeName}.${name}' is not writable`);
}

/** A value that JSON has. */
function plain(value: unknown): JsonValue | undefined {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
      return value;
    default:
      return undefined;
  }
}

/** The object at an absolute path, or the only one whose path ends so. @throws {MonitorError} */
export function objectAt(root: ObjectView, path: string): ObjectView {
  const names = path.split("/").filter((name) => name !== "");
  if (path.startsWith("/")) {
    const found = below(root, names);
    if (found === undefined) throw deviceNotFound(path);
    return found;
  }
  const found = [...everything(root)].flatMap((start) => below(start, names) ?? []);
  if (found.length > 1) throw new MonitorError(`Path '${path}' does not uniquely identify an object`);
  if (found.length === 0 || names.length === 0) throw deviceNotFound(path);
  return found[0]!;
}

function below(start: ObjectView, names: readonly string[]): ObjectView | undefined {
  let object: ObjectView | undefined = start;
  for (const name of names) object = object?.children.get(name);
  return object;
}

function* everything(root: ObjectView): IterableIterator<ObjectView> {
  yield root;
  for (const child of root.children.values()) yield* everything(child);
}

/** What `qom-list` answers. */
export function listProperties(object: ObjectView): PropertyView[] {
  return [
    { name: "type", type: "string" },
    ...object.properties,
    ...[...object.children].map(([name, { typeName }]) => ({ name, type: `child<${typeName}>` })),
  ];
}

/** @throws {MonitorError} where there is no such property */
export function getProperty(object: ObjectView, name: string): JsonValue {
  if (name === "type") return object.typeName;
  const value = object.properties.some((row) => row.name === name) ? object.get(name) : undefined;
  if (value === undefined) throw new MonitorError(`Property '${object.typeName}.${name}' not found`);
  return value;
}

/** @throws {MonitorError} where there is no such property, or it takes no such value now */
export function setProperty(object: ObjectView, name: string, value: JsonValue, asText = false): void {
  if (name === "type") throw notWritable(object.typeName, name);
  if (!object.properties.some((row) => row.name === name)) {
    throw new MonitorError(`Property '${object.typeName}.${name}' not found`);
  }
  object.set(name, value, asText);
}
