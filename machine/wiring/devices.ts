/**
 * Devices that users ask for: which type is meant, which options are the device's own, and `-global`.
 *
 * `ide-drive` is the old name of ide-hd and ide-cd. QEMU dropped it; outside of strict mode it is taken for what the
 * drive is, with a note.
 *
 * @module
 */
import { badIdentifier, isIdentifier, type OptionPair } from "../../base/keyval.ts";
import { DeviceTypes, parseProperties, PropertyError } from "../../devices/bus/mod.ts";
import type { Machine } from "../machine.ts";
import { blame, WiringError } from "./errors.ts";
import type { DeviceWish, GlobalProperty } from "./options.ts";

const OWN_OPTIONS = ["driver", "id", "bus"];
const OLD_IDE = "ide-drive";
/** Types of which the board makes one by itself, past the list of types. */
const BOARD_MADE = ["isa-fdc"];

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

/**
 * `types` with other defaults, as `-global` has it. Types that the board makes by itself take no part.
 *
 * @throws WiringError for a value that a property does not take
 */
export function withGlobals(
  types: DeviceTypes,
  globals: readonly GlobalProperty[],
  warn: (text: string) => void,
): DeviceTypes {
  if (globals.length === 0) return types;
  const changed = new DeviceTypes(
    types.list().map((type) => {
      const texts = globals.filter(({ driver, property }) =>
        driver === type.name && Object.hasOwn(type.properties, property)
      )
        .map(({ property, value }) => [property, value] as const);
      if (texts.length === 0) return type;
      if (!type.userCreatable || BOARD_MADE.includes(type.name)) {
        warn(`warning: -global has no effect on '${type.name}', which the board makes`);
        return type;
      }
      const values = parseProperties(type, texts);
      return { ...type, create: (context, own = {}, options) => type.create(context, { ...values, ...own }, options) };
    }),
  );
  for (const { driver, property } of globals) {
    if (types.find(driver) === undefined) warn(`warning: global ${driver}.${property} has invalid class name`);
  }
  return changed;
}
