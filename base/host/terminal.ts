/**
 * Terminals of the host: serial ports, and pseudo terminals, of which a program holds the one end.
 *
 * All are made raw: bytes go through as they are. Nothing here waits but {@link HostTerminal.wait}, on a thread of Deno's
 * pool.
 *
 * Source: termios(3), pty(7), posix_openpt(3), poll(2); the numbers are the kernel's uapi header asm-generic/termbits.h.
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
const CONTROL_FLAGS_AT = 8;
const INPUT_SPEED_AT = 52;
const OUTPUT_SPEED_AT = 56;
const CBAUD = 0o10017;
const CSIZE = 0o60;
const CSTOPB = 0o100;
const CREAD = 0o200;
const PARENB = 0o400;
const PARODD = 0o1000;
/** Codes of speeds in bits a second. */
const SPEEDS: readonly (readonly [baud: number, code: number])[] = [
  ...[50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400].map((baud, i) =>
    [baud, i + 1] as const
  ),
  ...[57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000].map((baud, i) =>
    [baud, 0o10001 + i] as const
  ),
];
const NAME_BYTES = 128;
const READ_BYTES = 4096;
const POLLFD_BYTES = 8;

/** How characters go over a line. */
export interface TerminalLine {
  readonly baud: number;
  readonly dataBits: number;
  readonly parity: "none" | "odd" | "even";
  readonly stopBits: 1 | 2;
}

/** Makes what `descriptor` is open on raw; what is no terminal stays as it is. */
function makeRaw(host: HostLibrary, descriptor: number): void {
  change(host, descriptor, (settings) => host.symbols.cfmakeraw(new Uint8Array(settings.buffer)));
}

function change(host: HostLibrary, descriptor: number, work: (settings: DataView<ArrayBuffer>) => void): void {
  const settings = new Uint8Array(TERMIOS_BYTES);
  if (retry(host, () => host.symbols.tcgetattr(descriptor, settings)) < 0) return;
  work(new DataView(settings.buffer));
  retry(host, () => host.symbols.tcsetattr(descriptor, TCSANOW, settings));
}

/** A terminal that is open for both ways. */
export class HostTerminal {
  readonly #host: HostLibrary;
  readonly #descriptor: number;
  /** Readable once nobody is to wait any more. */
  readonly #wake: number;
  readonly #buffer = new Uint8Array(READ_BYTES);
  /** Calls under way, each with its memory, which has to stay where it is. */
  readonly #waits = new Map<Promise<number>, Uint8Array>();
  #isClosed = false;

  /** Takes over a descriptor that does not wait. @throws HostError, with the descriptor closed */
  protected constructor(host: HostLibrary, descriptor: number) {
    this.#host = host;
    this.#descriptor = descriptor;
    try {
      this.#wake = check("eventfd", retry(host, () => host.symbols.eventfd(0, EFD_CLOEXEC)));
    } catch (error) {
      closeDescriptor(host, descriptor);
      throw error;
    }
  }

  /** Opens a serial port, `/dev/ttyS0`. @throws HostError */
  static open(host: HostLibrary, path: string): HostTerminal {
    const descriptor = check("open", openPath(host, path, O_RDWR | O_NOCTTY | O_NONBLOCK));
    makeRaw(host, descriptor);
    return new HostTerminal(host, descriptor);
  }

  /** Sets speed and format, as near as there are any. */
  setLine({ baud, dataBits, parity, stopBits }: TerminalLine): void {
    if (this.#isClosed) return;
    const distance = (speed: number) => Math.abs(Math.log(speed / baud));
    const [, code] = SPEEDS.reduce((best, one) => distance(one[0]) < distance(best[0]) ? one : best);
    change(this.#host, this.#descriptor, (settings) => {
      const kept = settings.getUint32(CONTROL_FLAGS_AT, true) & ~(CBAUD | CSIZE | CSTOPB | PARENB | PARODD);
      const format = ((dataBits - 5) << 4) | (stopBits === 2 ? CSTOPB : 0) |
        (parity === "none" ? 0 : parity === "odd" ? PARENB | PARODD : PARENB);
      settings.setUint32(CONTROL_FLAGS_AT, kept | format | code | CREAD, true);
      settings.setUint32(INPUT_SPEED_AT, code, true);
      settings.setUint32(OUTPUT_SPEED_AT, code, true);
    });
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
    const memory = new Uint8Array(set.buffer);
    const waiting = this.#host.symbols.poll_pool(memory, 2n, -1);
    this.#waits.set(waiting, memory);
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
    await Promise.all(this.#waits.keys());
    closeDescriptor(this.#host, this.#descriptor);
    closeDescriptor(this.#host, this.#wake);
  }
}

/** A pseudo terminal; its other end, which programs open, is raw as well. */
export class PseudoTerminal extends HostTerminal {
  /** The other end: `/dev/pts/3`. */
  readonly path: string;

  private constructor(host: HostLibrary, descriptor: number, path: string) {
    super(host, descriptor);
    this.path = path;
  }

  /** @throws HostError where the system has none to give */
  static make(host: HostLibrary): PseudoTerminal {
    const { symbols } = host;
    const descriptor = check(
      "posix_openpt",
      retry(host, () => symbols.posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)),
    );
    let path: string;
    try {
      check("grantpt", retry(host, () => symbols.grantpt(descriptor)));
      check("unlockpt", retry(host, () => symbols.unlockpt(descriptor)));
      const name = new Uint8Array(NAME_BYTES);
      const error = symbols.ptsname_r(descriptor, name, BigInt(name.length));
      if (error !== 0) throw new HostError("ptsname_r", errnoFromNumber(error));
      path = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
      // That the other end has been open and is closed again is also what tells a hang-up from then on.
      const other = check("open", openPath(host, path, O_RDWR | O_NOCTTY));
      makeRaw(host, other);
      closeDescriptor(host, other);
    } catch (error) {
      closeDescriptor(host, descriptor);
      throw error;
    }
    return new PseudoTerminal(host, descriptor, path);
  }
}
