/**
 * Opening sockets for character devices: listening, connecting, or taking over one that was inherited.
 *
 * Inherited sockets (`fd=N`) go through Node's sockets, which are loaded when one is asked for: Deno's own cannot be made
 * of a number.
 *
 * @module
 */
import { statDescriptor } from "../../base/host/files.ts";
import { hostLibrary } from "../../base/host/libc.ts";
import type { SocketAddress } from "./addresses.ts";
import { hostReason } from "../../base/errno.ts";
import { ChardevError } from "./errors.ts";

/** One connection. */
export interface Line {
  /** The next bytes; `undefined` at the end, however it came. */
  read(): Promise<Uint8Array | undefined>;
  /** @throws where nobody is there any more */
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
  /** `127.0.0.1:5000`, where the other side has a name. */
  readonly peer: string | undefined;
}

/** Where clients come. */
export interface Listener {
  /** Where it listens; with port 0 the one that was found. */
  readonly address: SocketAddress;
  /** The next client; `undefined` when it was closed. */
  accept(): Promise<Line | undefined>;
  close(): void;
}

const READ_BYTES = 32 * 1024;
/** What struct sockaddr_un has room for. */
const MAX_PATH_BYTES = 108;

/** A connection of Deno's as a line. */
function denoLine(connection: Deno.Conn): Line {
  const buffer = new Uint8Array(READ_BYTES);
  const { remoteAddr } = connection;
  let closed = false;
  return {
    peer: remoteAddr.transport === "tcp" ? `${remoteAddr.hostname}:${remoteAddr.port}` : undefined,
    async read() {
      const count = closed ? null : await connection.read(buffer).catch(() => null);
      return count === null ? undefined : buffer.slice(0, count);
    },
    async write(bytes) {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    },
    close() {
      if (closed) return;
      closed = true;
      connection.close();
    },
  };
}

/** Listens. @throws {ChardevError} */
export async function listen(address: SocketAddress): Promise<Listener> {
  if (address.transport === "fd") return await inheritedListener(address.descriptor);
  if (address.transport === "unix") {
    const path = unixPath(address);
    if (address.abstract === undefined) removeStale(path);
    return denoListener(await opening(address, "bind", () => Deno.listen({ transport: "unix", path })), address);
  }
  const first = portNumber(address);
  const last = Math.max(first, address.to ?? first);
  for (let port = first;; port++) {
    try {
      return denoListener(Deno.listen({ hostname: address.hostname || "0.0.0.0", port }), address);
    } catch (error) {
      if (port < last && error instanceof Deno.errors.AddrInUse) continue;
      throw socketError(address, "bind", error);
    }
  }
}

function denoListener(listener: Deno.Listener, address: SocketAddress): Listener {
  const { addr } = listener;
  let closed = false;
  return {
    address: addr.transport === "tcp"
      ? { transport: "tcp", hostname: addr.hostname, port: String(addr.port) }
      : address,
    async accept() {
      for (;;) {
        try {
          return denoLine(await listener.accept());
        } catch {
          // It was closed; or one client went before it was taken, then the next one may come.
          if (closed) return undefined;
        }
      }
    },
    close() {
      if (closed) return;
      closed = true;
      listener.close();
      if (address.transport === "unix" && address.abstract === undefined) removeStale(address.path);
    },
  };
}

/** As the system has it: an abstract name begins with a zero byte. @throws {ChardevError} where it is too long */
function unixPath({ path, abstract }: SocketAddress & { transport: "unix" }): string {
  const room = abstract === undefined ? MAX_PATH_BYTES : MAX_PATH_BYTES - 1;
  if (new TextEncoder().encode(path).length > MAX_PATH_BYTES - 1) {
    const hint = `Path must be less than ${room} bytes`;
    throw new ChardevError(`UNIX socket path '${path}' is too long`, { hint });
  }
  if (abstract === undefined) return path;
  return abstract.tight ? `\0${path}` : `\0${path}`.padEnd(MAX_PATH_BYTES, "\0");
}

/** A socket that an earlier run left is replaced; any other file stays. */
function removeStale(path: string): void {
  try {
    if (Deno.lstatSync(path).isSocket) Deno.removeSync(path);
  } catch {
    // It is not there, or may not be looked at: binding will say so.
  }
}

/** Connects. @throws {ChardevError} */
export async function connect(address: SocketAddress): Promise<Line> {
  switch (address.transport) {
    case "fd":
      return await inheritedLine(address.descriptor);
    case "unix": {
      const path = unixPath(address);
      return denoLine(await opening(address, "connect", () => Deno.connect({ transport: "unix", path })));
    }
    case "tcp": {
      const port = portNumber(address);
      if (address.hostname === "") throw unresolved(address, "Name or service not known");
      // Deno takes it for no port at all.
      if (port === 0) throw new ChardevError(`Failed to connect to '${address.hostname}:0': Connection refused`);
      return denoLine(await opening(address, "connect", () => Deno.connect({ hostname: address.hostname, port })));
    }
  }
}

async function opening<T>(address: SocketAddress, verb: "bind" | "connect", open: () => Promise<T> | T): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw socketError(address, verb, error);
  }
}

/** What a host's name stands for. @throws {ChardevError} */
export async function numericAddress(
  address: SocketAddress & { transport: "tcp" },
): Promise<{ readonly address: string; readonly family: number }> {
  const { lookup } = await import("node:dns/promises");
  try {
    return await lookup(address.hostname);
  } catch (error) {
    const isUnknown = (error as { readonly code?: unknown }).code === "ENOTFOUND";
    throw unresolved(address, isUnknown ? "Name or service not known" : hostReason(error), error);
  }
}

/** Ports above 65535 go around, as in QEMU. */
export function portNumber(address: SocketAddress & { transport: "tcp" }): number {
  if (!/^\d{1,9}$/.test(address.port)) throw unresolved(address, "Servname not supported for ai_socktype");
  return Number(address.port) % 0x10000;
}

/** A name that means nothing. */
export function unresolved(
  address: SocketAddress & { transport: "tcp" },
  reason: string,
  cause?: unknown,
): ChardevError {
  return new ChardevError(`address resolution failed for ${address.hostname}:${address.port}: ${reason}`, { cause });
}

function socketError(address: SocketAddress, verb: "bind" | "connect", error: unknown): ChardevError {
  if (address.transport === "fd") return new ChardevError(hostReason(error), { cause: error });
  const reason = hostReason(error);
  if (address.transport === "unix") {
    const { path } = address;
    const what = verb === "bind" ? `Failed to bind socket to ${path}` : `Failed to connect to '${path}'`;
    return new ChardevError(`${what}: ${reason}`, { cause: error });
  }
  const lookup = /failed to lookup address information: (.*)/.exec(reason)?.[1];
  if (lookup !== undefined) return unresolved(address, lookup, error);
  const what = verb === "bind"
    ? "Failed to find an available port"
    : `Failed to connect to '${address.hostname}:${address.port}'`;
  return new ChardevError(`${what}: ${reason}`, { cause: error });
}

type NodeSocket = import("node:net").Socket;

/** @throws {ChardevError} `File descriptor '3' is not a socket` */
function checkSocket(descriptor: number): void {
  const host = hostLibrary();
  // Without the library, opening it will show.
  if (host === undefined) return;
  const status = statDescriptor(host, descriptor);
  if (typeof status !== "number" && status.kind === "socket") return;
  throw new ChardevError(`File descriptor '${descriptor}' is not a socket`);
}

async function inheritedLine(descriptor: number): Promise<Line> {
  checkSocket(descriptor);
  const { Socket } = await import("node:net");
  try {
    return nodeLine(new Socket({ fd: descriptor }));
  } catch (error) {
    throw new ChardevError(`File descriptor '${descriptor}' is not a socket`, { cause: error });
  }
}

/** A socket of Node's as a line. */
function nodeLine(socket: NodeSocket): Line {
  const waiting: Uint8Array[] = [];
  let ended = false;
  let wake = () => {};
  const end = () => {
    ended = true;
    wake();
  };
  socket.on("data", (chunk: Uint8Array) => {
    waiting.push(chunk);
    socket.pause();
    wake();
  });
  socket.on("end", end).on("close", end).on("error", end);
  return {
    peer: socket.remoteAddress === undefined ? undefined : `${socket.remoteAddress}:${socket.remotePort}`,
    async read() {
      if (waiting.length === 0 && !ended) {
        socket.resume();
        await new Promise<void>((resolve) => wake = resolve);
      }
      return waiting.shift();
    },
    write(bytes) {
      return new Promise((resolve, reject) => {
        if (ended) reject(new ChardevError("nobody is there"));
        else socket.write(bytes, (error) => error ? reject(error) : resolve());
      });
    },
    close: () => void socket.destroy(),
  };
}

async function inheritedListener(descriptor: number): Promise<Listener> {
  checkSocket(descriptor);
  const { createServer } = await import("node:net");
  const waiting: NodeSocket[] = [];
  let closed = false;
  let wake = () => {};
  const server = createServer((socket) => {
    socket.pause();
    waiting.push(socket);
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(new ChardevError(hostReason(error), { cause: error })));
    server.listen({ fd: descriptor }, resolve);
  });
  return {
    address: { transport: "fd", descriptor },
    async accept() {
      while (waiting.length === 0 && !closed) await new Promise<void>((resolve) => wake = resolve);
      const socket = waiting.shift();
      return socket === undefined ? undefined : nodeLine(socket);
    },
    close() {
      closed = true;
      server.close();
      for (const socket of waiting.splice(0)) socket.destroy();
      wake();
    },
  };
}
