/**
 * Where a monitor is to be: what follows `-monitor`, and the options of a character device behind it.
 *
 * Read: `stdio`, `none`, `null`, `unix:PATH[,OPTIONS]`, `tcp:HOST:PORT[,OPTIONS]`. Others that QEMU has are refused by
 * their names.
 *
 * @module
 */
import { OptionError, parseBool, parseOptionPairs } from "../../base/keyval.ts";
import { MonitorError } from "../errors.ts";

/** A monitor's place. */
export type Endpoint =
  | { readonly kind: "stdio" }
  /** Nobody can come. */
  | { readonly kind: "none" }
  | SocketEndpoint;

/** A socket, which moa opens (`server`) or connects to. */
export interface SocketEndpoint {
  readonly kind: "socket";
  readonly address: SocketAddress;
  readonly server: boolean;
  /** The machine does not start before the first client is there. */
  readonly wait: boolean;
}

/** Where a socket is. */
export type SocketAddress =
  | { readonly transport: "unix"; readonly path: string }
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number };

const ELSEWHERE = ["telnet", "websocket", "udp", "pty", "vc", "file", "pipe", "con", "fdset", "mon"];

/** Reads what follows `-monitor`. @throws MonitorError with QEMU's text */
export function parseEndpoint(text: string): Endpoint {
  if (text === "stdio") return { kind: "stdio" };
  if (text === "none" || text === "null") return { kind: "none" };
  const [, prefix = "", rest = ""] = /^([a-z]+):(.*)$/s.exec(text) ?? [];
  if (prefix === "unix" || prefix === "tcp") return parseSocket(prefix, rest, text);
  const name = /^[A-Za-z0-9]*/.exec(text)![0];
  if (ELSEWHERE.includes(name)) throw new MonitorError(`'${name}' is no place for a monitor here`);
  throw notADevice(text);
}

/** What QEMU says of a place that it knows nothing of. */
export function notADevice(text: string): MonitorError {
  return parseError(text, `'${text}' is not a valid char driver`);
}

/** QEMU tells what is wrong, then that it could not read the whole. */
function parseError(text: string, ...preceding: string[]): MonitorError {
  return new MonitorError(`parse error: ${text}`, { preceding });
}

function parseSocket(transport: "unix" | "tcp", rest: string, text: string): SocketEndpoint {
  const comma = transport === "unix" ? rest.indexOf(",") : rest.search(/,(?![^[]*\])/);
  const place = comma < 0 ? rest : rest.slice(0, comma);
  if (place === "" && transport === "unix") throw new MonitorError("Unable to parse FD number ");
  if (place === "") throw parseError(text);
  const address: SocketAddress = transport === "unix" ? { transport, path: place } : tcpAddress(place, text);
  const { server, wait } = readOptions(comma < 0 ? "" : rest.slice(comma + 1), text);
  return { kind: "socket", address, server, wait: server && wait };
}

function tcpAddress(place: string, text: string): SocketAddress {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([^:]+)$/.exec(place);
  if (match === null) throw parseError(text);
  const hostname = match[1] ?? match[2] ?? "";
  const port = /^\d+$/.test(match[3]!) ? Number(match[3]) : NaN;
  if (!(port <= 0xffff)) {
    throw new MonitorError(
      `address resolution failed for ${hostname}:${match[3]}: Servname not supported for ai_socktype`,
    );
  }
  return { transport: "tcp", hostname, port };
}

const KNOWN_OPTIONS = ["delay", "nodelay", "ipv4", "ipv6", "id", "mux", "to"];

/** `server,nowait`: options without a value are fine here, as they were for years. */
function readOptions(options: string, text: string): { server: boolean; wait: boolean } {
  let server = false;
  let wait = true;
  try {
    for (const { name, value } of parseOptionPairs(options).pairs) {
      if (name === "server") server = parseBool(value, name);
      else if (name === "wait") wait = parseBool(value, name);
      else if (!KNOWN_OPTIONS.includes(name)) throw parseError(text, `Invalid parameter '${name}'`);
    }
  } catch (error) {
    if (error instanceof OptionError) throw parseError(text, error.message);
    throw error;
  }
  return { server, wait };
}
