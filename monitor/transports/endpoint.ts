/**
 * Where a monitor is to be: what follows `-monitor`, and the options of a character device behind it.
 *
 * Read: `stdio`, `none`, `null`, `unix:PATH[,OPTIONS]`, `tcp:HOST:PORT[,OPTIONS]`. Others that QEMU has are refused by
 * their names.
 *
 * @module
 */
import { parseBool, parseOptionPairs } from "../../base/keyval.ts";
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

/** Notes for the user, each one or more lines without the program's name. */
export interface ParsedEndpoint {
  readonly endpoint: Endpoint;
  readonly warnings: readonly string[];
}

const ELSEWHERE = ["telnet", "websocket", "udp", "pty", "vc", "file", "pipe", "con", "fdset", "mon"];

/** Reads what follows `-monitor`. @throws MonitorError with QEMU's text */
export function parseEndpoint(text: string): ParsedEndpoint {
  if (text === "stdio") return { endpoint: { kind: "stdio" }, warnings: [] };
  if (text === "none" || text === "null") return { endpoint: { kind: "none" }, warnings: [] };
  const [, prefix = "", rest = ""] = /^([a-z]+):(.*)$/s.exec(text) ?? [];
  if (prefix === "unix" || prefix === "tcp") return parseSocket(prefix, rest, text);
  const name = /^[A-Za-z0-9]*/.exec(text)![0];
  if (ELSEWHERE.includes(name)) throw new MonitorError(`'${name}' is no place for a monitor here`);
  throw new MonitorError(`parse error: ${text}`);
}

function parseSocket(transport: "unix" | "tcp", rest: string, text: string): ParsedEndpoint {
  const comma = transport === "unix" ? rest.indexOf(",") : rest.search(/,(?![^[]*\])/);
  const place = comma < 0 ? rest : rest.slice(0, comma);
  const options = readOptions(comma < 0 ? "" : rest.slice(comma + 1));
  if (place === "") throw new MonitorError(`parse error: ${text}`);
  const address: SocketAddress = transport === "unix" ? { transport, path: place } : tcpAddress(place, text);
  return {
    endpoint: { kind: "socket", address, server: options.server, wait: options.server && options.wait },
    warnings: options.warnings,
  };
}

function tcpAddress(place: string, text: string): SocketAddress {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(place);
  const port = Number(match?.[3] ?? "x");
  if (match === null || !(port <= 0xffff)) {
    throw new MonitorError(`error parsing address '${text.slice("tcp:".length)}'`);
  }
  return { transport: "tcp", hostname: match[1] ?? match[2] ?? "", port };
}

const KNOWN_OPTIONS = ["delay", "nodelay", "ipv4", "ipv6", "id", "mux", "to"];

function readOptions(text: string): { server: boolean; wait: boolean; warnings: readonly string[] } {
  let server = false;
  let wait = true;
  const { pairs, warnings } = parseOptionPairs(text);
  for (const { name, value } of pairs) {
    if (name === "server") server = parseBool(value, name);
    else if (name === "wait") wait = parseBool(value, name);
    else if (!KNOWN_OPTIONS.includes(name)) throw new MonitorError(`Invalid parameter '${name}'`);
  }
  return { server, wait, warnings: warnings.map((warning) => `warning: ${warning}`) };
}
