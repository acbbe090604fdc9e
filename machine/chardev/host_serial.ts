/**
 * `serial`: a serial port of the host, `/dev/ttyUSB0`. Speed and format follow the guest's; bytes go through as they are.
 *
 * Left out: lines of the modem, and breaks.
 *
 * Source: QEMU's documentation of `-chardev serial`.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { HostTerminal } from "../../base/host/terminal.ts";
import type { CharLine } from "../../devices/bus/mod.ts";
import { openTerminal, TerminalChardev } from "./terminal.ts";

/** Until the guest says something else. */
const AT_FIRST = { baud: 115200, dataBits: 8, parity: "none", stopBits: 1 } as const;

/** A serial port of the host as a character device. */
export class HostSerialChardev extends TerminalChardev {
  readonly kind = "serial";

  /** @throws {ChardevError} */
  constructor(label: string, path: string, clock: Clock) {
    super(label, openTerminal(`Could not open '${path}'`, (host) => HostTerminal.open(host, path)), clock);
    this.terminal.setLine(AT_FIRST);
    this.opened();
    this.start();
  }

  override lineSettings(line: CharLine): void {
    this.terminal.setLine(line);
  }

  protected async watch(): Promise<void> {
    for (let wasWoken = false; !this.isDisposed;) {
      const bytes = this.terminal.read();
      if (bytes.length > 0) {
        wasWoken = false;
        await this.deliver(bytes);
      } else if (!wasWoken) {
        await this.terminal.wait("input");
        wasWoken = true;
      } else {
        // There should be something, and is not: it hung up.
        await this.pause();
        wasWoken = false;
      }
    }
  }
}
