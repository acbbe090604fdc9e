/**
 * `pty`: a pseudo terminal, whose other end any terminal program opens (`screen /dev/pts/3`).
 *
 * What is sent while nobody has it open is dropped. That somebody opened it is noticed with the next bytes that are
 * sent, else within a second; that the last one closed it, at once.
 *
 * Source: QEMU's documentation of `-chardev pty`.
 *
 * @module
 */
import { HostError } from "../../base/host/errors.ts";
import { hostLibrary } from "../../base/host/libc.ts";
import { PseudoTerminal } from "../../base/host/pty.ts";
import type { Clock } from "../../base/clocks.ts";
import { errnoText } from "../../base/errno.ts";
import { NS_PER_S } from "../../base/units.ts";
import { CharBackend } from "./backend.ts";
import { ChardevError } from "./errors.ts";
import { OutputQueue } from "./output_queue.ts";

/** How often is looked for somebody who came. */
const LOOK_NS = NS_PER_S;

/** A pseudo terminal as a character device. */
export class PtyChardev extends CharBackend {
  readonly kind = "pty";
  readonly #terminal: PseudoTerminal;
  readonly #clock: Clock;
  readonly #queue: OutputQueue;
  readonly #running: Promise<void>;
  #lookNow: () => void = () => {};

  /** @throws {ChardevError} where the C library may not be used, or the system has no pseudo terminal to give */
  constructor(label: string, clock: Clock) {
    super(label);
    this.#clock = clock;
    this.#terminal = openTerminal();
    this.#queue = new OutputQueue((bytes) => this.#sendAll(bytes), () => this.tellWritable());
    this.#running = this.#run();
  }

  /** Where the other end is: `/dev/pts/3`. */
  get path(): string {
    return this.#terminal.path;
  }

  /** What users are told of it. */
  get announcement(): string {
    return `char device redirected to ${this.path} (label ${this.label})`;
  }

  override get filename(): string {
    return `pty:${this.path}`;
  }

  protected send(bytes: Uint8Array): number {
    if (!this.isOpen) {
      if (this.#terminal.isHungUp) return bytes.length;
      this.#lookNow();
    }
    return this.#queue.push(bytes);
  }

  async #sendAll(bytes: Uint8Array): Promise<void> {
    let rest = new Uint8Array(bytes);
    while (rest.length > 0 && !this.#terminal.isHungUp) {
      const count = this.#terminal.write(rest);
      if (count === 0) await this.#terminal.wait("output");
      rest = rest.subarray(count);
    }
  }

  override flushed(): Promise<void> {
    return this.#queue.flushed();
  }

  async #run(): Promise<void> {
    while (!this.isDisposed) {
      const { isHungUp } = this.#terminal;
      const bytes = this.#terminal.read();
      // What somebody sent who has left already is input, too.
      if (bytes.length > 0 || !isHungUp) this.opened();
      if (bytes.length > 0) await this.deliver(bytes);
      else if (!isHungUp) await this.#terminal.wait("input");
      else {
        this.closed();
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(this.#clock.nowNs() + LOOK_NS, resolve);
      this.#lookNow = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  protected override async close(): Promise<void> {
    this.#queue.close();
    this.#lookNow();
    await this.#terminal.close();
    await this.#running;
  }
}

function openTerminal(): PseudoTerminal {
  const host = hostLibrary();
  if (host === undefined) {
    throw new ChardevError("a pseudo terminal needs --allow-ffi on Linux x86-64; without, use unix:PATH,server=on");
  }
  try {
    return new PseudoTerminal(host);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new ChardevError(`Failed to create PTY: ${errnoText(error.errno)}`, { cause: error });
  }
}
