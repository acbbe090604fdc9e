/**
 * Devices that a user asks for: `-device`, `device_add`, `device_del`.
 *
 * @module
 */
import { BlockBackend, DEVICE_SHARED } from "../block/mod.ts";
import {
  Bus,
  type Device,
  type DeviceType,
  type NamedDrive,
  parseProperties,
  PropertyError,
} from "../devices/bus/mod.ts";
import { BOOT_INDEXES, bootIndex } from "./boards/boot_paths.ts";
import type { Machine } from "./machine.ts";

/** A device as a command line names it: texts, as the user wrote them. */
export interface DeviceRequestOptions {
  /** The type's name. */
  readonly driver: string;
  readonly id?: string | undefined;
  /** The name of a bus; the youngest fitting one where absent. */
  readonly bus?: string | undefined;
  readonly properties: Iterable<readonly [name: string, text: string]>;
  /** The machine is finished already: `device_add`. */
  readonly hotplug?: boolean;
}

const IDENTIFIER = /^[A-Za-z][-A-Za-z0-9._]*$/;

/** Makes, plugs and realizes a device. @throws PropertyError with QEMU's text */
export async function addDevice(machine: Machine, request: DeviceRequestOptions): Promise<Device> {
  const type = machine.types.find(request.driver);
  if (type === undefined) throw new PropertyError(`'${request.driver}' is not a valid device model name`);
  if (!type.userCreatable || (request.hotplug === true && type.hotpluggable === false)) {
    throw new PropertyError("Parameter 'driver' expects a pluggable device type");
  }
  const bus = chooseBus(machine, type, request.bus);
  if (request.hotplug && bus !== undefined && bus.hotplug === undefined) {
    throw new PropertyError(`Bus '${bus.name}' does not support hotplugging`);
  }
  checkId(machine, request.id);
  const texts = [...request.properties];
  const made = await nodeDrives(machine, type, texts);
  try {
    const values = parseProperties(type, texts, {
      drive: (name) => made.get(name) ?? freeDrive(machine, name),
      chardev: (id) => machine.chardevs?.find(id),
    });
    checkBootIndexes(machine, values);
    if (type.name === "ide-cd" && values["drive"] === undefined) {
      Object.assign(values, { drive: emptyDrive(machine, made) });
    }
    const device = type.create(machine.context, values, { id: request.id });
    device.placeAsPeripheral();
    await device.realize(bus);
    return device;
  } catch (error) {
    for (const backend of made.values()) await machine.backends.remove(backend);
    throw error;
  }
}

/** All buses, the youngest first below each device. */
export function* buses(machine: Machine): IterableIterator<Bus> {
  yield* below(machine.systemBus);
}

function* below(bus: Bus): IterableIterator<Bus> {
  yield bus;
  for (const device of bus.devices) for (const child of device.buses) yield* below(child);
}

function chooseBus(machine: Machine, type: DeviceType, name: string | undefined): Bus | undefined {
  if (name !== undefined) {
    const bus = [...buses(machine)].find((candidate) => candidate.name === name);
    if (bus === undefined) throw new PropertyError(`Bus '${name}' not found`);
    if (type.busType !== undefined && bus.typeName !== type.busType) {
      throw new PropertyError(`Device '${type.name}' can't go on ${bus.typeName} bus`);
    }
    return bus;
  }
  if (type.busType === undefined) return undefined;
  const bus = [...buses(machine)].find((candidate) => candidate.typeName === type.busType);
  if (bus === undefined) throw new PropertyError(`No '${type.busType}' bus found for device '${type.name}'`);
  return bus;
}

function checkId(machine: Machine, id: string | undefined): void {
  if (id === undefined) return;
  if (!IDENTIFIER.test(id)) throw new PropertyError("Parameter 'id' expects an identifier");
  if (machine.objects.peripheral.child(id) !== undefined) {
    throw new PropertyError(`Duplicate device ID '${id}'`);
  }
}

function checkBootIndexes(machine: Machine, values: Readonly<Record<string, unknown>>): void {
  const used = bootIndexesInUse(machine);
  for (const property of BOOT_INDEXES) {
    const wanted = values[property];
    if (typeof wanted !== "number" || wanted < 0) continue;
    if (used.has(wanted)) throw bootIndexUsed(wanted);
    used.add(wanted);
  }
}

function bootIndexesInUse(machine: Machine): Set<number> {
  const ofDevices = machine.devices.flatMap((device) => BOOT_INDEXES.map((property) => bootIndex(device, property)));
  return new Set([...machine.built.bootIndexes, ...ofDevices]);
}

function bootIndexUsed(index: number): PropertyError {
  return new PropertyError(`The bootindex ${index} has already been used`);
}

/**
 * Changes where in the order of booting a device stands, with its parts that have that property, one of
 * {@link BOOT_INDEXES}: firmware heeds it from the next reset on.
 *
 * @throws PropertyError where another device, or this one, has that place
 */
export function setBootIndex(machine: Machine, parts: readonly Device[], property: string, wanted: number): void {
  if (wanted !== (wanted | 0)) throw new PropertyError(`Parameter '${property}' expects int32_t`);
  if (wanted >= 0 && bootIndexesInUse(machine).has(wanted)) throw bootIndexUsed(wanted);
  for (const part of parts) Object.assign(part.properties, { [property]: wanted });
}

/** The drive that a property names, if no device has it. */
function freeDrive(machine: Machine, name: string): NamedDrive | undefined {
  const backend = machine.backends.find(name);
  if (backend?.device === undefined) return backend;
  throw new PropertyError(
    machine.isBoardDrive(backend)
      ? `Drive '${name}' is already in use because it has been automatically connected to another device ` +
        "(did you need 'if=none' in the drive options?)"
      : `Drive '${name}' is already in use by another device`,
  );
}

/** A CD drive that was given none has an empty, nameless one: `info block` shows it under the device's name. */
function emptyDrive(machine: Machine, made: Map<string, BlockBackend>): BlockBackend {
  const backend = new BlockBackend({ graph: machine.graph, readOnly: true });
  machine.backends.add(backend);
  made.set("", backend);
  return backend;
}

/** A property may name a node instead of a drive: then it gets a nameless backend of its own. */
async function nodeDrives(
  machine: Machine,
  type: DeviceType,
  texts: readonly (readonly [string, string])[],
): Promise<Map<string, BlockBackend>> {
  const made = new Map<string, BlockBackend>();
  for (const [property, name] of texts) {
    if (type.properties[property]?.isDrive !== true || machine.backends.find(name) !== undefined) continue;
    const node = machine.graph.find(name);
    if (node === undefined) continue;
    const backend = new BlockBackend({
      graph: machine.graph,
      readOnly: (node.inactive ?? node).readOnly,
      shared: DEVICE_SHARED,
      forGuest: true,
    });
    machine.backends.add(backend);
    made.set(name, backend);
    await backend.insertMedium(node);
  }
  return made;
}
