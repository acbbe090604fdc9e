/**
 * From `-monitor`, `-qmp`, `-mon` and the defaults to the places where monitors are opened.
 *
 * @module
 */
import { type Endpoint, MonitorError, notADevice, parseEndpoint } from "../../monitor/mod.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

/** A monitor's place and the option that it comes from. */
export interface PlacedMonitor {
  readonly endpoint: Endpoint;
  readonly origin?: string;
  /** It speaks the machine protocol. */
  readonly control?: { readonly pretty: boolean };
}

/**
 * All places, in order. Without any the monitor is on standard input and output, since there is no display that QEMU
 * would put it on; with `-nodefaults` there is none. A daemon has no standard input and output.
 */
export function findEndpoints(
  settings: Settings,
  warn: (text: string, origin?: string) => void,
): PlacedMonitor[] {
  const { monitors, chardevs, nodefaults, nographic } = settings;
  const isDaemon = settings.daemonOrigin !== undefined;
  if (isDaemon) refuseStdio(settings);
  if (monitors.length === 0) return isDaemon || nodefaults && !nographic ? [] : [{ endpoint: { kind: "stdio" } }];
  const endpoints: PlacedMonitor[] = [];
  for (const { origin, text, control } of monitors) {
    const id = /^chardev:(.*)$/s.exec(text)?.[1];
    const place = id === undefined ? text : chardevs.get(id)?.text;
    if (place === undefined) {
      settings.lateFailure ??= new CommandLineError(`chardev "${id}" not found`, origin);
      continue;
    }
    const endpoint = parse(place, origin, warn, control !== undefined && id === undefined);
    if (endpoint.kind === "stdio" && endpoints.some((other) => other.endpoint.kind === "stdio")) {
      throw new CommandLineError("cannot use stdio by multiple character devices", origin);
    }
    endpoints.push(control === undefined ? { endpoint, origin } : { endpoint, origin, control });
  }
  return endpoints;
}

/** @throws CommandLineError where a daemon is asked to talk on its terminal */
function refuseStdio({ monitors, chardevs, nographic }: Settings): void {
  if (nographic) {
    const advice = "Use -display none, and -monitor unix:PATH,server=on,wait=off to talk to it.";
    throw new CommandLineError("-nographic cannot be used with -daemonize", undefined, undefined, { advice });
  }
  for (const { origin, text } of [...chardevs.values(), ...monitors]) {
    if (text !== "stdio") continue;
    const advice = "Use unix:PATH,server=on,wait=off instead of stdio.";
    const [, port] = /^--?(serial|parallel) /.exec(origin) ?? [];
    const second = `${origin}: could not connect ${port} device to character backend 'mon:stdio'`;
    throw new CommandLineError("cannot use stdio with -daemonize", origin, port && second, { advice });
  }
}

function parse(
  text: string,
  origin: string,
  warn: (text: string, origin?: string) => void,
  mustBePlace: boolean,
): Endpoint {
  try {
    // A prompt may be nowhere; for the protocol that is no character device.
    if (mustBePlace && text === "none") throw notADevice(text);
    return parseEndpoint(text);
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    for (const line of error.preceding) warn(line, origin);
    throw new CommandLineError(error.message, origin, error.hint);
  }
}
