/**
 * Typed device properties: what `-device X,name=value` takes, `-device X,help` lists and `info qtree` prints.
 *
 * A device type declares its table once, `{ iobase: prop.uint32(0x61), migrate: prop.bool(true) }`; the types of the
 * values follow from it. Texts of refusals are QEMU's, since they are what users know.
 *
 * @module
 */
import type { Chardev } from "./chardev.ts";

/** A value that a property does not take; `message` is what a user is told. */
export class PropertyError extends Error {
  override readonly name = "PropertyError";
}

/** What a parser may ask. */
export interface PropertyScope {
  /** The device type's name, for messages. */
  readonly deviceType: string;
  /** The property's name. */
  readonly name: string;
  /** Finds the drive that a property names; throws a {@link PropertyError} where it cannot be had. */
  drive?(name: string): unknown;
  /** Finds the character device of that id; throws a {@link PropertyError} where it cannot be had. */
  chardev?(id: string): Chardev | undefined;
}

/** One property: its type's name, its default, and how text becomes a value and a value text. */
export interface Property<T> {
  /** As help shows it: `uint32`, `OnOffAuto`. */
  readonly typeName: string;
  readonly defaultValue: T;
  /** As help shows it after `default: `; `undefined` where it shows none. */
  readonly defaultText: string | undefined;
  readonly description: string | undefined;
  /** Whether `info qtree` leaves it out. */
  readonly hidden: boolean;
  /** Whether its value is a drive, so that the name may be a node's as well. */
  readonly isDrive?: boolean;
  /** @throws {PropertyError} */
  parse(text: string, scope: PropertyScope): T;
  /** As `info qtree` prints it: `112 (0x70)`. */
  print(value: T): string;
}

/** A device type's properties, in the order in which they are listed. */
export type PropertyTable = Readonly<Record<string, Property<unknown>>>;

/** The values that belong to a table. */
export type PropertyValues<Table extends PropertyTable> = {
  [Name in keyof Table]: Table[Name] extends Property<infer T> ? T : never;
};

/** Every property at its default. */
export function defaultValues<Table extends PropertyTable>(table: Table): PropertyValues<Table> {
  return Object.fromEntries(
    Object.entries(table).map(([name, property]) => [name, property.defaultValue]),
  ) as PropertyValues<Table>;
}

interface Extras {
  readonly description?: string;
  readonly hidden?: boolean;
}

const INTEGER = /^[+-]?(0[xX][0-9a-fA-F]+|\d+)$/;

/** An integer as C's strtoull with base 0 reads it, `undefined` for anything else. */
export function parseInteger(text: string): bigint | undefined {
  const trimmed = text.trimStart();
  if (!INTEGER.test(trimmed)) return undefined;
  const negative = trimmed.startsWith("-");
  const digits = trimmed.replace(/^[+-]/, "");
  if (/^0\d/.test(digits) && !/^[0-7]+$/.test(digits)) return undefined;
  const value = BigInt(/^0\d/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return negative ? -value : value;
}

function unsigned(bits: 8 | 16 | 32): (defaultValue: number, extras?: Extras) => Property<number> {
  const limit = 2n ** BigInt(bits);
  return (defaultValue, extras = {}) => ({
    ...row(`uint${bits}`, defaultValue, String(defaultValue), extras),
    parse(text, { name }) {
      const value = parseInteger(text);
      if (value === undefined || value <= -(1n << 63n) || value >= 1n << 64n) {
        throw new PropertyError(`Parameter '${name}' expects integer`);
      }
      if (value < 0n || value >= limit) throw new PropertyError(`Parameter '${name}' expects uint${bits}_t`);
      return Number(value);
    },
    print: (value) => `${value} (0x${value.toString(16)})`,
  });
}

function int32(defaultValue: number, extras: Extras & { readonly noDefault?: boolean } = {}): Property<number> {
  return {
    ...row("int32", defaultValue, extras.noDefault ? undefined : String(defaultValue), extras),
    parse(text, { name }) {
      const value = parseInteger(text);
      if (value === undefined) throw new PropertyError(`Parameter '${name}' expects integer`);
      if (value !== BigInt.asIntN(32, value)) throw new PropertyError(`Parameter '${name}' expects int32_t`);
      return Number(value);
    },
    print: (value) => `${value} (0x${BigInt.asUintN(64, BigInt(value)).toString(16)})`,
  };
}

function uint64(defaultValue: bigint, extras: Extras = {}): Property<bigint> {
  return {
    ...row("uint64", defaultValue, String(defaultValue), extras),
    parse(text, { name }) {
      const value = parseInteger(text);
      if (value === undefined || value >= 1n << 64n || value < -(1n << 63n)) {
        throw new PropertyError(`Parameter '${name}' expects integer`);
      }
      return BigInt.asUintN(64, value);
    },
    print: (value) => `${value} (0x${value.toString(16)})`,
  };
}

const TRUE = ["on", "yes", "true", "y"];
const FALSE = ["off", "no", "false", "n"];

function bool(defaultValue: boolean, extras: Extras = {}): Property<boolean> {
  return {
    ...row("bool", defaultValue, String(defaultValue), extras),
    parse(text, { name }) {
      if (TRUE.includes(text)) return true;
      if (FALSE.includes(text)) return false;
      throw new PropertyError(`Parameter '${name}' expects 'on' or 'off'`);
    },
    print: String,
  };
}

function str(defaultValue?: string, extras: Extras = {}): Property<string | undefined> {
  return {
    ...row<string | undefined>("str", defaultValue, defaultValue && JSON.stringify(defaultValue), extras),
    parse: (text) => text,
    print: (value) => JSON.stringify(value ?? ""),
  };
}

const SUFFIXES = "BKMGTPE";

/** A size with an optional suffix, as QEMU's options take it; `undefined` where it is none. */
function parseSize(text: string): bigint | undefined {
  const match = /^(\d+|0[xX][0-9a-fA-F]+)(\.\d*)?([bBkKmMgGtTpPeE]?)$/.exec(text.trim());
  if (match === null) return undefined;
  const [, whole = "", fraction = "", suffix = ""] = match;
  const unit = suffix === "" ? 1n : 1n << (10n * BigInt(SUFFIXES.indexOf(suffix.toUpperCase())));
  if (fraction.length > 1 && (unit === 1n || /^0x/i.test(whole))) return undefined;
  const parts = fraction.length > 1 ? BigInt(Math.round(Number(`0${fraction}`) * Number(unit))) : 0n;
  const value = BigInt(whole) * unit + parts;
  return value < 1n << 64n ? value : undefined;
}

/** `65536` as `64 KiB`, in the form that `info qtree` uses. */
export function printSize(value: bigint): string {
  let unit = 0;
  let scaled = Number(value);
  while (scaled >= 1000 && unit < SUFFIXES.length - 1) {
    scaled /= 1024;
    unit++;
  }
  const digits = String(Number(scaled.toPrecision(3)));
  return `${digits} ${unit === 0 ? "B" : `${SUFFIXES[unit]}iB`}`;
}

function size(defaultValue: bigint, extras: Extras = {}): Property<bigint> {
  return {
    ...row("size", defaultValue, String(defaultValue), extras),
    parse(text, { name }) {
      const value = parseSize(text);
      if (value === undefined) throw new PropertyError(`Parameter '${name}' expects size`);
      return value;
    },
    print: (value) => `${value} (${printSize(value)})`,
  };
}

function size32(defaultValue: number, extras: Extras = {}): Property<number> {
  const wide = size(BigInt(defaultValue), extras);
  return {
    ...row("size", defaultValue, String(defaultValue), extras),
    parse(text, scope) {
      const value = wide.parse(text, scope);
      if (value > 0xffff_ffffn) {
        throw new PropertyError(
          `Property ${scope.deviceType}.${scope.name} doesn't take value ${value} (maximum: 4294967295)`,
        );
      }
      return Number(value);
    },
    print: (value) => wide.print(BigInt(value)),
  };
}

/** A logical or physical block size: a power of two from 512 B to 2 MiB; 0 (the default) is "ask the drive". */
function blockSize(): Property<number> {
  const wide = size(0n);
  return {
    ...row("size", 0, "0", { description: "A power of two between 512 B and 2 MiB" }),
    parse(text, scope) {
      const value = wide.parse(text, scope);
      if (value === 0n) return 0;
      if (value < 512n || value > 2097152n) {
        throw new PropertyError(
          `Property .${scope.name} doesn't take value ${value} (minimum: 512, maximum: 2097152)`,
        );
      }
      if ((value & (value - 1n)) !== 0n) {
        throw new PropertyError(`Property .${scope.name} doesn't take value '${value}', it's not a power of 2`);
      }
      return Number(value);
    },
    print: (value) => wide.print(BigInt(value)),
  };
}

/** One of several words. */
function choice<const Words extends readonly string[]>(
  typeName: string,
  words: Words,
  defaultValue: Words[number],
  extras: Extras = {},
): Property<Words[number]> {
  return {
    ...row<Words[number]>(typeName, defaultValue, JSON.stringify(defaultValue), extras),
    parse(text, { name }) {
      if (!words.includes(text)) throw new PropertyError(`Parameter '${name}' does not accept value '${text}'`);
      return text;
    },
    print: (value) => JSON.stringify(value),
  };
}

function onOffAuto(defaultValue: "on" | "off" | "auto" = "auto"): Property<"on" | "off" | "auto"> {
  return choice("OnOffAuto", ["auto", "on", "off"], defaultValue, { description: "on/off/auto" });
}

function blockdevOnError(): Property<"auto" | "report" | "ignore" | "enospc" | "stop"> {
  return choice("BlockdevOnError", ["report", "ignore", "enospc", "stop", "auto"], "auto", {
    description: "Error handling policy, report/ignore/enospc/stop/auto",
  });
}

/** What a drive is to whoever prints it: a backend's name, or its node's where it has none. */
export interface NamedDrive {
  readonly name: string;
  readonly node?: { readonly name: string } | undefined;
}

/** A block backend by name, found through the scope; `Drive` is what that finds. */
function drive<Drive extends NamedDrive>(): Property<Drive | undefined> {
  return {
    ...row<Drive | undefined>("str", undefined, undefined, {
      description: "Node name or ID of a block device to use as a backend",
    }),
    isDrive: true,
    parse(text, scope) {
      if (text === "") return undefined;
      const found = scope.drive?.(text);
      if (found === undefined) {
        throw new PropertyError(`Property '${scope.deviceType}.${scope.name}' can't find value '${text}'`);
      }
      return found as Drive;
    },
    print: (value) => JSON.stringify(value === undefined ? "" : value.name || (value.node?.name ?? "")),
  };
}

/** A character device by its id, found through the scope. */
function chardev(): Property<Chardev | undefined> {
  return {
    ...row<Chardev | undefined>("str", undefined, undefined, { description: "ID of a chardev to use as a backend" }),
    parse(text, scope) {
      if (text === "") return undefined;
      const found = scope.chardev?.(text);
      const property = `Property '${scope.deviceType}.${scope.name}'`;
      if (found === undefined) throw new PropertyError(`${property} can't find value '${text}'`);
      if (!found.isTaken) return found;
      throw new PropertyError(`${property} can't take value '${text}': Device '${found.label}' is in use`);
    },
    print: (value) => JSON.stringify(value?.label ?? ""),
  };
}

/** A PCI slot and function in one number, slot * 8 + function; -1 is "the first free slot". */
function pciDevfn(): Property<number> {
  return {
    ...row("int32", -1, "-1", { description: "Slot and optional function number, example: 06.0 or 06" }),
    parse(text, { deviceType, name }) {
      const match = /^([0-9a-fA-F]+)(?:\.([0-9a-fA-F]+))?$/.exec(text);
      const slot = parseInt(match?.[1] ?? "", 16);
      const fn = match?.[2] === undefined ? 0 : parseInt(match[2], 16);
      if (match === null || !(slot < 32) || !(fn < 8)) {
        throw new PropertyError(`Property '${deviceType}.${name}' doesn't take value '${text}'`);
      }
      return slot * 8 + fn;
    },
    print: (value) => value < 0 ? "<unset>" : `${hex2(value >> 3)}.${(value & 7).toString(16)}`,
  };
}

function hex2(value: number): string {
  return value.toString(16).padStart(2, "0");
}

function row<T>(typeName: string, defaultValue: T, defaultText: string | undefined, extras: Extras) {
  return {
    typeName,
    defaultValue,
    defaultText,
    description: extras.description,
    hidden: extras.hidden ?? false,
  };
}

/** All kinds of property. */
export const prop = {
  uint8: unsigned(8),
  uint16: unsigned(16),
  uint32: unsigned(32),
  uint64,
  int32,
  bool,
  str,
  size,
  size32,
  blockSize,
  choice,
  onOffAuto,
  blockdevOnError,
  drive,
  chardev,
  pciDevfn,
} as const;
