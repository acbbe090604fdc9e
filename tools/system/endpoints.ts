/**
 * From `-monitor`, `-mon` and the defaults to the places where monitors are opened.
 *
 * @module
 */
import { type Endpoint, MonitorError, parseEndpoint } from "../../monitor/mod.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

/**
 * All places, in order. Without any the monitor is on standard input and output, since there is no display that QEMU
 * would put it on; with `-nodefaults` there is none.
 */
export function findEndpoints(
  settings: Settings,
  messages: { warn(text: string, origin?: string): void },
): Endpoint[] {
  const { monitors, chardevs, nodefaults, nographic } = settings;
  if (monitors.length === 0) return nodefaults && !nographic ? [] : [{ kind: "stdio" }];
  const endpoints: Endpoint[] = [];
  for (const { origin, text } of monitors) {
    const id = /^chardev:(.*)$/s.exec(text)?.[1];
    const place = id === undefined ? text : chardevs.get(id);
    if (place === undefined) {
      settings.lateFailure ??= new CommandLineError(`chardev "${id}" not found`, origin);
      continue;
    }
    const endpoint = parse(place, origin, messages);
    if (endpoint.kind === "stdio" && endpoints.some(({ kind }) => kind === "stdio")) {
      throw new CommandLineError("cannot use stdio by multiple character devices", origin);
    }
    endpoints.push(endpoint);
  }
  return endpoints;
}

function parse(
  text: string,
  origin: string,
  messages: { warn(text: string, origin?: string): void },
): Endpoint {
  try {
    const { endpoint, warnings } = parseEndpoint(text);
    for (const warning of warnings) messages.warn(warning, origin);
    return endpoint;
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    if (/^[a-z]+$/.test(text)) messages.warn(`'${text}' is not a valid char driver`, origin);
    throw new CommandLineError(error.message, origin, error.hint);
  }
}
