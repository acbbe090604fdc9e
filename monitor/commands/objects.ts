/**
 * Objects at the prompt: `object_add`, `object_del`, and a look at any object's properties.
 *
 * @module
 */
import { JsonError, type JsonValue, JsonWriter, parseJson } from "../../base/json/mod.ts";
import { OBJECT_TYPES, parseObject } from "../../block/mod.ts";
import type { MonitorContext } from "../context.ts";
import { MonitorError } from "../errors.ts";
import {
  getProperty,
  listProperties,
  objectAt,
  objectRoot,
  type ObjectView,
  type PropertyView,
  setProperty,
} from "../qmp/object_view.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

function rootOf({ machine, chardevs }: MonitorContext): ObjectView {
  return objectRoot(machine.graph, machine, chardevs);
}

export const objectAdd = command({
  name: "object_add",
  summary: "Makes an object: a secret, a throttle group. With `help` it tells which there are.",
  arguments: { object: arg.rest() },
  run({ machine }, { object }): string {
    const wanted = parseObject(object, OBJECT_TYPES);
    if (wanted.kind === "help") return wanted.text;
    machine.graph.objects.add(wanted.properties, { strict: object.startsWith("{") });
    return "";
  },
  hmp: {
    names: "object_add",
    parameters: "[qom-type=]type,id=str[,prop=value][,...]",
    help: "create QOM object",
    print: (output, text) => output.print(text),
  },
});

export const objectDel = command({
  name: "object_del",
  summary: "Takes an object away that nobody uses.",
  arguments: { id: arg.string() },
  run({ machine }, { id }): void {
    machine.graph.objects.remove(id);
  },
  hmp: { names: "object_del", parameters: "id", help: "destroy QOM object" },
});

export const qomList = command({
  name: "qom-list",
  summary: "The properties and children of an object.",
  arguments: { path: arg.optional(arg.string()) },
  run: (context, { path }): readonly PropertyView[] | undefined =>
    path === undefined ? undefined : listProperties(objectAt(rootOf(context), path)),
  hmp: {
    names: "qom-list",
    parameters: "path",
    help: "list QOM properties",
    print(output, properties) {
      if (properties === undefined) output.print("/\n");
      for (const { name, type } of properties ?? []) output.print(`${name} (${type})\n`);
    },
  },
});

export const qomGet = command({
  name: "qom-get",
  summary: "The value of an object's property.",
  arguments: { path: arg.string(), property: arg.string() },
  run: (context, { path, property }): JsonValue => getProperty(objectAt(rootOf(context), path), property),
  hmp: {
    names: "qom-get",
    parameters: "path property",
    help: "print QOM property",
    print: (output, value) => output.print(`${new JsonWriter().format(value, true)}\n`),
  },
});

export const qomSet = command({
  name: "qom-set",
  summary: "Changes an object's property; with -j the value is JSON.",
  arguments: { json: arg.flag("j"), path: arg.string(), property: arg.string(), value: arg.rest() },
  run(context, { json = false, path, property, value }): void {
    setProperty(objectAt(rootOf(context), path), property, json ? jsonOf(value) : value, !json);
  },
  hmp: {
    names: "qom-set",
    parameters: "[-j] path property value",
    help: "set QOM property.\n\t\t\t-j: the value is specified in json format.",
  },
});

function jsonOf(text: string): JsonValue {
  try {
    return parseJson(text);
  } catch (error) {
    throw error instanceof JsonError ? new MonitorError(error.message) : error;
  }
}

/** An object with all below it. */
export interface ObjectTreeRow {
  readonly depth: number;
  readonly name: string;
  readonly typeName: string;
}

export const infoQomTree = command({
  name: "query-qom-tree",
  summary: "Objects by path, with their types.",
  arguments: { path: arg.optional(arg.string()) },
  run: (context, { path = "/machine" }): ObjectTreeRow[] => [...rows(objectAt(rootOf(context), path), path, 0)],
  hmp: {
    names: "qom-tree",
    group: "info",
    parameters: "[path]",
    help: "show QOM composition tree",
    print(output, tree) {
      for (const { depth, name, typeName } of tree) output.print(`${"  ".repeat(depth)}${name} (${typeName})\n`);
    },
  },
});

function* rows(object: ObjectView, name: string, depth: number): IterableIterator<ObjectTreeRow> {
  yield { depth, name, typeName: object.typeName };
  const children = [...object.children].sort(([a], [b]) => a < b ? -1 : 1);
  for (const [child, view] of children) yield* rows(view, `/${child}`, depth + 1);
}
