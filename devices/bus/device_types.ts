/**
 * Device types: what `-device help` lists, and what a device is made from.
 *
 * The registry is an object that a machine is given, not a list that modules add themselves to.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { DeviceContext } from "./context.ts";
import type { Device } from "./device.ts";
import { PropertyError, type PropertyScope, type PropertyTable, type PropertyValues } from "./properties.ts";

/** The headings of `-device help`, in its order. */
export const DEVICE_CATEGORIES = [
  "Controller/Bridge/Hub",
  "USB",
  "Storage",
  "Network",
  "Input",
  "Display",
  "Sound",
  "Misc",
  "CPU",
  "Watchdog",
  "Uncategorized",
] as const;

export type DeviceCategory = typeof DEVICE_CATEGORIES[number];

/** How a device is made. */
export interface DeviceOptions {
  readonly id?: string | undefined;
}

/** One type of device. */
export interface DeviceType<Table extends PropertyTable = PropertyTable> {
  /** `"ide-hd"`. */
  readonly name: string;
  /** The type of bus it plugs into, `"IDE"`; `undefined` for one that needs none. */
  readonly busType: string | undefined;
  readonly category: DeviceCategory;
  /** As `-device help` shows it after `desc`. */
  readonly description?: string;
  /** Another name that users may say. */
  readonly alias?: string;
  /** Whether `-device` may make one; a board's own chips are not for users. */
  readonly userCreatable: boolean;
  /** False where one cannot come or go while the machine is there, whatever its bus says. */
  readonly hotpluggable?: boolean;
  /** Its own properties first, then those of its kind. */
  readonly properties: Table;
  /** Rows that `-device X,help` shows besides the properties: `{ pit: "link<pit-common>" }`. */
  readonly helpOnly?: Readonly<Record<string, string>>;
  create(context: DeviceContext, values?: Partial<PropertyValues<Table>>, options?: DeviceOptions): Device<Table>;
}

/** All types that a machine knows. */
export class DeviceTypes {
  readonly #types = new Map<string, DeviceType>();
  readonly #aliases = new Map<string, DeviceType>();

  constructor(types: Iterable<DeviceType> = []) {
    for (const type of types) this.add(type);
  }

  add(type: DeviceType): void {
    assert(!this.#types.has(type.name), `device type ${type.name} is known already`);
    this.#types.set(type.name, type);
    if (type.alias !== undefined) this.#aliases.set(type.alias, type);
  }

  /** The type that `name` or an alias of it stands for. */
  find(name: string): DeviceType | undefined {
    return this.#types.get(name) ?? this.#aliases.get(name);
  }

  /** In order of names, as `-device help` lists them. */
  list(): DeviceType[] {
    return [...this.#types.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }
}

/**
 * Turns texts into values of `type`'s properties.
 *
 * @throws {PropertyError} `Property 'ide-hd.foo' not found`, or what the property says
 */
export function parseProperties<Table extends PropertyTable>(
  type: DeviceType<Table>,
  texts: Iterable<readonly [name: string, text: string]>,
  scope: Pick<PropertyScope, "drive" | "chardev"> = {},
): Partial<PropertyValues<Table>> {
  const values: Record<string, unknown> = {};
  for (const [name, text] of texts) {
    const property = Object.hasOwn(type.properties, name) ? type.properties[name] : undefined;
    if (property === undefined) throw new PropertyError(`Property '${type.name}.${name}' not found`);
    values[name] = property.parse(text, { ...scope, deviceType: type.name, name });
  }
  return values as Partial<PropertyValues<Table>>;
}

/** One row of `-device X,help`. */
export interface PropertyHelp {
  readonly name: string;
  readonly typeName: string;
  readonly description: string | undefined;
  readonly defaultText: string | undefined;
}

/** The rows of `-device X,help`, in its order. */
export function propertyHelp(type: DeviceType): PropertyHelp[] {
  const rows: PropertyHelp[] = Object.entries(type.properties).map(([name, property]) => ({
    name,
    typeName: property.typeName,
    description: property.description,
    defaultText: property.defaultText,
  }));
  for (const [name, typeName] of Object.entries(type.helpOnly ?? {})) {
    rows.push({ name, typeName, description: undefined, defaultText: undefined });
  }
  // QEMU sorts whole lines, in which `=` follows the name: `drive-type` comes before `drive`.
  return rows.sort((a, b) => `${a.name}=` < `${b.name}=` ? -1 : 1);
}
