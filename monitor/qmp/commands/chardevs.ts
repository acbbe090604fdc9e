/**
 * Character devices: made, changed, taken away, listed; and the ring buffers among them read and written.
 *
 * Source: qapi/char.json.
 *
 * @module
 */
import {
  absentKind,
  type CharBackend,
  CHARDEV_KINDS,
  ChardevError,
  type ChardevKind,
  type ChardevSet,
  type ChardevWish,
  checkSocket,
  PtyChardev,
  RingChardev,
  type SocketAddress,
  type UdpWish,
} from "../../../machine/mod.ts";
import { deviceNotFound, MonitorError } from "../../errors.ts";
import { empty, type Infer, int, list, oneOf, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { chardevBackend, chardevInfo, type legacyAddress } from "../types/chardev.ts";

type Backend = Infer<typeof chardevBackend>;
type SocketData = Extract<Backend, { type: "socket" }>["data"];

/** What `backend` asks for. @throws {ChardevError} for what moa has not */
function wishOf(backend: Backend): ChardevWish {
  const { logfile, logappend = false } = backend.data;
  return {
    device: kindOf(backend),
    mux: false,
    ...(logfile === undefined ? {} : { log: { filename: logfile, append: logappend } }),
  };
}

function kindOf(backend: Backend): ChardevKind {
  switch (backend.type) {
    case "null":
    case "pty":
    case "vc":
      return { kind: backend.type };
    case "stdio":
      return { kind: "stdio", signal: backend.data.signal ?? true };
    case "ringbuf":
    case "memory":
      return { kind: backend.type, sizeBytes: backend.data.size ?? 65536 };
    case "file": {
      const { in: input, out, append = false } = backend.data;
      return { kind: "file", filename: out, append, ...(input === undefined ? {} : { input }) };
    }
    case "pipe":
      return { kind: "pipe", path: backend.data.device };
    case "serial":
      return { kind: "serial", path: backend.data.device };
    case "mux":
      return { kind: "mux", base: backend.data.chardev };
    case "socket":
      return { kind: "socket", socket: socketOf(backend.data) };
    case "udp":
      return { kind: "udp", udp: udpOf(backend.data) };
    default:
      throw absentKind(backend.type);
  }
}

function socketOf(data: SocketData) {
  const creds = data["tls-creds"];
  if (creds !== undefined) throw new ChardevError(`No TLS credentials with id '${creds}'`);
  return checkSocket({
    address: addressOf(data.addr),
    server: data.server ?? true,
    wait: data.wait,
    telnet: data.telnet ?? false,
    tn3270: data.tn3270 ?? false,
    websocket: data.websocket ?? false,
    reconnectSeconds: data.reconnect ?? 0,
  });
}

function udpOf({ remote, local }: Extract<Backend, { type: "udp" }>["data"]): UdpWish {
  const inetOf = (address: Infer<typeof legacyAddress>) => {
    if (address.type !== "inet") throw new ChardevError("socket type unsupported for datagram");
    return { transport: "tcp", hostname: address.data.host, port: address.data.port } as const;
  };
  return { remote: inetOf(remote), ...(local === undefined ? {} : { local: inetOf(local) }) };
}

function addressOf(address: Infer<typeof legacyAddress>): SocketAddress {
  switch (address.type) {
    case "unix":
      return {
        transport: "unix",
        path: address.data.path,
        ...(address.data.abstract ? { abstract: { tight: address.data.tight ?? true } } : {}),
      };
    case "inet": {
      const { host, port, to } = address.data;
      return { transport: "tcp", hostname: host, port, ...(to === undefined ? {} : { to }) };
    }
    case "fd":
      // Here the name is one that `getfd` gave, and descriptors cannot be received.
      throw new ChardevError(`File descriptor named '${address.data.str}' has not been found`);
    case "vsock":
      throw new ChardevError("there are no vsock sockets in moa");
  }
}

/** What is answered; QEMU says before an error which device could not be made. */
async function added(id: string, work: () => Promise<CharBackend>): Promise<{ readonly pty?: string }> {
  try {
    const device = await work();
    return device instanceof PtyChardev ? { pty: device.path } : {};
  } catch (error) {
    if (!(error instanceof ChardevError)) throw error;
    const whole = /^Chardev |^Mux device /.test(error.message);
    throw whole ? error : new MonitorError(`Failed to add chardev '${id}': ${error.message}`, { cause: error });
  }
}

/** A socket that waits would hold up everybody: it may come to that before the machine starts only. */
function withoutWait(wish: ChardevWish): ChardevWish {
  const { device } = wish;
  return device.kind === "socket"
    ? { ...wish, device: { ...device, socket: { ...device.socket, wait: false } } }
    : wish;
}

export const chardevAdd = qmpCommand({
  name: "chardev-add",
  summary: "Makes a character device.",
  data: struct({ id: str, backend: chardevBackend }),
  returns: struct({ pty: optional(str) }),
  async run({ chardevs }, { id, backend }) {
    return await added(id, () => chardevs.add(id, withoutWait(wishOf(backend))));
  },
});

export const chardevChange = qmpCommand({
  name: "chardev-change",
  summary: "Puts another character device in the place of one, under its frontend.",
  data: struct({ id: str, backend: chardevBackend }),
  returns: struct({ pty: optional(str) }),
  async run({ chardevs }, { id, backend }) {
    return await added(id, () => chardevs.change(id, withoutWait(wishOf(backend))));
  },
});

export const chardevRemove = qmpCommand({
  name: "chardev-remove",
  summary: "Takes away a character device that nobody uses.",
  data: struct({ id: str }),
  run: ({ chardevs }, { id }) => chardevs.remove(id),
});

export const chardevSendBreak = qmpCommand({
  name: "chardev-send-break",
  summary: "Tells a device's frontend of a break condition.",
  data: struct({ id: str }),
  run: ({ chardevs }, { id }) => chardevs.get(id).injectBreak(),
});

export const queryChardev = qmpCommand({
  name: "query-chardev",
  summary: "All character devices.",
  data: empty,
  returns: list(chardevInfo),
  run: ({ chardevs }) => chardevInfos(chardevs),
});

/** What `info chardev` and `query-chardev` tell, the youngest first. */
export function chardevInfos(chardevs: ChardevSet): Infer<typeof chardevInfo>[] {
  return chardevs.list.toReversed().map(({ label, filename, frontendOpen }) => ({
    label,
    filename,
    "frontend-open": frontendOpen,
  }));
}

export const queryChardevBackends = qmpCommand({
  name: "query-chardev-backends",
  summary: "The kinds of character device that there are.",
  data: empty,
  returns: list(struct({ name: str })),
  run: () => CHARDEV_KINDS.map((name) => ({ name })),
});

const format = oneOf("utf8", "base64");

/** The ring buffer of that id. @throws {MonitorError} */
export function ringNamed(chardevs: ChardevSet, id: string): RingChardev {
  const device = chardevs.find(id);
  if (device === undefined) throw new MonitorError(deviceNotFound(id).message);
  if (!(device instanceof RingChardev)) throw new MonitorError(`${id} is not a ringbuf device`);
  return device;
}

export const ringbufRead = qmpCommand({
  name: "ringbuf-read",
  summary: "Takes the oldest bytes out of a ring buffer.",
  data: struct({ device: str, size: int, format: optional(format) }),
  returns: str,
  run({ chardevs }, { device, size, format }) {
    const ring = ringNamed(chardevs, device);
    if (size <= 0) throw new MonitorError("size must be greater than zero");
    const bytes = ring.take(size);
    return format === "base64" ? btoa(String.fromCharCode(...bytes)) : new TextDecoder().decode(bytes);
  },
});

export const ringbufWrite = qmpCommand({
  name: "ringbuf-write",
  summary: "Writes into a ring buffer.",
  data: struct({ device: str, data: str, format: optional(format) }),
  run({ chardevs }, { device, data, format }) {
    const ring = ringNamed(chardevs, device);
    ring.put(format === "base64" ? fromBase64(data) : new TextEncoder().encode(data));
  },
});

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new MonitorError("Base64 data contains invalid characters");
  }
}
