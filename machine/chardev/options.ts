/**
 * Character devices as they are wanted, and how option strings and short forms (`unix:PATH,server=on`) become that.
 *
 * Source: QEMU's documentation of `-chardev`; the texts are 7.2's.
 *
 * @module
 */
import { badIdentifier, isIdentifier, OptionError, QemuOpts, type QemuOptTable } from "../../base/keyval.ts";
import type { SocketAddress } from "./addresses.ts";
import { ChardevError } from "./errors.ts";
import type { SocketWish } from "./socket.ts";
import type { UdpWish } from "./udp.ts";

/** What a device is to be. */
export type ChardevKind =
  | { readonly kind: "null" | "vc" | "pty" }
  | { readonly kind: "stdio"; readonly signal: boolean }
  | { readonly kind: "ringbuf" | "memory"; readonly sizeBytes: number }
  | { readonly kind: "file"; readonly filename: string; readonly append: boolean; readonly input?: string }
  | { readonly kind: "pipe" | "serial"; readonly path: string }
  | { readonly kind: "socket"; readonly socket: SocketWish }
  | { readonly kind: "udp"; readonly udp: UdpWish }
  | { readonly kind: "mux"; readonly base: string };

/** A device, its log, and whether several frontends share it. */
export interface ChardevWish {
  readonly device: ChardevKind;
  readonly log?: { readonly filename: string; readonly append: boolean };
  readonly mux: boolean;
}

/** The kinds that moa has, as `-chardev help` lists them. */
export const CHARDEV_KINDS = [
  ...["file", "memory", "mux", "null", "pipe", "pty", "ringbuf", "serial", "socket", "stdio", "udp"] as const,
  ...["vc"] as const,
];

/** Kinds that QEMU has and moa has not, and why. */
const ABSENT: Readonly<Record<string, string>> = {
  parallel: "the host's parallel ports cannot be reached from here",
  parport: "the host's parallel ports cannot be reached from here",
  msmouse: "there is no serial mouse",
  wctablet: "there is no serial tablet",
  braille: "there is no braille display",
  testdev: "there is no such device",
  spicevmc: "there is no SPICE",
  spiceport: "there is no SPICE",
  "qemu-vdagent": "there is no agent channel",
  dbus: "there is no D-Bus display",
};
const NEEDS: Readonly<Record<string, readonly [option: string, message: string]>> = {
  parallel: ["path", "chardev: parallel: no device path given"],
  parport: ["path", "chardev: parallel: no device path given"],
};

/** That `kind` is not here; QEMU's words where it has no such kind either. */
export function absentKind(kind: string): ChardevError {
  const reason = Object.hasOwn(ABSENT, kind) ? ABSENT[kind] : undefined;
  return new ChardevError(
    reason === undefined
      ? `'${kind}' is not a valid char driver name`
      : `there is no '${kind}' chardev in moa: ${reason}`,
  );
}

/** What `-chardev` takes, whatever the kind. */
export const CHARDEV_OPTIONS: QemuOptTable = {
  ...strings("backend path host port fd localaddr localport tls-creds tls-authz chardev name logfile"),
  ...bools("ipv4 ipv6 wait server delay nodelay telnet tn3270 websocket mux signal append logappend abstract tight"),
  ...bools("mouse clipboard"),
  ...numbers("to reconnect width height cols rows debug"),
  size: "size",
};

function strings(names: string): Record<string, "string"> {
  return Object.fromEntries(names.split(" ").map((name) => [name, "string"]));
}

function bools(names: string): Record<string, "bool"> {
  return Object.fromEntries(names.split(" ").map((name) => [name, "bool"]));
}

function numbers(names: string): Record<string, "number"> {
  return Object.fromEntries(names.split(" ").map((name) => [name, "number"]));
}

/** What follows `-chardev`. @throws {OptionError} for its syntax, {@link ChardevError} for the rest */
export function parseChardev(text: string): { readonly id: string; readonly wish: ChardevWish } {
  const opts = QemuOpts.parse(text, { impliedKey: "backend", table: CHARDEV_OPTIONS });
  return { id: idOf(opts), wish: wishOf(opts) };
}

/** The id alone, which is looked at before anything else. */
function idOf(opts: QemuOpts): string {
  const backend = nowCalled(opts.get("backend") ?? "");
  const { id } = opts;
  if (id !== undefined && !isIdentifier(id)) throw badIdentifier("id");
  if (!isKind(backend) && !Object.hasOwn(ABSENT, backend)) throw absentKind(backend);
  if (id === undefined) throw new ChardevError("chardev: no id specified");
  return id;
}

/** `tty` is an old name. */
function nowCalled(kind: string): string {
  return kind === "tty" ? "serial" : kind;
}

function isKind(kind: string): kind is (typeof CHARDEV_KINDS)[number] {
  return (CHARDEV_KINDS as readonly string[]).includes(kind);
}

function wishOf(opts: QemuOpts): ChardevWish {
  const logfile = opts.get("logfile");
  return {
    device: deviceOf(opts),
    mux: opts.getBool("mux") ?? false,
    ...(logfile === undefined ? {} : { log: { filename: logfile, append: opts.getBool("logappend") ?? false } }),
  };
}

function deviceOf(opts: QemuOpts): ChardevKind {
  const kind = nowCalled(opts.get("backend") ?? "");
  const [option, missing] = Object.hasOwn(NEEDS, kind) ? NEEDS[kind]! : [];
  if (option !== undefined && opts.get(option) === undefined) throw new ChardevError(missing!);
  if (!isKind(kind)) throw absentKind(kind);
  const path = opts.get("path");
  switch (kind) {
    case "null":
    case "vc":
    case "pty":
      return { kind };
    case "stdio":
      return { kind, signal: opts.getBool("signal") ?? true };
    case "ringbuf":
    case "memory":
      return { kind, sizeBytes: opts.getSize("size") ?? 65536 };
    case "file":
      if (path === undefined) throw new ChardevError("chardev: file: no filename given");
      return { kind, filename: path, append: opts.getBool("append") ?? false };
    case "pipe":
      if (path === undefined) throw new ChardevError("chardev: pipe: no device path given");
      return { kind, path };
    case "serial":
      if (path === undefined) throw new ChardevError("chardev: serial/tty: no device path given");
      return { kind, path };
    case "mux": {
      const base = opts.get("chardev");
      if (base === undefined) throw new ChardevError("chardev: mux: no chardev given");
      return { kind, base };
    }
    case "socket":
      return { kind, socket: socketOf(opts) };
    case "udp":
      return { kind, udp: udpOf(opts) };
  }
}

function udpOf(opts: QemuOpts): UdpWish {
  const port = opts.get("port") ?? "";
  if (port === "") throw new ChardevError("chardev: udp: remote port not specified");
  const remote = { transport: "tcp", hostname: opts.get("host") || "localhost", port } as const;
  if (!opts.has("localaddr") && !opts.has("localport")) return { remote };
  const [hostname, own] = [opts.get("localaddr") ?? "", opts.get("localport") || "0"];
  return { remote, local: { transport: "tcp", hostname, port: own } };
}

function socketOf(opts: QemuOpts): SocketWish {
  const given = ["path", "host", "fd"].filter((name) =>
    (opts.get(name) ?? "") !== "" || (name === "host" && opts.has(name))
  );
  if (given.length > 1) throw new ChardevError("None or one of 'path', 'fd' or 'host' option required.");
  const [place] = given;
  if (place === "host" && !opts.has("port")) throw new ChardevError("chardev: socket: no port given");
  if (opts.has("tls-creds")) throw new ChardevError(`No TLS credentials with id '${opts.get("tls-creds")}'`);
  return checkSocket({
    address: addressOf(opts, place),
    server: opts.getBool("server") ?? false,
    wait: opts.getBool("wait"),
    telnet: opts.getBool("telnet") ?? false,
    tn3270: opts.getBool("tn3270") ?? false,
    websocket: opts.getBool("websocket") ?? false,
    reconnectSeconds: opts.getNumber("reconnect") ?? 0,
  });
}

/** A socket's options before they are checked against each other. */
export interface SocketRequest extends Omit<SocketWish, "wait"> {
  readonly wait: boolean | undefined;
  readonly tn3270: boolean;
}

/** What goes together. @throws {ChardevError} */
export function checkSocket(request: SocketRequest): SocketWish {
  const { address, server, telnet, reconnectSeconds } = request;
  if (server && reconnectSeconds > 0) {
    throw new ChardevError("'reconnect' option is incompatible with socket in server listen mode");
  }
  if (!server && request.websocket) throw new ChardevError("Websocket client is not implemented");
  if (!server && request.wait !== undefined) {
    throw new ChardevError("'wait' option is incompatible with socket in client connect mode");
  }
  if (request.tn3270) throw new ChardevError("there is no 3270 terminal in moa");
  const { websocket } = request;
  return { address, server, telnet, websocket, reconnectSeconds, wait: server && (request.wait ?? true) };
}

function addressOf(opts: QemuOpts, place: string | undefined): SocketAddress {
  if (place === "path") {
    const path = opts.get("path")!;
    if (!(opts.getBool("abstract") ?? false)) return { transport: "unix", path };
    return { transport: "unix", path, abstract: { tight: opts.getBool("tight") ?? true } };
  }
  if (place === "host" || opts.has("port")) {
    const to = opts.getNumber("to");
    return {
      transport: "tcp",
      hostname: opts.get("host") ?? "",
      port: opts.get("port")!,
      ...(to === undefined ? {} : { to }),
    };
  }
  return { transport: "fd", descriptor: descriptorOf(opts.get("fd") ?? "") };
}

/** The number of an inherited descriptor. @throws {ChardevError} */
export function descriptorOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ChardevError(`Unable to parse FD number ${text}`);
  return Number(text);
}

/**
 * The short form behind `-serial`, `-monitor` and `-qmp`. `mon:` in front says that the prompt shares the device.
 * @throws {ChardevError} with what QEMU says before it in `preceding`
 */
export function parseShortForm(text: string): ChardevWish {
  if (text.startsWith("mon:")) {
    const wish = parseShortForm(text.slice("mon:".length));
    const { device } = wish;
    // Ctrl-C is for the guest.
    return { ...wish, mux: true, device: device.kind === "stdio" ? { ...device, signal: false } : device };
  }
  try {
    return wishOf(QemuOpts.parse(pairsText(text), { impliedKey: "backend", table: CHARDEV_OPTIONS }));
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new ChardevError(`parse error: ${text}`, { preceding: [error.message] });
  }
}

/** Short words for whole options. */
const WORDS: Readonly<Record<string, string>> = {
  null: "null",
  pty: "pty",
  stdio: "stdio",
  msmouse: "msmouse",
  wctablet: "wctablet",
  braille: "braille",
  testdev: "testdev",
};

/** The same in `-chardev`'s words. */
function pairsText(text: string): string {
  if (Object.hasOwn(WORDS, text)) return WORDS[text]!;
  const [, prefix = "", rest = ""] = /^([a-z0-9-]+):(.*)$/s.exec(text) ?? [];
  switch (prefix) {
    case "file":
      return `file,path=${rest}`;
    case "pipe":
      return `pipe,path=${rest}`;
    case "unix":
      return `socket,path=${rest}`;
    case "tcp":
    case "telnet":
    case "tn3270":
    case "websocket":
      return `socket,${hostAndPort(rest, text)}${prefix === "tcp" ? "" : `,${prefix}=on`}`;
    case "udp":
      return udpText(rest, text);
    case "con":
      return "console";
    case "vc":
      if (!/^\d+C?x\d+C?$/.test(rest)) throw new ChardevError(`parse error: ${text}`);
      return "vc";
  }
  if (text === "vc") return "vc";
  if (/^\/dev\/(parport|ppi)/.test(text)) return "parallel,path=x";
  if (text.startsWith("/dev/")) return `serial,path=${text}`;
  throw new ChardevError(`parse error: ${text}`, { preceding: [`'${text}' is not a valid char driver`] });
}

/** `HOST:PORT@LOCALADDR:LOCALPORT`; what follows is not looked at. */
function udpText(rest: string, text: string): string {
  const match = /^([^:]{0,64}):([^@,]{1,32})(?:@([^:]{0,64}):([^,]{1,32}))?/s.exec(rest);
  if (match === null || rest[match[0].length] === "@") throw new ChardevError(`parse error: ${text}`);
  const [, host = "", port = "", localaddr, localport] = match;
  return `udp,host=${host},port=${port}${
    localport === undefined ? "" : `,localaddr=${localaddr},localport=${localport}`
  }`;
}

function hostAndPort(rest: string, text: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:,]*)):([^,]+)(,.*)?$/s.exec(rest);
  if (match === null) throw new ChardevError(`parse error: ${text}`);
  return `host=${match[1] ?? match[2] ?? ""},port=${match[3]}${match[4] ?? ""}`;
}
