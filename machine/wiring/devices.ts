/**
 * Devices that users ask for: which type is meant, which options are the device's own, and `-global`.
 *
 * `ide-drive` is the old name of ide-hd and ide-cd. QEMU dropped it; outside of strict mode it is taken for what the
 * drive is, with a note.
 *
 * @module
 */
import { badIdentifier, isIdentifier, type OptionPair } from "../../base/keyval.ts";
import { type DeviceType, DeviceTypes, parseProperties, PropertyError } from "../../devices/bus/mod.ts";
import { BOOT_INDEXES } from "../boards/boot_paths.ts";
import type { Machine } from "../machine.ts";
import { blame, WiringError } from "./errors.ts";
import type { DeviceWish, GlobalProperty } from "./options.ts";

const OWN_OPTIONS = ["driver", "id", "bus"];
const OLD_IDE = "ide-drive";

/** How requests are understood. */
export interface DeviceRules {
  /** Names and texts are QEMU 7.2's to the letter. */
  readonly strict: boolean;
  readonly warn: (text: string, origin?: string) => void;
  /** What kind of medium a drive was opened for. */
  readonly mediaOf: (drive: string) => "disk" | "cdrom" | undefined;
}

/** Refuses ids that are given twice or are none, before anything is made. */
export function checkDeviceIds(requests: readonly DeviceWish[]): void {
  const known = new Set<string>();
  for (const { pairs, origin } of requests) {
    const id = option(pairs, "id");
    if (id === undefined) continue;
    if (!isIdentifier(id)) {
      const error = badIdentifier("id");
      throw new WiringError(error.message, "drives", origin, error);
    }
    if (known.has(id)) throw new WiringError(`Duplicate ID '${id}' for device`, "drives", origin);
    known.add(id);
  }
}

/** Makes and plugs one device. @throws WiringError with QEMU's text */
export async function plugDevice(machine: Machine, request: DeviceWish, rules: DeviceRules): Promise<void> {
  const { pairs, origin } = request;
  await blame("devices", origin, async () => {
    const driver = option(pairs, "driver");
    if (driver === undefined) throw new PropertyError("Parameter 'driver' is missing");
    await machine.addDevice({
      driver: rules.strict || driver !== OLD_IDE ? driver : modernIde(pairs, rules, origin),
      id: option(pairs, "id"),
      bus: option(pairs, "bus"),
      properties: pairs.filter(({ name }) => !OWN_OPTIONS.includes(name)).map(({ name, value }) => [name, value]),
    });
  });
}

function modernIde(pairs: readonly OptionPair[], rules: DeviceRules, origin: string | undefined): string {
  const media = rules.mediaOf(option(pairs, "drive") ?? "");
  const name = media === "cdrom" ? "ide-cd" : "ide-hd";
  rules.warn(`note: '${OLD_IDE}' is called '${name}' now`, origin);
  return name;
}

/** The last of equal options counts. */
function option(pairs: readonly OptionPair[], wanted: string): string | undefined {
  return pairs.findLast(({ name }) => name === wanted)?.value;
}

/** `types` with other defaults, as `-global` has it; a value that will not do is told when a device is made. */
export function withGlobals(
  types: DeviceTypes,
  globals: readonly GlobalProperty[],
  warn: (text: string) => void,
): DeviceTypes {
  if (globals.length === 0) return types;
  const changed = new DeviceTypes(
    types.list().map((type) => {
      const own = globals.filter(({ driver }) => driver === type.name);
      if (own.length === 0) return type;
      if (!type.userCreatable) {
        warn(`warning: -global has no effect on '${type.name}', which the board makes`);
        return type;
      }
      return {
        ...type,
        create: (context, values = {}, options) => type.create(context, { ...applied(type, own), ...values }, options),
      };
    }),
  );
  for (const { driver, property } of globals) {
    if (types.find(driver) === undefined) warn(`warning: global ${driver}.${property} has invalid class name`);
  }
  return changed;
}

/** The values in `globals`, all for `type`. @throws {PropertyError} with QEMU's text */
function applied(type: DeviceType, globals: readonly GlobalProperty[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const bootIndexes = new Set<unknown>();
  for (const { driver, property, value } of globals) {
    try {
      Object.assign(values, parseProperties(type, [[property, value]]));
      if (!BOOT_INDEXES.includes(property) || Number(value) < 0) continue;
      if (bootIndexes.has(values[property])) throw new PropertyError(`The bootindex ${value} has already been used`);
      bootIndexes.add(values[property]);
    } catch (error) {
      if (!(error instanceof PropertyError)) throw error;
      const number = type.properties[property]?.typeName.startsWith("u") ? "uint64" : "int64";
      const reason = error.message.replace(/expects integer$/, `expects ${number}`);
      throw new PropertyError(`can't apply global ${driver}.${property}=${value}: ${reason}`);
    }
  }
  return values;
}
