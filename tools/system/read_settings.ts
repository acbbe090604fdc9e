/**
 * From options as they were written to {@link Settings}. What is wrong is told with the option it is in.
 *
 * @module
 */
import { escapeValue, type OptionPair, parseOptionPairs, QemuOpts } from "../../base/keyval.ts";
import { OPTION_GROUPS } from "../../machine/mod.ts";
import { readEventList } from "../common/event_list.ts";
import { readDisplay, readNet, readVga } from "./absent_devices.ts";
import { CommandLineError, type WrittenOption } from "./arguments.ts";
import { readChardev, readMon, readMonitor } from "./chardevs.ts";
import {
  readBoot,
  readClock,
  readInstructionClock,
  readMachine,
  readMemory,
  readName,
  readSeed,
  readSmp,
  readUuid,
} from "./machine_values.ts";
import { OPTIONS } from "./option_table.ts";
import { readDebugcon, readPort } from "./ports.ts";
import { readConfigFile } from "./read_config.ts";
import type { Settings } from "./settings.ts";
import { readAcpiTable, readFirmwareFile, readOptionRom } from "./read_firmware.ts";
import { readAddFd } from "./read_descriptors.ts";
import { readObject } from "./read_objects.ts";

/** Options whose errors QEMU tells without naming them. */
const NAMELESS_ERRORS = ["machine", "M", "smp", "boot"];
const NAMELESS_TEXTS = /^(invalid value of maxmem|invalid datetime|unknown vga)/;

/** Reads all options in their order; what was noted before an error is in `settings` then. @throws CommandLineError */
export function readSettings(options: readonly WrittenOption[], settings: Settings): void {
  for (const option of options) readOption(option, settings);
}

function readOption(option: WrittenOption, settings: Settings): void {
  const { name, value, origin } = option;
  const row = OPTIONS.get(name);
  if (row?.kind === "refused") throw new CommandLineError(`not available in moa: ${row.reason}`, origin);
  try {
    if (name === "" || /^(hd[a-d]|cdrom|fd[ab]|sd|mtdblock|pflash)$/.test(name)) readMedium(option, settings);
    else if (readGroup(option, settings)) return;
    else readWhole(name, value, origin, settings);
  } catch (error) {
    throw blamed(error, name, origin);
  }
}

/** An error of a parser, with the option in front; some of QEMU's have none. */
function blamed(error: unknown, name: string, origin: string): unknown {
  if (!(error instanceof Error) || !["OptionError", "CommandLineError"].includes(error.name)) return error;
  if (error instanceof CommandLineError && error.origin !== undefined) return error;
  const nameless = NAMELESS_ERRORS.includes(name) && !/^(Expected|Parameter 'size'|Value)/.test(error.message);
  const unnamed = nameless || NAMELESS_TEXTS.test(error.message);
  const { hint } = error as { hint?: string };
  return new CommandLineError(error.message, unnamed ? undefined : origin, hint, { unnamed: origin });
}

/** Images with an option of their own: they are drives in other words. */
function readMedium({ name, value, origin }: WrittenOption, settings: Settings): void {
  const file = { name: "file", value };
  const place = (index: number): OptionPair => ({ name: "index", value: String(index) });
  const media = (value: string): OptionPair => ({ name: "media", value });
  const at = (value: string): OptionPair => ({ name: "if", value });
  const drive = (...pairs: OptionPair[]) => void settings.drives.push({ origin, pairs: [...pairs, file] });
  switch (name) {
    case "":
      return drive(place(0), media("disk"));
    case "cdrom":
      return drive(place(2), media("cdrom"));
    case "fda":
    case "fdb":
      return drive(at("floppy"), place(name === "fda" ? 0 : 1));
    case "sd":
      return drive(at("sd"), place(0));
    case "mtdblock":
      return drive(at("mtd"));
    case "pflash":
      return drive(at("pflash"));
    default:
      return drive(place("abcd".indexOf(name[2]!)), media("disk"));
  }
}

/** Options that may come many times. Whether it was one of them. */
function readGroup({ name, value, origin }: WrittenOption, settings: Settings): boolean {
  switch (name) {
    case "drive":
      readDrive(value, origin, settings);
      return true;
    case "blockdev":
      settings.blockdevs.push({ origin, text: value });
      return true;
    case "device":
      readDevice(value, origin, settings);
      return true;
    case "global":
      readGlobal(value, origin, settings);
      return true;
    case "chardev":
      readChardev(value, origin, settings);
      return true;
    case "add-fd":
      readAddFd(value, origin, settings);
      return true;
    case "mon":
      readMon(value, origin, settings);
      return true;
    case "monitor":
    case "qmp":
    case "qmp-pretty":
      readMonitor(name, value, origin, settings);
      return true;
    case "accel":
      readAccelerator(value, origin, settings);
      return true;
    case "trace":
      readTrace(value, origin, settings);
      return true;
    case "net":
    case "nic":
    case "netdev":
      readNet(name, value);
      return true;
    case "serial":
    case "parallel":
      readPort(name, value, origin, settings);
      return true;
    case "debugcon":
      readDebugcon(value, origin, settings);
      return true;
    case "acpitable":
      readAcpiTable(value, origin, settings);
      return true;
    case "smbios":
      settings.uuid = settings.smbios.add(value, (text) => settings.notes.push({ text, origin })) ?? settings.uuid;
      return true;
    case "fw_cfg":
      readFirmwareFile(value, origin, settings);
      return true;
    case "option-rom":
      readOptionRom(value, settings);
      return true;
    case "object":
      readObject(value, origin, settings);
      return true;
    default:
      return false;
  }
}

/** Options of which one counts. */
function readWhole(name: string, value: string, origin: string, settings: Settings): void {
  switch (name) {
    case "h":
    case "help":
      settings.listing ??= { kind: "help" };
      return;
    case "version":
      settings.listing ??= { kind: "version" };
      return;
    case "machine":
    case "M":
      return readMachine(value, settings);
    case "no-acpi":
    case "no-hpet":
      settings.machineProperties.set(name.slice("no-".length), "off");
      return;
    case "enable-kvm":
      settings.machineProperties.set("accel", "kvm");
      return;
    case "m":
      return readMemory(value, settings);
    case "smp":
      return readSmp(value, settings);
    case "boot":
      if (value === "help" || value === "?") settings.listing ??= { kind: "boot" };
      else readBoot(value, settings);
      return;
    case "rtc":
      return readClock(value, settings);
    case "name":
      return readName(value, settings);
    case "uuid":
      settings.uuid = readUuid(value);
      return;
    case "display":
      return readDisplay(value, settings);
    case "vga":
      return readVga(value, settings);
    case "cpu":
      if (value === "help" || value === "?") settings.listing ??= { kind: "cpu" };
      else settings.cpuModel = value;
      return;
    case "L":
      if (value === "help") settings.listing ??= { kind: "data-folders" };
      else settings.dataFolders.push(value);
      return;
    case "k":
      settings.notes.push({
        text: "warning: a keyboard layout has no effect: keys are those of a US keyboard",
        origin,
      });
      return;
    case "readconfig":
      for (const option of readConfigFile(value, origin)) readOption(option, settings);
      return;
    default:
      if (name === "daemonize") settings.daemonOrigin = origin;
      else readSwitch(name, value, settings);
  }
}

function readSwitch(name: string, value: string, settings: Settings): void {
  switch (name) {
    case "snapshot":
      settings.snapshot = true;
      return;
    case "S":
      settings.paused = true;
      return;
    case "nodefaults":
      settings.nodefaults = true;
      return;
    case "nographic":
      settings.nographic = true;
      return;
    case "no-reboot":
      settings.noReboot = true;
      return;
    case "no-shutdown":
      settings.noShutdown = true;
      return;
    case "echr":
      settings.escape = readEscape(value);
      return;
    case "loadvm":
      settings.loadvm = value;
      return;
    case "pidfile":
      settings.pidfile = value;
      return;
    case "kernel":
    case "initrd":
    case "append":
      settings[name] = value;
      return;
    case "icount":
      settings.icount = readInstructionClock(value);
      return;
    case "seed":
      settings.seed = readSeed(value);
      return;
    case "bios":
      settings.bios = value;
      return;
    case "D":
      settings.logFile = value;
      return;
    case "d":
      if (value === "help" || value === "?") settings.listing ??= { kind: "log" };
      else settings.logItems = value;
      return;
    case "no-fd-bootchk":
      settings.skipsFloppyCheck = true;
      return;
    case "no-user-config":
      return; // there are no such files
  }
}

/** A character's code. */
function readEscape(text: string): number {
  const code = /^(0x[0-9a-f]+|[1-9]\d*|0)$/i.test(text) ? Number(text) : NaN;
  if (code < 256) return code;
  throw new CommandLineError("Bad argument to echr");
}

function readDrive(value: string, origin: string, settings: Settings): void {
  const { pairs, warnings } = parseOptionPairs(value);
  for (const warning of warnings) settings.notes.push({ text: `warning: ${warning}`, origin });
  QemuOpts.parse(value); // for its check of the id
  const format = pairs.findLast(({ name }) => name === "format")?.value;
  if (format === "help" || format === "?") settings.listing ??= { kind: "formats" };
  settings.drives.push({ origin, pairs });
}

function readDevice(value: string, origin: string, settings: Settings): void {
  const { pairs, warnings, helpWanted } = parseOptionPairs(value, "driver");
  const driver = pairs.findLast(({ name }) => name === "driver")?.value ?? "";
  if (helpWanted) {
    const all = driver === "help" || driver === "?";
    settings.listing ??= all ? { kind: "devices" } : { kind: "device", driver, origin };
    return;
  }
  for (const warning of warnings) settings.notes.push({ text: `warning: ${warning}`, origin });
  settings.devices.push({ origin, pairs });
}

function readGlobal(value: string, origin: string, settings: Settings): void {
  const [, driver, property, text] = /^([^.=]+)\.([^=]+)=(.*)$/s.exec(value) ?? [];
  if (driver !== undefined && property !== undefined) {
    settings.globals.push({ driver, property, value: text ?? "" });
    return;
  }
  const { pairs, warnings } = parseOptionPairs(value);
  for (const warning of warnings) settings.notes.push({ text: `warning: ${warning}`, origin });
  const options = QemuOpts.parse(pairs.map(({ name, value }) => `${name}=${escapeValue(value)}`).join(","), {
    table: OPTION_GROUPS.global,
  });
  const [type, name, wanted] = [options.get("driver"), options.get("property"), options.get("value")];
  if (type === undefined || name === undefined || wanted === undefined) {
    throw new CommandLineError("options 'driver', 'property', and 'value' are required");
  }
  settings.globals.push({ driver: type, property: name, value: wanted });
}

function readAccelerator(value: string, origin: string, settings: Settings): void {
  const { pairs } = parseOptionPairs(value, "accel");
  const name = pairs.findLast(({ name }) => name === "accel")?.value ?? "";
  if (name === "help" || name === "?") settings.listing ??= { kind: "accel" };
  else settings.accelerators.push({ name, origin });
}

function readTrace(value: string, origin: string, settings: Settings): void {
  const { pairs } = parseOptionPairs(value, "enable");
  const unknown = pairs.find(({ name }) => !Object.hasOwn(OPTION_GROUPS.trace, name));
  if (unknown !== undefined) throw new CommandLineError(`Invalid parameter '${unknown.name}'`);
  for (const { name, value: text } of pairs) {
    if (name === "enable") {
      if (text === "help" || text === "?") settings.listing ??= { kind: "trace" };
      else settings.tracePatterns.push({ pattern: text, origin });
    } else if (name === "file") settings.traceFile = text;
    else if (name === "events") {
      for (const line of readEventList(text, (why) => new CommandLineError(why))) {
        settings.tracePatterns.push({ pattern: line, origin });
      }
    }
  }
}
