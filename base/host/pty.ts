/**
 * A pseudo terminal: the end that a program holds, as what a serial line is behind.
 *
 * Whoever opens the other end (`screen /dev/pts/3`) finds it raw. Nothing here waits but {@link PseudoTerminal.wait},
 * on a thread of Deno's pool.
 *
 * Source: pty(7), posix_openpt(3), cfmakeraw(3), poll(2), tty_ioctl(2).
 *
 * @module
 */
import {
  EFD_CLOEXEC,
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDWR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  TCSANOW,
} from "./constants.ts";
import { check, HostError } from "./errors.ts";
import { errnoFromNumber } from "../errno.ts";
import { closeDescriptor, openPath, retry } from "./files.ts";
import type { HostLibrary } from "./libc.ts";

/** struct termios takes 60 bytes. */
const TERMIOS_BYTES = 128;
const NAME_BYTES = 128;
const READ_BYTES = 4096;
const POLLFD_BYTES = 8;

/** One pseudo terminal. */
export class PseudoTerminal {
  /** The other end: `/dev/pts/3`. */
  readonly path: string;
  readonly #host: HostLibrary;
  readonly #descriptor: number;
  /** Readable once nobody is to wait any more. */
  readonly #wake: number;
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #waits = new Set<Promise<unknown>>();
  #isClosed = false;

  /** @throws HostError where the system has none to give */
  constructor(host: HostLibrary) {
    this.#host = host;
    const { symbols } = host;
    this.#descriptor = check(
      "posix_openpt",
      retry(host, () => symbols.posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)),
    );
    try {
      check("grantpt", retry(host, () => symbols.grantpt(this.#descriptor)));
      check("unlockpt", retry(host, () => symbols.unlockpt(this.#descriptor)));
      const name = new Uint8Array(NAME_BYTES);
      const error = symbols.ptsname_r(this.#descriptor, name, BigInt(name.length));
      if (error !== 0) throw new HostError("ptsname_r", errnoFromNumber(error));
      this.path = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
      this.#makeRaw();
      this.#wake = check("eventfd", retry(host, () => symbols.eventfd(0, EFD_CLOEXEC)));
    } catch (error) {
      closeDescriptor(host, this.#descriptor);
      throw error;
    }
  }

  /** That the other end has been open and is closed again is also what tells a hang-up from then on. */
  #makeRaw(): void {
    const host = this.#host;
    const other = check("open", openPath(host, this.path, O_RDWR | O_NOCTTY));
    try {
      const settings = new Uint8Array(TERMIOS_BYTES);
      check("tcgetattr", retry(host, () => host.symbols.tcgetattr(other, settings)));
      host.symbols.cfmakeraw(settings);
      check("tcsetattr", retry(host, () => host.symbols.tcsetattr(other, TCSANOW, settings)));
    } finally {
      closeDescriptor(host, other);
    }
  }

  /** Nobody has the other end open. */
  get isHungUp(): boolean {
    if (this.#isClosed) return true;
    const set = new DataView(new ArrayBuffer(POLLFD_BYTES));
    set.setInt32(0, this.#descriptor, true);
    retry(this.#host, () => this.#host.symbols.poll(new Uint8Array(set.buffer), 1n, 0));
    return (set.getUint16(6, true) & POLLHUP) !== 0;
  }

  /** Resolves when it can be read or written, when the other end was closed, or with {@link close}. */
  async wait(what: "input" | "output"): Promise<void> {
    if (this.#isClosed) return;
    const set = new DataView(new ArrayBuffer(2 * POLLFD_BYTES));
    set.setInt32(0, this.#descriptor, true);
    set.setInt16(4, what === "input" ? POLLIN : POLLOUT, true);
    set.setInt32(8, this.#wake, true);
    set.setInt16(12, POLLIN, true);
    const waiting = this.#host.symbols.poll_pool(new Uint8Array(set.buffer), 2n, -1);
    this.#waits.add(waiting);
    await waiting;
    this.#waits.delete(waiting);
  }

  /** What was sent from the other end: a copy; nothing where there is none now. */
  read(): Uint8Array {
    const host = this.#host;
    if (this.#isClosed) return new Uint8Array();
    const count = retry(host, () => host.symbols.read(this.#descriptor, this.#buffer, BigInt(READ_BYTES)));
    return this.#buffer.slice(0, Math.max(0, count));
  }

  /** Sends to the other end as much as it takes now; how many bytes that were. */
  write(bytes: Uint8Array<ArrayBuffer>): number {
    const host = this.#host;
    if (this.#isClosed) return 0;
    return Math.max(0, retry(host, () => host.symbols.write(this.#descriptor, bytes, BigInt(bytes.length))));
  }

  /** Gives it back to the system; resolves when nobody waits any more. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.symbols.write(this.#wake, new Uint8Array(new BigUint64Array([1n]).buffer), 8n);
    await Promise.all(this.#waits);
    closeDescriptor(this.#host, this.#descriptor);
    closeDescriptor(this.#host, this.#wake);
  }
}
