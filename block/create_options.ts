/**
 * Creation options: which a format and the protocol below take together, their help, their types, and the line that
 * `qemu-img create` prints.
 *
 * @module
 */
import { type OptionPair, parseBool, parseUnsigned } from "../base/keyval.ts";
import { parseSize } from "../base/sizes.ts";
import type { CreateOption, CreateValues, DriverDefinition } from "./driver.ts";
import { optionError } from "./options/tree.ts";

/** The order in which QEMU prints the options of a new image; what is not here follows in the driver's order. */
const PRINT_ORDER: readonly string[] = (
  "encryption encrypt.format encrypt.key-secret encrypt.cipher-alg encrypt.cipher-mode encrypt.ivgen-alg " +
  "encrypt.ivgen-hash-alg encrypt.hash-alg encrypt.iter-time cluster_size extended_l2 preallocation compression_type " +
  "size compat backing_file backing_fmt data_file data_file_raw lazy_refcounts refcount_bits nocow extent_size_hint"
).split(" ");
const LUKS_PRINT_ORDER: readonly string[] = (
  "size key-secret cipher-alg cipher-mode ivgen-alg ivgen-hash-alg hash-alg iter-time nocow preallocation " +
  "extent_size_hint"
).split(" ");
const RAW_PRINT_ORDER: readonly string[] = ["size", "nocow", "preallocation", "extent_size_hint"];

/** What a format takes, with what the protocol adds, in alphabetical order as help shows them. */
export function mergeCreateOptions(
  format: DriverDefinition,
  protocol: DriverDefinition | undefined,
): readonly CreateOption[] {
  const rows = new Map<string, CreateOption>();
  const protocols = protocol?.createOptions ?? [];
  for (const row of [...format.createOptions ?? [], ...protocols]) {
    if (row.needsProtocol && !protocols.some(({ name }) => name === row.name)) continue;
    if (!rows.has(row.name)) rows.set(row.name, row);
  }
  return [...rows.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

/** The rows as `-o help` prints them, without its first line. */
export function createOptionsHelp(rows: readonly CreateOption[]): string {
  return rows.map((row) => {
    const type = row.type === "bool" ? "bool (on/off)" : row.type;
    const left = `  ${row.name}=<${type}>`;
    return `${left.padEnd(24)} - ${row.help}\n`;
  }).join("");
}

/** Gives options their types. @throws {BlockError} or {@link OptionError} in QEMU's words. */
export function parseCreateOptions(rows: readonly CreateOption[], pairs: readonly OptionPair[]): CreateValues {
  const values: Record<string, string | number | boolean> = {};
  for (const { name, value } of pairs) {
    const row = rows.find((one) => one.name === name);
    if (row === undefined) throw optionError(`Invalid parameter '${name}'`, name);
    switch (row.type) {
      case "size":
        values[name] = parseSize(value, name);
        break;
      case "bool":
        values[name] = parseBool(value, name);
        break;
      case "num":
        values[name] = Number(parseUnsigned(value, name));
        break;
      default:
        values[name] = value;
    }
  }
  return values;
}

/** `fmt=qcow2 cluster_size=65536 ... size=1048576`: the line behind "Formatting 'F', ". */
export function createOptionsText(format: string, rows: readonly CreateOption[], values: CreateValues): string {
  const order = format === "luks"
    ? LUKS_PRINT_ORDER
    : format === "raw" || format === "file"
    ? RAW_PRINT_ORDER
    : PRINT_ORDER;
  const place = (name: string) => {
    const index = order.indexOf(name);
    return index < 0 ? order.length : index;
  };
  const shown = [...rows].sort((a, b) => place(a.name) - place(b.name)).flatMap((row) => {
    const value = values[row.name];
    const text = value === undefined ? row.defaultText : typeof value === "boolean" ? onOff(value) : String(value);
    // The option parser of whoever reads the line back wants commas doubled.
    return text === undefined ? [] : [`${row.name}=${text.replaceAll(",", ",,")}`];
  });
  return [`fmt=${format}`, ...shown].join(" ");
}

function onOff(value: boolean): string {
  return value ? "on" : "off";
}
