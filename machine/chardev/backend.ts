/**
 * What all character devices have in common: their frontend, the state of the line, the flow of input, the log.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { CharConnection, Chardev, CharEvent, CharFrontend, CharLine } from "../../devices/bus/mod.ts";
import { ChardevError } from "./errors.ts";

// What a frontend's connection calls, and nobody else.
const RELEASE = Symbol("release");
const WRITE = Symbol("write");
const ACCEPT = Symbol("accept");
const HANG_UP = Symbol("hangUp");

/** A file that what frontends send is written to as well. */
export interface CharLog extends Disposable {
  write(bytes: Uint8Array): void;
}

/** Where a program's own words go, on the device that is its standard output. */
export interface HostOutputs {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
}

/** A character device. Subclasses say how bytes go out, and call {@link opened}, {@link deliver} and {@link closed}. */
export abstract class CharBackend implements Chardev, AsyncDisposable {
  readonly label: string;
  /** What kind it is: `"socket"`. */
  abstract readonly kind: string;
  /** Set by who opens it. */
  log: CharLog | undefined;
  #frontends: Connection[] = [];
  #isOpen = false;
  #disposed = false;
  #wakeInput: (() => void) | undefined;

  constructor(label: string) {
    this.label = label;
  }

  /** Whether a person types at the other end. */
  get isTyped(): boolean {
    return false;
  }

  /** As `query-chardev` tells it: `"disconnected:unix:m.sock,server=on"`. */
  get filename(): string {
    return this.kind;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether a frontend has it, and so it cannot be taken away. */
  get isBusy(): boolean {
    return this.#frontends.length > 0;
  }

  get isTaken(): boolean {
    return this.#frontends.length >= this.maxFrontends;
  }

  /** A frontend listens: what `frontend-open` tells. */
  get frontendOpen(): boolean {
    return this.isBusy;
  }

  protected get isDisposed(): boolean {
    return this.#disposed;
  }

  /** How many frontends there may be. */
  protected get maxFrontends(): number {
    return 1;
  }

  /** Where the program's own words go with what is sent here. */
  get outputs(): HostOutputs | undefined {
    return undefined;
  }

  /** Sends what it takes now; see {@link CharConnection.write}. */
  protected abstract send(bytes: Uint8Array): number;

  /** Resolves when all that was taken is on its way. */
  flushed(): Promise<void> {
    return Promise.resolve();
  }

  /** The frontend's speed and format, for devices that have a line. */
  lineSettings(_line: CharLine): void {}

  /** Sends the client away, where there is one. */
  protected hangUp(): void {}

  /** A frontend came, or the last one has gone. */
  protected frontendChanged(): void {}

  connect(frontend: CharFrontend): CharConnection {
    if (this.isTaken) throw new ChardevError(`Device '${this.label}' is in use`);
    const connection = new Connection(this, frontend);
    this.#frontends.push(connection);
    this.frontendChanged();
    this.#wakeInput?.();
    if (this.#isOpen) frontend.event?.("opened");
    return connection;
  }

  /** Hands the frontend over to `next`, which has none yet. */
  replaceBy(next: CharBackend): void {
    for (const connection of this.#frontends.splice(0)) {
      if (this.#isOpen) connection.frontend.event?.("closed");
      connection.backend = next;
      next.#frontends.push(connection);
      next.frontendChanged();
      next.#wakeInput?.();
      if (next.#isOpen) connection.frontend.event?.("opened");
    }
  }

  [RELEASE](connection: Connection): void {
    const at = this.#frontends.indexOf(connection);
    if (at < 0) return;
    this.#frontends.splice(at, 1);
    this.frontendChanged();
  }

  [WRITE](bytes: Uint8Array): number {
    if (this.#disposed) return bytes.length;
    const taken = this.send(bytes);
    if (taken > 0) this.log?.write(bytes.subarray(0, taken));
    return taken;
  }

  [ACCEPT](): void {
    const wake = this.#wakeInput;
    this.#wakeInput = undefined;
    wake?.();
    this.inputWanted();
  }

  [HANG_UP](): void {
    this.hangUp();
  }

  /** The frontend has room again: for devices that do not use {@link deliver}. */
  protected inputWanted(): void {}

  protected get frontends(): readonly CharFrontend[] {
    return this.#frontends.map(({ frontend }) => frontend);
  }

  /** Somebody is at the other end. */
  protected opened(): void {
    if (this.#isOpen || this.#disposed) return;
    this.#isOpen = true;
    this.tell("opened");
  }

  /** Nobody is any more. */
  protected closed(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#wakeInput?.();
    this.tell("closed");
  }

  protected tell(event: CharEvent): void {
    for (const { frontend } of [...this.#frontends]) frontend.event?.(event);
  }

  /** Lets the frontend see a break condition: `chardev-send-break`. */
  injectBreak(): void {
    this.tell("break");
  }

  protected tellWritable(): void {
    for (const { frontend } of [...this.#frontends]) frontend.writable?.();
  }

  /** Gives input to the frontend as far as that has room; resolves when all is taken, or nobody will take it. */
  protected async deliver(bytes: Uint8Array, isWanted: () => boolean = () => true): Promise<void> {
    for (let at = 0; at < bytes.length && isWanted() && !this.#disposed;) {
      const frontend = this.#frontends[0]?.frontend;
      const room = frontend?.room() ?? 0;
      if (room > 0) {
        const part = bytes.subarray(at, at + room);
        at += part.length;
        frontend!.receive(part);
      } else {
        assert(this.#wakeInput === undefined, "input is delivered by two at once");
        await new Promise<void>((resolve) => this.#wakeInput = resolve);
        this.#wakeInput = undefined;
      }
    }
  }

  /** Nothing more comes; resolves when frontends have said what they still had to say. */
  protected async inputEnded(): Promise<void> {
    await Promise.all(this.frontends.map((frontend) => frontend.inputEnded?.()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.closed();
    this.#disposed = true;
    this.#wakeInput?.();
    await this.close();
    this.log?.[Symbol.dispose]();
    this.log = undefined;
  }

  /** Gives back what the device holds of the host. */
  protected close(): Promise<void> | void {}
}

/** A frontend's end; it survives that another device takes the place of its own (`chardev-change`). */
class Connection implements CharConnection {
  backend: CharBackend;
  readonly frontend: CharFrontend;

  constructor(backend: CharBackend, frontend: CharFrontend) {
    this.backend = backend;
    this.frontend = frontend;
  }

  get isOpen(): boolean {
    return this.backend.isOpen;
  }

  write(bytes: Uint8Array): number {
    return this.backend[WRITE](bytes);
  }

  acceptInput(): void {
    this.backend[ACCEPT]();
  }

  flushed(): Promise<void> {
    return this.backend.flushed();
  }

  setLine(line: CharLine): void {
    this.backend.lineSettings(line);
  }

  hangUp(): void {
    this.backend[HANG_UP]();
  }

  [Symbol.dispose](): void {
    this.backend[RELEASE](this);
  }
}
