/**
 * What the program lists and ends: `-help`, `-version`, `-machine help`, `-device help`, `-device X,help` and the like.
 *
 * @module
 */
import { builtinDrivers, formatsHelp } from "../../block/mod.ts";
import { DEVICE_CATEGORIES, type DeviceType, propertyHelp } from "../../devices/bus/mod.ts";
import { CHARDEV_KINDS, pc, standardDeviceTypes } from "../../machine/mod.ts";
import { LOG_ITEMS, PACKAGE_VERSION, qemuVersionText } from "../../monitor/mod.ts";
import type { Program } from "../common/program.ts";
import { helpText } from "./help.ts";
import type { Listing } from "./settings.ts";

/** Prints a listing. */
export function showListing(listing: Listing, program: Program): void {
  if (listing.kind === "object") return program.out(listing.text);
  if (listing.kind !== "device") return program.out(listingText(listing.kind, program));
  const old = listing.driver === "ide-drive" && !program.strict;
  if (old) program.error(`${listing.origin}: note: 'ide-drive' is called 'ide-hd' now, or 'ide-cd' with a CD`);
  const type = standardDeviceTypes().find(old ? "ide-hd" : listing.driver);
  if (type === undefined) program.error(`${listing.origin}: Device '${listing.driver}' not found`);
  else program.out(deviceText(type));
}

function listingText(kind: Exclude<Listing["kind"], "device" | "object">, program: Program): string {
  switch (kind) {
    case "help":
      return helpText(program);
    case "version":
      return versionText(program);
    case "machine":
      return machinesText();
    case "accel":
      return "Accelerators supported in QEMU binary:\nqtest\n";
    case "cpu":
      return "Available CPUs:\nx86 qemu64                (no CPU runs the guest's code yet)\n";
    case "devices":
      return devicesText();
    case "formats":
      return formatsHelp(builtinDrivers);
    case "boot":
      return "boot-opts options:\n  menu=<bool (on/off)>\n  once=<str>\n  order=<str>\n  reboot-timeout=<num>\n" +
        "  splash-time=<num>\n";
    case "display":
      return "Available display backend types:\nnone\n";
    case "vga":
      return "none                 no graphic card\n";
    case "chardev":
      return `Available chardev backend types: \n${CHARDEV_KINDS.map((kind) => `  ${kind}\n`).join("")}`;
    case "trace":
    case "data-folders":
      return "";
    case "log":
      return logItemsText();
  }
}

/** The first line is what programs read. */
export function versionText(program: Program): string {
  const version = `QEMU emulator version ${qemuVersionText()}`;
  // The second line is compared, too: it says whose program it is that this one speaks like.
  if (program.strict) return `${version}\nCopyright (c) 2003-2022 Fabrice Bellard and the QEMU Project developers\n`;
  return `${PACKAGE_VERSION}, which answers as ${version}\n`;
}

function machinesText(): string {
  const rows: [string, string][] = [
    ...pc.aliases.map((alias): [string, string] => [alias, `${pc.description} (alias of ${pc.name})`]),
    [pc.name, `${pc.description} (default)`],
  ];
  return `Supported machines are:\n${rows.map(([name, text]) => `${name.padEnd(20)} ${text}\n`).join("")}`;
}

function devicesText(): string {
  const types = standardDeviceTypes().list().filter(({ userCreatable }) => userCreatable);
  const sections = DEVICE_CATEGORIES.flatMap((category) => {
    const rows = types.filter((type) => type.category === category).map(deviceRow);
    return rows.length === 0 ? [] : [`${category} devices:\n${rows.join("")}`];
  });
  return sections.join("\n");
}

function deviceRow({ name, busType, alias, description }: DeviceType): string {
  return `name "${name}"${busType === undefined ? "" : `, bus ${busType}`}` +
    `${alias === undefined ? "" : `, alias "${alias}"`}` +
    `${description === undefined ? "" : `, desc "${description}"`}\n`;
}

const COLUMN = 24;

function deviceText(type: DeviceType): string {
  const rows = propertyHelp(type).map(({ name, typeName, description, defaultText }) => {
    const head = `  ${name}=<${typeName}>`;
    if (description === undefined && defaultText === undefined) return `${head}\n`;
    const tail = defaultText === undefined ? "" : ` (default: ${defaultText})`;
    return `${head.padEnd(COLUMN)} - ${description ?? ""}${tail}\n`;
  });
  return rows.length === 0 ? `There are no options for ${type.name}.\n` : `${type.name} options:\n${rows.join("")}`;
}

/** `-d help`. */
export function logItemsText(): string {
  const items = [...LOG_ITEMS, { name: "trace:PATTERN", help: "enable trace events" }];
  const lines = items.map(({ name, help }) => `${name.padEnd(15)} ${help}\n`).join("");
  return `Log items (comma separated):\n${lines}\nUse "-d trace:help" to get a list of trace events.\n\n`;
}
