/**
 * `udp`: each piece of output is a datagram to one address; datagrams from there are input.
 *
 * There is no connection, so it is always open, and nobody knows whether anything arrives. Datagrams that come while
 * the frontend has no room are kept up to a limit, as in a socket's buffer, and dropped beyond it.
 *
 * Source: QEMU's documentation of `-chardev udp`; [RFC 768].
 *
 * @module
 */
import { KiB } from "../../base/units.ts";
import type { SocketAddress } from "./addresses.ts";
import { CharBackend } from "./backend.ts";
import { numericAddress, portNumber, unresolved } from "./dial.ts";
import { hostReason } from "../../base/errno.ts";
import { ChardevError } from "./errors.ts";
import { OutputQueue } from "./output_queue.ts";

type Socket = import("node:dgram").Socket;
type Inet = SocketAddress & { readonly transport: "tcp" };

/** Where datagrams go, and where they come in. */
export interface UdpWish {
  readonly remote: Inet;
  /** Any address, and a port that the system finds, where absent. */
  readonly local?: Inet;
}

const MAX_DATAGRAM_BYTES = 65507;
const MAX_WAITING_BYTES = 64 * KiB;

/** Datagrams as a character device. */
export class UdpChardev extends CharBackend {
  readonly kind = "udp";
  readonly #socket: Socket;
  readonly #remote: { readonly address: string; readonly port: number };
  readonly #queue: OutputQueue;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #delivering: Promise<void> = Promise.resolve();
  #isDelivering = false;

  private constructor(label: string, socket: Socket, remote: { readonly address: string; readonly port: number }) {
    super(label);
    this.#socket = socket;
    this.#remote = remote;
    this.#queue = new OutputQueue((bytes) => this.#sendAll(bytes), () => this.tellWritable());
    socket.on("message", (bytes, { address, port }) => {
      if (address === remote.address && port === remote.port) this.#receive(new Uint8Array(bytes));
    });
    // Nobody listens at the other end: the next datagram may find somebody.
    socket.on("error", () => {});
    this.opened();
  }

  /** @throws {ChardevError} where a name means nothing, or the local address cannot be had */
  static async open(label: string, { remote, local }: UdpWish): Promise<UdpChardev> {
    const port = portNumber(remote);
    const target = await numericAddress({ ...remote, hostname: remote.hostname || "localhost" });
    const source: Inet = { transport: "tcp", hostname: local?.hostname ?? "", port: local?.port || "0" };
    const own = source.hostname === "" ? undefined : await numericAddress(source);
    if (own !== undefined && own.family !== target.family) {
      throw unresolved(source, "Address family for hostname not supported");
    }
    const ownPort = portNumber(source);
    checkPermission(own?.address ?? (target.family === 6 ? "::" : "0.0.0.0"), ownPort);
    if (port !== 0) checkPermission(target.address, port);
    const { createSocket } = await import("node:dgram");
    const socket = createSocket({ type: target.family === 6 ? "udp6" : "udp4", reuseAddr: true });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        const where = own === undefined ? {} : { address: own.address };
        socket.bind({ port: ownPort, ...where }, () => {
          socket.off("error", reject);
          resolve();
        });
      });
    } catch (error) {
      socket.close();
      throw error instanceof ChardevError
        ? error
        : new ChardevError(`Failed to bind socket: ${hostReason(error)}`, { cause: error });
    }
    return new UdpChardev(label, socket, { address: target.address, port });
  }

  /** The port that it has here. */
  get localPort(): number {
    return this.#socket.address().port;
  }

  protected send(bytes: Uint8Array): number {
    return this.#queue.push(bytes);
  }

  async #sendAll(bytes: Uint8Array): Promise<void> {
    const { address, port } = this.#remote;
    // Nobody is at port 0.
    if (port === 0) return;
    for (let at = 0; at < bytes.length; at += MAX_DATAGRAM_BYTES) {
      const part = bytes.subarray(at, at + MAX_DATAGRAM_BYTES);
      await new Promise<void>((resolve) => this.#socket.send(part, port, address, () => resolve()));
    }
  }

  override flushed(): Promise<void> {
    return this.#queue.flushed();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#isDelivering) this.#delivering = this.#deliverAll();
  }

  async #deliverAll(): Promise<void> {
    this.#isDelivering = true;
    for (let bytes; (bytes = this.#waiting.shift()) !== undefined;) {
      await this.deliver(bytes);
      this.#waitingBytes -= bytes.length;
    }
    this.#isDelivering = false;
  }

  protected override async close(): Promise<void> {
    this.#queue.close();
    await this.#queue.flushed();
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
    await this.#delivering;
  }
}

/** Node's sockets throw where nobody can catch it. @throws {ChardevError} without permission */
function checkPermission(address: string, port: number): void {
  const place = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  const { state } = Deno.permissions.querySync({ name: "net", host: place });
  if (state !== "granted") throw new ChardevError(`datagrams by way of ${place} need --allow-net`);
}
