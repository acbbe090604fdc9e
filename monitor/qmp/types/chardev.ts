/**
 * Types of character devices.
 *
 * Source: qapi/char.json, qapi/sockets.json.
 *
 * @module
 */
import { bool, extend, int, oneOf, optional, str, struct, uint16, union } from "../../schema/qapi/types.ts";

const inet = struct({
  host: str,
  port: str,
  numeric: optional(bool),
  to: optional(uint16),
  ipv4: optional(bool),
  ipv6: optional(bool),
  "keep-alive": optional(bool),
  mptcp: optional(bool),
});
const unix = struct({ path: str, abstract: optional(bool), tight: optional(bool) });

/** QAPI's SocketAddressLegacy. */
export const legacyAddress = union(struct({ type: oneOf("inet", "unix", "vsock", "fd") }), "type", {
  inet: struct({ data: inet }),
  unix: struct({ data: unix }),
  vsock: struct({ data: struct({ cid: str, port: str }) }),
  fd: struct({ data: struct({ str }) }),
});

const common = struct({ logfile: optional(str), logappend: optional(bool) });
const host = struct({ data: extend(common, { device: str }) });
const nothing = struct({ data: common });

/** QAPI's ChardevBackend. */
export const chardevBackend = union(
  struct({
    type: oneOf(
      ...["file", "serial", "parallel", "pipe", "socket", "udp", "pty", "null", "mux", "msmouse", "wctablet"] as const,
      ...["braille", "testdev", "stdio", "console", "spicevmc", "spiceport", "qemu-vdagent", "dbus", "vc"] as const,
      ...["ringbuf", "memory"] as const,
    ),
  }),
  "type",
  {
    file: struct({ data: extend(common, { in: optional(str), out: str, append: optional(bool) }) }),
    serial: host,
    parallel: host,
    pipe: host,
    socket: struct({
      data: extend(common, {
        addr: legacyAddress,
        "tls-creds": optional(str),
        "tls-authz": optional(str),
        server: optional(bool),
        wait: optional(bool),
        nodelay: optional(bool),
        telnet: optional(bool),
        tn3270: optional(bool),
        websocket: optional(bool),
        reconnect: optional(int),
      }),
    }),
    udp: struct({ data: extend(common, { remote: legacyAddress, local: optional(legacyAddress) }) }),
    pty: nothing,
    null: nothing,
    mux: struct({ data: extend(common, { chardev: str }) }),
    msmouse: nothing,
    wctablet: nothing,
    braille: nothing,
    testdev: nothing,
    stdio: struct({ data: extend(common, { signal: optional(bool) }) }),
    console: nothing,
    spicevmc: struct({ data: extend(common, { type: str }) }),
    spiceport: struct({ data: extend(common, { fqdn: str }) }),
    "qemu-vdagent": struct({ data: extend(common, { mouse: optional(bool), clipboard: optional(bool) }) }),
    dbus: struct({ data: extend(common, { name: str }) }),
    vc: struct({
      data: extend(common, { width: optional(int), height: optional(int), cols: optional(int), rows: optional(int) }),
    }),
    ringbuf: struct({ data: extend(common, { size: optional(int) }) }),
    memory: struct({ data: extend(common, { size: optional(int) }) }),
  },
);

/** QAPI's ChardevInfo. */
export const chardevInfo = struct({ label: str, filename: str, "frontend-open": bool });
