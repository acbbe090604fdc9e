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
import type { Clock } from "../../base/clocks.ts";
import { PseudoTerminal } from "../../base/host/terminal.ts";
import { openTerminal, TerminalChardev } from "./terminal.ts";

/** A pseudo terminal as a character device. */
export class PtyChardev extends TerminalChardev<PseudoTerminal> {
  readonly kind = "pty";

  /** @throws {ChardevError} where the C library may not be used, or the system has no pseudo terminal to give */
  constructor(label: string, clock: Clock) {
    super(label, openTerminal("Failed to create PTY", (host) => PseudoTerminal.make(host)), clock);
    this.start();
  }

  /** Where the other end is: `/dev/pts/3`. */
  get path(): string {
    return this.terminal.path;
  }

  /** What users are told of it. */
  get announcement(): string {
    return `char device redirected to ${this.path} (label ${this.label})`;
  }

  override get filename(): string {
    return `pty:${this.path}`;
  }

  protected override send(bytes: Uint8Array): number {
    if (!this.isOpen) {
      if (this.terminal.isHungUp) return bytes.length;
      this.lookNow();
    }
    return super.send(bytes);
  }

  protected async watch(): Promise<void> {
    while (!this.isDisposed) {
      const { isHungUp } = this.terminal;
      const bytes = this.terminal.read();
      // What somebody sent who has left already is input, too.
      if (bytes.length > 0 || !isHungUp) this.opened();
      if (bytes.length > 0) await this.deliver(bytes);
      else if (!isHungUp) await this.terminal.wait("input");
      else {
        this.closed();
        await this.pause();
      }
    }
  }
}
