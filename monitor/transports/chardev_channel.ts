/**
 * A monitor on a character device: each client that comes gets a channel of its own.
 *
 * Source: QEMU's documentation of `-mon`.
 *
 * @module
 */
import { KiB } from "../../base/units.ts";
import type { CharConnection, CharEvent, CharFrontend } from "../../devices/bus/mod.ts";
import type { CharBackend } from "../../machine/mod.ts";
import type { Channel } from "./channel.ts";

/** Serves one who came; resolves when that one has gone. */
export type ServeClient = (channel: Channel) => Promise<void>;

const ROOM_BYTES = 64 * KiB;
/** What is kept for somebody who looks at another frontend; then the monitor waits. */
const UNSEEN_BYTES = 64 * KiB;

/** Serves whoever comes on `device`, until that is let go. */
export class MonitorLine implements CharFrontend, AsyncDisposable {
  readonly #device: CharBackend;
  readonly #serve: ServeClient;
  readonly #connection: CharConnection;
  #client: Client | undefined;
  #served: Promise<void> = Promise.resolve();
  #hasFocus: boolean;
  #settled = false;

  /** @throws {ChardevError} where the device is in use */
  constructor(device: CharBackend, serve: ServeClient) {
    this.#device = device;
    this.#serve = serve;
    this.#hasFocus = device.kind !== "mux";
    // Opening may tell of a client at once, before there is a connection to talk to it over.
    this.#connection = device.connect(this);
    this.#settled = true;
    if (this.#connection.isOpen) this.event("opened");
  }

  room(): number {
    return this.#client?.isWanted === true ? ROOM_BYTES : 0;
  }

  receive(bytes: Uint8Array): void {
    this.#client?.receive(bytes);
  }

  writable(): void {
    this.#client?.writable();
  }

  event(event: CharEvent): void {
    if (event === "focus" || event === "blur") {
      this.#hasFocus = event === "focus";
      this.#client?.setFocus(this.#hasFocus);
    } else if (event === "opened" && this.#settled) {
      const client = this.#client = new Client(this.#connection, this.#device, this.#hasFocus);
      const before = this.#served;
      this.#served = this.#serve(client).finally(() => client.finish()).then(() => before);
    } else if (event === "closed") {
      this.#client?.end();
      this.#client = undefined;
    }
  }

  async inputEnded(): Promise<void> {
    this.#client?.endInput();
    await this.#served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.end();
    this.#client = undefined;
    await this.#served;
    this.#connection[Symbol.dispose]();
  }
}

/** One client's time on the line. */
class Client implements Channel {
  readonly readable: ReadableStream<Uint8Array>;
  readonly outputs?: NonNullable<Channel["outputs"]>;
  readonly #line: CharConnection;
  #input: ReadableStreamDefaultController<Uint8Array> | undefined;
  #hasEnded = false;
  #hasFocus: boolean;
  #unseen: Uint8Array[] = [];
  #unseenBytes = 0;
  /** Several may wait: the answer to a line, and the prompt after a change of focus. */
  #changing: PromiseWithResolvers<void> | undefined;
  #focusChanged: (hasFocus: boolean) => void = () => {};

  constructor(line: CharConnection, device: CharBackend, hasFocus: boolean) {
    this.#line = line;
    this.#hasFocus = hasFocus;
    const { outputs } = device;
    if (outputs !== undefined) this.outputs = outputs;
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#input = controller),
      pull: () => line.acceptInput(),
      cancel: () => void (this.#input = undefined),
    }, { highWaterMark: 1 });
  }

  get isWanted(): boolean {
    return (this.#input?.desiredSize ?? 0) > 0;
  }

  get hasFocus(): boolean {
    return this.#hasFocus;
  }

  onFocus(changed: (hasFocus: boolean) => void): void {
    this.#focusChanged = changed;
  }

  receive(bytes: Uint8Array): void {
    this.#input?.enqueue(bytes);
  }

  writable(): void {
    const changing = this.#changing;
    this.#changing = undefined;
    changing?.resolve();
  }

  setFocus(hasFocus: boolean): void {
    if (hasFocus === this.#hasFocus) return;
    if (!hasFocus) this.#focusChanged(false);
    this.#hasFocus = hasFocus;
    if (!hasFocus) return;
    for (const bytes of this.#unseen.splice(0)) this.#line.write(bytes);
    this.#unseenBytes = 0;
    this.#focusChanged(true);
    this.writable();
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#hasFocus && !this.#hasEnded) {
      this.#unseen.push(bytes);
      this.#unseenBytes += bytes.length;
      while (!this.#hasFocus && this.#unseenBytes > UNSEEN_BYTES && !this.#hasEnded) await this.#change();
      return;
    }
    for (let at = 0; !this.#hasEnded;) {
      at += this.#line.write(bytes.subarray(at));
      if (at >= bytes.length) break;
      await this.#change();
    }
    let isSent = false;
    void this.#line.flushed().then(() => {
      isSent = true;
      this.writable();
    });
    while (!isSent && !this.#hasEnded) await this.#change();
  }

  /** Resolves when there may be room, or the client has gone. */
  #change(): Promise<void> {
    return (this.#changing ??= Promise.withResolvers<void>()).promise;
  }

  /** The monitor is done with this client. */
  close(): void {
    if (!this.#hasEnded) this.#line.hangUp();
    this.end();
  }

  /** Nothing more comes. */
  endInput(): void {
    const input = this.#input;
    this.#input = undefined;
    input?.close();
  }

  /** The client has gone. */
  end(): void {
    this.#hasEnded = true;
    this.endInput();
    this.writable();
  }

  /** It was served. */
  finish(): void {
    this.#unseen = [];
    this.endInput();
  }
}
