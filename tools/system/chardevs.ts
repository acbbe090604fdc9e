/**
 * Character devices and who talks over them: `-chardev`, `-mon`, and the short forms `-monitor` and `-qmp`.
 *
 * @module
 */
import { parseBool, parseOptionPairs } from "../../base/keyval.ts";
import { ChardevError, type ChardevWish, OPTION_GROUPS, parseChardev, parseShortForm } from "../../machine/mod.ts";
import { CommandLineError } from "./arguments.ts";
import { completePorts } from "./ports.ts";
import type { Settings } from "./settings.ts";

/** A character device that is wanted, and the option it comes from. */
export interface PlacedChardev {
  readonly origin?: string;
  readonly id: string;
  readonly wish: ChardevWish;
  /** A second line for where it cannot be had. */
  readonly failed?: string;
}

/** A monitor that is wanted on one of them. */
export interface MonitorWish {
  readonly origin?: string;
  readonly chardev: string;
  /** It speaks the machine protocol. */
  readonly control?: { readonly pretty: boolean };
}

/** `-chardev`. */
export function readChardev(text: string, origin: string, settings: Settings): void {
  const { pairs, helpWanted, warnings } = parseOptionPairs(text, "backend");
  if (helpWanted) {
    settings.listing ??= { kind: "chardev" };
    return;
  }
  for (const warning of warnings) settings.notes.push({ text: `warning: ${warning}`, origin });
  if (pairs.some(({ name, value }) => name === "backend" && value === "tty")) {
    settings.notes.push({ text: "warning: The alias 'tty' is deprecated, use 'serial' instead", origin });
  }
  const id = pairs.find(({ name }) => name === "id")?.value;
  if (id !== undefined && settings.chardevs.some((other) => other.id === id)) {
    throw new CommandLineError(`Duplicate ID '${id}' for chardev`);
  }
  settings.chardevs.push({ origin, ...blamed(origin, settings, () => parseChardev(text)) });
}

/** `-mon`: a monitor on a character device. */
export function readMon(text: string, origin: string, settings: Settings): void {
  const { pairs } = parseOptionPairs(text, "chardev");
  const get = (wanted: string) => pairs.findLast(({ name }) => name === wanted)?.value;
  const unknown = pairs.find(({ name }) => name !== "id" && !Object.hasOwn(OPTION_GROUPS.mon, name));
  if (unknown !== undefined) throw new CommandLineError(`Invalid parameter '${unknown.name}'`);
  const mode = get("mode") ?? "readline";
  const chardev = get("chardev");
  if (mode !== "control" && mode !== "readline") {
    throw new CommandLineError(`Parameter 'mode' does not accept value '${mode}'`);
  }
  const pretty = parseBool(get("pretty") ?? "off", "pretty");
  if (chardev === undefined) throw new CommandLineError("Parameter 'chardev' is missing");
  if (pretty && mode === "readline") throw new CommandLineError("'pretty' is not compatible with HMP monitors");
  settings.monitors.push({ origin, chardev, ...(mode === "control" ? { control: { pretty } } : {}) });
}

/** `-monitor`, `-qmp`, `-qmp-pretty`: a monitor on a device of its own, or on one by name. */
export function readMonitor(name: string, text: string, origin: string, settings: Settings): void {
  const control = name === "monitor" ? {} : { control: { pretty: name === "qmp-pretty" } };
  const chardev = /^chardev:(.*)$/s.exec(text)?.[1];
  settings.monitorsChosen = true;
  // A prompt may be nowhere; for the protocol that is no character device.
  if (name === "monitor" && text === "none") return;
  const id = chardev ?? `compat_monitor${settings.monitors.length}`;
  if (chardev === undefined) addShortForm(id, text, origin, settings);
  settings.monitors.push({ origin, chardev: id, ...control });
}

/** A device in its short form, `unix:PATH,server=on`, under an id that users see in `info chardev`. */
export function addShortForm(id: string, text: string, origin: string, settings: Settings): void {
  const { warnings } = parseOptionPairs(text.slice(text.indexOf(",") + 1 || text.length));
  for (const warning of warnings) settings.notes.push({ text: `warning: ${warning}`, origin });
  settings.chardevs.push({ origin, id, wish: blamed(origin, settings, () => parseShortForm(text)) });
}

/** QEMU tells what is wrong, then perhaps that it could not read the whole. */
function blamed<T>(origin: string, settings: Settings, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ChardevError)) throw error;
    for (const text of error.preceding) settings.notes.push({ text, origin });
    throw new CommandLineError(error.message, origin, error.hint);
  }
}

/**
 * Adds what nobody asked for: without any monitor the prompt is on standard input and output, or on a console of
 * the display where there is one; with `-nodefaults` there is none. A daemon has no standard input and output.
 *
 * @throws CommandLineError where a daemon is asked to talk on its terminal
 */
export function completeMonitors(settings: Settings): void {
  const { monitors, chardevs, nodefaults, daemonOrigin, monitorsChosen, display } = settings;
  if (daemonOrigin !== undefined) refuseStdio(settings);
  completePorts(settings);
  if (daemonOrigin === undefined && monitors.length === 0 && !monitorsChosen && !nodefaults) {
    chardevs.push({ id: "compat_monitor0", wish: parseShortForm(display === "curses" ? "vc" : "stdio") });
    monitors.push({ chardev: "compat_monitor0" });
  }
}

function refuseStdio({ nographic, chardevs }: Settings): void {
  if (nographic) {
    const advice = "Use -display none, and -monitor unix:PATH,server=on,wait=off to talk to it.";
    throw new CommandLineError("-nographic cannot be used with -daemonize", undefined, undefined, { advice });
  }
  for (const { origin = "", wish } of chardevs) {
    if (wish.device.kind !== "stdio") continue;
    const advice = "Use unix:PATH,server=on,wait=off instead of stdio.";
    const [, port] = /^--?(serial|parallel) /.exec(origin) ?? [];
    const second = `${origin}: could not connect ${port} device to character backend 'mon:stdio'`;
    throw new CommandLineError("cannot use stdio with -daemonize", origin, port && second, { advice });
  }
}
