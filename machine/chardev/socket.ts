/**
 * `socket`: a server that takes one client after the other, or a client that connects, and again if it is to.
 *
 * While somebody is there, others wait in the kernel's queue.
 *
 * Left out, and refused by who reads the options: TLS, 3270 terminals.
 *
 * @module
 */
import type { Clock, Timer } from "../../base/clocks.ts";
import { NS_PER_S } from "../../base/units.ts";
import { addressText, type SocketAddress } from "./addresses.ts";
import { CharBackend } from "./backend.ts";
import { connect, type Line, listen, type Listener } from "./dial.ts";
import { OutputQueue } from "./output_queue.ts";
import { acceptWebsocket } from "./websocket.ts";
import { TELNET_GREETING, TelnetInput, telnetOutput } from "./telnet.ts";

/** A socket as it is wanted. */
export interface SocketWish {
  readonly address: SocketAddress;
  readonly server: boolean;
  /** The program does not go on before the first client is there. */
  readonly wait: boolean;
  readonly telnet: boolean;
  /** Of a server: clients are web browsers. */
  readonly websocket: boolean;
  /** A client that lost its server tries again after so long; 0 for never. */
  readonly reconnectSeconds: number;
}

/** What a socket needs besides. */
export interface SocketSite {
  readonly clock: Clock;
  /** A line for the user, after the program's name. */
  readonly note: (text: string) => void;
}

interface Client {
  readonly line: Line;
  readonly output: OutputQueue;
}

/** A socket as a character device. */
export class SocketChardev extends CharBackend {
  readonly kind = "socket";
  /** Resolves when the first client is there. */
  readonly firstClient: Promise<void>;
  readonly #wish: SocketWish;
  readonly #site: SocketSite;
  readonly #listener: Listener | undefined;
  #client: Client | undefined;
  /** Its handshake is not through yet. */
  #greeting: Line | undefined;
  #retry: Timer | undefined;
  #came: () => void = () => {};
  #serving: Promise<void> = Promise.resolve();

  private constructor(label: string, wish: SocketWish, site: SocketSite, listener: Listener | undefined) {
    super(label);
    this.#wish = wish;
    this.#site = site;
    this.#listener = listener;
    this.firstClient = new Promise((resolve) => this.#came = resolve);
  }

  /** Listens, or connects. @throws {ChardevError} where that fails and is not tried again */
  static async open(label: string, wish: SocketWish, site: SocketSite): Promise<SocketChardev> {
    if (wish.server) {
      const socket = new SocketChardev(label, wish, site, await listen(wish.address));
      socket.#serving = socket.#acceptAll();
      if (wish.wait) {
        site.note(`info: QEMU waiting for connection on: ${socket.filename}`);
        await socket.firstClient;
      }
      return socket;
    }
    const socket = new SocketChardev(label, wish, site, undefined);
    if (wish.reconnectSeconds === 0) socket.#serving = socket.#serve(await connect(wish.address));
    else socket.#serving = socket.#keepConnected();
    return socket;
  }

  /** Where it listens, with the port that was found; `undefined` for a client. */
  get listensAt(): SocketAddress | undefined {
    return this.#listener?.address;
  }

  override get filename(): string {
    const { address, server, telnet, websocket } = this.#wish;
    const protocol = telnet ? "telnet" : websocket ? "websocket" : "tcp";
    const place = addressText(this.#listener?.address ?? address, protocol);
    const text = `${place}${server ? ",server=on" : ""}`;
    if (this.#client === undefined) return `disconnected:${text}`;
    const { peer } = this.#client.line;
    return peer === undefined ? text : `${text} <-> ${peer}`;
  }

  protected send(bytes: Uint8Array): number {
    if (this.#client === undefined) return bytes.length;
    return this.#client.output.push(bytes);
  }

  override async flushed(): Promise<void> {
    await this.#client?.output.flushed();
  }

  async #acceptAll(): Promise<void> {
    for (;;) {
      const plain = await this.#listener!.accept();
      if (plain === undefined) return;
      const line = this.#wish.websocket ? await this.#shakeHands(plain) : plain;
      if (line !== undefined) await this.#serve(line);
    }
  }

  /** A client that says nothing is cut with the device. */
  async #shakeHands(plain: Line): Promise<Line | undefined> {
    if (this.isDisposed) return void plain.close();
    this.#greeting = plain;
    const line = await acceptWebsocket(plain);
    this.#greeting = undefined;
    return line;
  }

  async #keepConnected(): Promise<void> {
    while (!this.isDisposed) {
      try {
        await this.#serve(await connect(this.#wish.address));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#site.note(`Unable to connect character device ${this.label}: ${reason}`);
      }
      await this.#pause(this.#wish.reconnectSeconds);
    }
  }

  #pause(seconds: number): Promise<void> {
    if (this.isDisposed) return Promise.resolve();
    const { clock } = this.#site;
    return new Promise((resolve) => {
      const timer = clock.setTimer(clock.nowNs() + seconds * NS_PER_S, resolve);
      this.#retry = {
        cancel() {
          timer.cancel();
          resolve();
        },
      };
    });
  }

  async #serve(line: Line): Promise<void> {
    if (this.isDisposed) return line.close();
    const { telnet, server } = this.#wish;
    const client: Client = {
      line,
      output: new OutputQueue((bytes) => line.write(telnet ? telnetOutput(bytes) : bytes), () => this.tellWritable()),
    };
    if (telnet && server) await line.write(TELNET_GREETING).catch(() => {});
    const input = telnet ? new TelnetInput(() => this.tell("break")) : undefined;
    this.#client = client;
    this.#came();
    this.opened();
    for (;;) {
      const bytes = await line.read();
      if (bytes === undefined || this.#client !== client) break;
      await this.deliver(input?.filter(bytes) ?? bytes, () => this.#client === client);
    }
    if (this.#client === client) await this.inputEnded();
    await client.output.flushed();
    this.#drop(client);
  }

  /** The client has gone, or is to go. */
  #drop(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.output.close();
    client.line.close();
    this.closed();
  }

  /** Cuts the connection, whatever waits for it. */
  cut(): void {
    this.hangUp();
  }

  protected override hangUp(): void {
    if (this.#client !== undefined) this.#drop(this.#client);
  }

  protected override async close(): Promise<void> {
    this.#listener?.close();
    this.#retry?.cancel();
    this.#greeting?.close();
    this.hangUp();
    this.#came();
    await this.#serving;
  }
}
