/**
 * What the program lists and ends: `-help`, `-version`, `-machine help`, `-device help`, `-device X,help` and the like.
 *
 * @module
 */
import { builtinDrivers, formatsHelp } from "../../block/mod.ts";
import { CHARDEV_KINDS, pc, standardDeviceTypes } from "../../machine/mod.ts";
import { deviceTypesText, deviceTypeText, LOG_ITEMS, PACKAGE_VERSION, qemuVersionText } from "../../monitor/mod.ts";
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
  else program.out(deviceTypeText(type));
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
      return "Accelerators supported in QEMU binary:\ntcg\nv86\nqtest\n";
    case "cpu":
      return "Available CPUs:\nx86 qemu64                (a Pentium 4 of 32 bits, whatever it is called)\n";
    case "devices":
      return deviceTypesText(standardDeviceTypes().list());
    case "formats":
      return formatsHelp(builtinDrivers);
    case "boot":
      return "boot-opts options:\n  menu=<bool (on/off)>\n  once=<str>\n  order=<str>\n  reboot-timeout=<num>\n" +
        "  splash-time=<num>\n";
    case "display":
      return "Available display backend types:\nnone\ncurses\n";
    case "vga":
      return "none                 no graphic card\nstd                  standard VGA (default)\n";
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

/** `-d help`. */
export function logItemsText(): string {
  const items = [...LOG_ITEMS, { name: "trace:PATTERN", help: "enable trace events" }];
  const lines = items.map(({ name, help }) => `${name.padEnd(15)} ${help}\n`).join("");
  return `Log items (comma separated):\n${lines}\nUse "-d trace:help" to get a list of trace events.\n\n`;
}
