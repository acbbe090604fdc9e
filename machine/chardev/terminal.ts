/**
 * What character devices over a terminal of the host have in common: output as far as the terminal takes it, and a look
 * once a second where nothing tells that there is something to do.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { HostError } from "../../base/host/errors.ts";
import { type HostLibrary, hostLibrary } from "../../base/host/libc.ts";
import type { HostTerminal } from "../../base/host/terminal.ts";
import { errnoText } from "../../base/errno.ts";
import { NS_PER_S } from "../../base/units.ts";
import { CharBackend } from "./backend.ts";
import { ChardevError } from "./errors.ts";
import { OutputQueue } from "./output_queue.ts";

const LOOK_NS = NS_PER_S;

/** A terminal of the host as a character device; subclasses say how it is watched. */
export abstract class TerminalChardev<Terminal extends HostTerminal = HostTerminal> extends CharBackend {
  protected readonly terminal: Terminal;
  readonly #clock: Clock;
  readonly #queue: OutputQueue;
  #running: Promise<void> | undefined;
  #lookNow: () => void = () => {};

  constructor(label: string, terminal: Terminal, clock: Clock) {
    super(label);
    this.terminal = terminal;
    this.#clock = clock;
    this.#queue = new OutputQueue((bytes) => this.#sendAll(bytes), () => this.tellWritable());
  }

  /** Reads until the device is disposed of. */
  protected abstract watch(): Promise<void>;

  /** Begins to read: what a subclass does last in its constructor. */
  protected start(): void {
    this.#running = this.watch();
  }

  protected send(bytes: Uint8Array): number {
    return this.#queue.push(bytes);
  }

  async #sendAll(bytes: Uint8Array): Promise<void> {
    let rest = new Uint8Array(bytes);
    while (rest.length > 0 && !this.terminal.isHungUp) {
      const count = this.terminal.write(rest);
      if (count === 0) await this.terminal.wait("output");
      rest = rest.subarray(count);
    }
  }

  override flushed(): Promise<void> {
    return this.#queue.flushed();
  }

  /** Resolves in a second, or with {@link lookNow}. */
  protected pause(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isDisposed) return resolve();
      const timer = this.#clock.setTimer(this.#clock.nowNs() + LOOK_NS, resolve);
      this.#lookNow = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Ends a pause. */
  protected lookNow(): void {
    this.#lookNow();
  }

  protected override async close(): Promise<void> {
    this.#queue.close();
    this.#lookNow();
    await this.terminal.close();
    await this.#running;
  }
}

/**
 * Opens a terminal.
 * @throws {ChardevError} `what` and why it cannot be had
 */
export function openTerminal<Terminal>(what: string, open: (host: HostLibrary) => Terminal): Terminal {
  const host = hostLibrary();
  if (host === undefined) throw new ChardevError(`${what}: terminals need --allow-ffi on Linux x86-64`);
  try {
    return open(host);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new ChardevError(`${what}: ${errnoText(error.errno)}`, { cause: error });
  }
}
