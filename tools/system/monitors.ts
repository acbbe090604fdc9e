/**
 * Where monitors are: `-monitor`, `-qmp`, and `-chardev` with `-mon`.
 *
 * @module
 */
import { parseBool, parseOptionPairs } from "../../base/keyval.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

const BACKENDS = [
  "null",
  "socket",
  "udp",
  "msmouse",
  "vc",
  "ringbuf",
  "file",
  "pipe",
  "pty",
  "stdio",
  "braille",
  "tty",
];
const MORE_BACKENDS = ["serial", "parport", "parallel", "spicevmc", "spiceport", "mux", "testdev", "wctablet"];

/** `-chardev`: kept under its id in the short form that `-monitor` takes. */
export function readChardev(text: string, origin: string, settings: Settings): void {
  const { pairs, helpWanted } = parseOptionPairs(text, "backend");
  const get = (wanted: string) => pairs.findLast(({ name }) => name === wanted)?.value;
  if (helpWanted) {
    settings.listing ??= { kind: "chardev" };
    return;
  }
  const backend = get("backend") ?? "";
  if (![...BACKENDS, ...MORE_BACKENDS].includes(backend)) {
    throw new CommandLineError(`'${backend}' is not a valid char driver name`);
  }
  const id = get("id");
  if (id === undefined) throw new CommandLineError("chardev: no id specified");
  if (settings.chardevs.has(id)) throw new CommandLineError(`Duplicate ID '${id}' for chardev`);
  settings.chardevs.set(id, { origin, text: shortForm(backend, get) });
}

function shortForm(backend: string, get: (name: string) => string | undefined): string {
  if (backend === "stdio" || backend === "null") return backend;
  if (backend !== "socket") throw new CommandLineError(`there is no character device '${backend}' in moa yet`);
  for (const name of ["fd", "telnet", "websocket", "reconnect", "tls-creds"]) {
    const value = get(name);
    if (value !== undefined && value !== "off") throw new CommandLineError(`'${name}' is not available in moa yet`);
  }
  const how = ["server", "wait"].flatMap((name) => {
    const value = get(name);
    return value === undefined ? [] : [`,${name}=${value}`];
  }).join("");
  const path = get("path");
  if (path !== undefined) return `unix:${path}${how}`;
  const port = get("port");
  if (port === undefined) throw new CommandLineError("chardev: socket: no path or port given");
  return `tcp:${get("host") ?? ""}:${port}${how}`;
}

/** `-mon`: a monitor on a character device. */
export function readMon(text: string, origin: string, settings: Settings): void {
  const { pairs } = parseOptionPairs(text, "chardev");
  const get = (wanted: string) => pairs.findLast(({ name }) => name === wanted)?.value;
  const unknown = pairs.find(({ name }) => !["id", "chardev", "mode", "pretty"].includes(name));
  if (unknown !== undefined) throw new CommandLineError(`Invalid parameter '${unknown.name}'`);
  const mode = get("mode") ?? "readline";
  if (mode !== "control" && mode !== "readline") {
    throw new CommandLineError(`Parameter 'mode' does not accept value '${mode}'`);
  }
  const pretty = parseBool(get("pretty") ?? "off", "pretty");
  if (pretty && mode === "readline") throw new CommandLineError("'pretty' is not compatible with HMP monitors");
  const wish = { origin, text: `chardev:${get("chardev") ?? ""}` };
  settings.monitors.push(mode === "control" ? { ...wish, control: { pretty } } : wish);
}
