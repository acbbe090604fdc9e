/**
 * Sockets as channels: a server takes one client after the other, a client connects once.
 *
 * While somebody talks, others wait in the kernel's queue, as with QEMU's character devices.
 *
 * @module
 */
import { MonitorError } from "../errors.ts";
import type { Channel } from "./channel.ts";
import type { SocketAddress, SocketEndpoint } from "./endpoint.ts";

/** Serves one who came; resolves when that one has gone. */
export type ServeClient = (channel: Channel) => Promise<void>;

/** An open socket endpoint. */
export interface OpenSocket extends AsyncDisposable {
  /** Resolves when the first client is there. */
  readonly firstClient: Promise<void>;
  /** Where it listens; with port 0 the one that was found. `undefined` for a client. */
  readonly address: SocketAddress | undefined;
}

/** Opens `endpoint`. @throws MonitorError where the socket cannot be had */
export async function openSocket(endpoint: SocketEndpoint, serve: ServeClient): Promise<OpenSocket> {
  if (!endpoint.server) {
    const connection = await connect(endpoint.address);
    const channel = connectionChannel(connection);
    const ended = serve(channel);
    return {
      firstClient: Promise.resolve(),
      address: undefined,
      [Symbol.asyncDispose]: async () => {
        channel.close();
        await ended;
      },
    };
  }
  return new Server(listen(endpoint.address), endpoint.address, serve);
}

class Server implements OpenSocket {
  readonly firstClient: Promise<void>;
  readonly address: SocketAddress;
  readonly #listener: Deno.Listener;
  readonly #path: string | undefined;
  readonly #ended: Promise<void>;
  #came: () => void = () => {};
  #current: Channel | undefined;
  #closed = false;

  constructor(listener: Deno.Listener, address: SocketAddress, serve: ServeClient) {
    this.#listener = listener;
    this.#path = address.transport === "unix" ? address.path : undefined;
    const bound = listener.addr;
    this.address = bound.transport === "tcp"
      ? { transport: "tcp", hostname: bound.hostname, port: bound.port }
      : address;
    this.firstClient = new Promise((resolve) => this.#came = resolve);
    this.#ended = this.#accept(serve);
  }

  async #accept(serve: ServeClient): Promise<void> {
    while (!this.#closed) {
      let connection: Deno.Conn;
      try {
        connection = await this.#listener.accept();
      } catch {
        // The listener was closed; or one client went before it was taken, then the next one may come.
        if (this.#closed) return;
        continue;
      }
      this.#came();
      this.#current = connectionChannel(connection);
      await serve(this.#current);
      this.#current = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    this.#current?.close();
    this.#came();
    await this.#ended;
    if (this.#path !== undefined) await Deno.remove(this.#path).catch(() => {});
  }
}

function listen(address: SocketAddress): Deno.Listener {
  try {
    if (address.transport === "tcp") {
      return Deno.listen({ hostname: address.hostname || "0.0.0.0", port: address.port });
    }
    removeStale(address.path);
    return Deno.listen({ transport: "unix", path: address.path });
  } catch (error) {
    throw socketError(address, "bind", error);
  }
}

/** A socket that an earlier run left is replaced; any other file stays. */
function removeStale(path: string): void {
  try {
    if (Deno.lstatSync(path).isSocket) Deno.removeSync(path);
  } catch {
    // It is not there, or may not be looked at: binding will say so.
  }
}

async function connect(address: SocketAddress): Promise<Deno.Conn> {
  if (address.transport === "tcp" && address.hostname === "") {
    throw new MonitorError(`address resolution failed for :${address.port}: Name or service not known`);
  }
  try {
    return address.transport === "tcp"
      ? await Deno.connect({ hostname: address.hostname, port: address.port })
      : await Deno.connect({ transport: "unix", path: address.path });
  } catch (error) {
    throw socketError(address, "connect", error);
  }
}

function socketError(address: SocketAddress, verb: "bind" | "connect", error: unknown): MonitorError {
  const reason = error instanceof Error ? hostReason(error) : String(error);
  if (address.transport === "unix") {
    return new MonitorError(
      verb === "bind"
        ? `Failed to bind socket to ${address.path}: ${reason}`
        : `Failed to connect to '${address.path}': ${reason}`,
      { cause: error },
    );
  }
  const place = `${address.hostname}:${address.port}`;
  const unresolved = /failed to lookup address information: (.*)/.exec(reason)?.[1];
  if (unresolved !== undefined) {
    return new MonitorError(`address resolution failed for ${place}: ${unresolved}`, { cause: error });
  }
  return new MonitorError(
    verb === "bind" ? `Failed to find an available port: ${reason}` : `Failed to connect to '${place}': ${reason}`,
    { cause: error },
  );
}

/** `Connection refused (os error 111)` without its number. */
function hostReason(error: Error): string {
  return error.message.replace(/ \(os error \d+\).*$/s, "");
}

/** A connection as a channel. A client that went away is no error: what was for it is dropped. */
function connectionChannel(connection: Deno.Conn): Channel {
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    try {
      connection.close();
    } catch {
      // The stream closed it when the other side ended.
    }
  };
  return {
    readable: connection.readable,
    async write(bytes) {
      try {
        for (let at = 0; at < bytes.length && !closed;) at += await connection.write(bytes.subarray(at));
      } catch {
        close();
      }
    },
    close,
  };
}
