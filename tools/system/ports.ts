/**
 * `-serial`, `-parallel`, `-debugcon`, and what a machine has of them where nobody says anything, `-nographic` included.
 *
 * Source: behaviour of QEMU 7.2.
 *
 * @module
 */
import { ChardevError, parseShortForm } from "../../machine/mod.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

type Kind = "serial" | "parallel";

const MAX_PARALLELS = 3;
/** The debug console and its character device. */
const DEBUGCON = "debugcon";

/** `-serial stdio`, `-serial chardev:ID`, `-serial mon:stdio`, `-serial none` ... */
export function readPort(kind: Kind, text: string, origin: string, settings: Settings): void {
  const ports = portsOf(kind, settings);
  if (kind === "parallel" && text !== "none" && ports.length === MAX_PARALLELS) {
    settings.lateFailure ??= new CommandLineError("too many parallel ports", origin);
    return;
  }
  const named = /^chardev:(.*)$/s.exec(text)?.[1];
  const id = named ?? `${kind}${ports.length}`;
  ports.push(text === "none" ? undefined : id);
  if (text === "none") return;
  const failed = couldNotConnect(kind, text, origin);
  if (named !== undefined) {
    settings.lateChecks.push({ id, failure: new CommandLineError(failed) });
    return;
  }
  try {
    settings.chardevs.push({ origin, id, wish: parseShortForm(text), failed });
    if (!text.startsWith("mon:")) return;
    settings.monitorsChosen = true;
    settings.monitors.push({ origin, chardev: id });
  } catch (error) {
    if (!(error instanceof ChardevError)) throw error;
    settings.lateFailure ??= new CommandLineError(error.preceding[0] ?? error.message, origin, failed);
  }
}

/** `-debugcon`: a console of one port on a character device of its own. @throws CommandLineError */
export function readDebugcon(text: string, origin: string, settings: Settings): void {
  const id = DEBUGCON;
  const failed = `${origin}: invalid character backend '${text}'`;
  if (settings.debugconOrigin !== undefined || settings.chardevs.some((other) => other.id === id)) {
    throw new CommandLineError(
      `attempt to add duplicate property '${id}' to object (type 'container')`,
      origin,
      failed,
    );
  }
  try {
    settings.chardevs.push({ origin, id, wish: parseShortForm(text), failed });
  } catch (error) {
    if (!(error instanceof ChardevError)) throw error;
    throw new CommandLineError(error.preceding[0] ?? error.message, origin, failed);
  }
  settings.debugconOrigin = origin;
  if (!text.startsWith("mon:")) return;
  settings.monitorsChosen = true;
  settings.monitors.push({ origin, chardev: id });
}

/** The second line of what QEMU says where a port's other end cannot be had. */
function couldNotConnect(kind: Kind, text: string, origin: string): string {
  return `${origin}: could not connect ${kind} device to character backend '${text}'`;
}

function portsOf(kind: Kind, settings: Settings): (string | undefined)[] {
  return kind === "serial" ? settings.serials : settings.parallels;
}

/**
 * Adds the ports that a machine has by default: COM1 and LPT1. With `-nographic` COM1 is on standard input and output,
 * and shares it with the prompt where nobody said where that is.
 */
export function completePorts(settings: Settings): void {
  const { nodefaults, nographic, chardevs, monitors, devices, debugconOrigin } = settings;
  if (debugconOrigin !== undefined) {
    const values = { driver: "isa-debugcon", id: DEBUGCON, chardev: DEBUGCON };
    devices.push({ origin: debugconOrigin, pairs: Object.entries(values).map(([name, value]) => ({ name, value })) });
  }
  if (nodefaults) return;
  const has = (driver: string) =>
    devices.some(({ pairs }) => pairs.some(({ name, value }) => name === "driver" && value === driver));
  const add = (kind: Kind, text: string) => {
    const id = `${kind}0`;
    portsOf(kind, settings).push(id);
    chardevs.push({ id, wish: parseShortForm(text) });
  };
  if (settings.serials.length === 0 && !has("isa-serial")) {
    const shared = nographic && !settings.monitorsChosen && monitors.length === 0;
    add("serial", shared ? "mon:stdio" : nographic ? "stdio" : "vc");
    if (shared) monitors.push({ chardev: "serial0" });
  }
  if (settings.parallels.length === 0 && !has("isa-parallel")) add("parallel", nographic ? "null" : "vc");
}
