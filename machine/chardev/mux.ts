/**
 * `mux=on`: several frontends (serial ports, monitors) on one device; Ctrl-a and a letter switch between them.
 *
 * What any frontend sends goes out; what comes in goes to the one that has the focus. Each frontend that has no room
 * now has its input kept for it, so that Ctrl-a is heard meanwhile.
 *
 * Source: QEMU's documentation of `mux=on` and "Keys in the character backend multiplexer"; texts of 7.2.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { KiB, NS_PER_MS } from "../../base/units.ts";
import type { CharConnection, CharFrontend, CharLine } from "../../devices/bus/mod.ts";
import { CharBackend, type HostOutputs } from "./backend.ts";

const MAX_FRONTENDS = 4;
/** QEMU keeps as much for each frontend. */
const KEPT_BYTES = 32;
/** And of what a person types to a machine that is stopped: else nobody would hear Ctrl-a any more. */
const KEPT_TYPED_BYTES = 64 * KiB;

/** What the keys of a multiplexer do to the whole program. */
export interface MuxActions {
  /** Ctrl-a x. */
  terminate(): void;
  /** Ctrl-a s: writes what `-snapshot` holds back into the images. */
  saveDisks(): void;
}

const HELP: readonly (readonly [string, string])[] = [
  ["h", "print this help"],
  ["x", "exit emulator"],
  ["s", "save disk data back to file (if -snapshot)"],
  ["t", "toggle console timestamps"],
  ["b", "send break (magic sysrq)"],
  ["c", "switch between console and monitor"],
];

/** A multiplexer over another device, which it owns. */
export class MuxChardev extends CharBackend {
  readonly kind = "mux";
  readonly #base: CharBackend;
  readonly #line: CharConnection;
  readonly #clock: Clock;
  readonly #actions: () => MuxActions;
  readonly #escape: number;
  readonly #kept = new Map<CharFrontend, number[]>();
  #focus: CharFrontend | undefined;
  #isHeld = false;
  #sawEscape = false;
  #isStarted = false;
  #startNs: number | undefined;
  #atLineStart = true;

  /** `escape` is the control code of `-echr`. @throws {ChardevError} where `base` is in use */
  constructor(
    label: string,
    base: CharBackend,
    site: { readonly clock: Clock; readonly actions: () => MuxActions; readonly escape: number },
  ) {
    super(label);
    this.#base = base;
    this.#clock = site.clock;
    this.#actions = site.actions;
    this.#escape = site.escape;
    this.#line = base.connect({
      room: () => this.#room(),
      receive: (bytes) => this.#receive(bytes),
      writable: () => this.tellWritable(),
      event: (event) => {
        if (event === "opened" && this.#isStarted) this.opened();
        else if (event === "closed") this.closed();
        else if (event === "break") this.injectBreak();
      },
    });
  }

  /** All who share it from the beginning are there: they are told that it is open, and input is read. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    if (this.#base.isOpen) this.opened();
    this.#line.acceptInput();
  }

  override get outputs(): HostOutputs | undefined {
    return this.#base.outputs;
  }

  protected override get maxFrontends(): number {
    return MAX_FRONTENDS;
  }

  /** The youngest frontend gets the focus, unless that is held; one that goes leaves it to nobody, until Ctrl-a c. */
  protected override frontendChanged(): void {
    const all = this.frontends;
    for (const frontend of this.#kept.keys()) if (!all.includes(frontend)) this.#kept.delete(frontend);
    for (const frontend of all) {
      if (this.#kept.has(frontend)) continue;
      this.#kept.set(frontend, []);
      if (!this.#isHeld || this.#focus === undefined) this.#setFocus(frontend);
    }
    if (this.#focus !== undefined && !all.includes(this.#focus)) this.#setFocus(undefined);
  }

  /** Who has the focus keeps it, whoever comes. */
  holdFocus(): void {
    this.#isHeld = true;
  }

  #setFocus(frontend: CharFrontend | undefined): void {
    if (frontend === this.#focus) return;
    const before = this.#focus;
    this.#focus = frontend;
    if (before !== undefined && this.frontends.includes(before)) before.event?.("blur");
    frontend?.event?.("focus");
    this.inputWanted();
  }

  #room(): number {
    const focus = this.#focus;
    if (!this.#isStarted) return 0;
    if (focus === undefined) return 1;
    return (this.#base.isTyped ? KEPT_TYPED_BYTES : KEPT_BYTES) - this.#kept.get(focus)!.length;
  }

  #receive(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#sawEscape) this.#command(byte);
      else if (byte === this.#escape) this.#sawEscape = true;
      else this.#input(byte);
    }
    this.#feed();
  }

  #input(byte: number): void {
    if (this.#focus !== undefined) this.#kept.get(this.#focus)!.push(byte);
  }

  /** Gives the frontend in focus what was kept for it. */
  #feed(): void {
    const focus = this.#focus;
    const kept = focus === undefined ? undefined : this.#kept.get(focus);
    while (focus !== undefined && kept !== undefined && kept.length > 0) {
      const room = focus.room();
      if (room <= 0) return;
      focus.receive(Uint8Array.from(kept.splice(0, room)));
    }
  }

  protected override inputWanted(): void {
    this.#feed();
    if (this.#room() > 0) this.#line?.acceptInput();
  }

  #command(byte: number): void {
    this.#sawEscape = false;
    if (byte === this.#escape) return this.#input(byte);
    switch (String.fromCharCode(byte)) {
      case "?":
      case "h":
        return this.#help();
      case "x":
        this.#say("QEMU: Terminated\n\r");
        return this.#actions().terminate();
      case "s":
        return this.#actions().saveDisks();
      case "b":
        return this.injectBreak();
      case "c": {
        const all = this.frontends;
        // What was typed before belongs to who was typed to.
        this.#feed();
        return this.#setFocus(all[(all.indexOf(this.#focus!) + 1) % all.length]);
      }
      case "t":
        this.#startNs = this.#startNs === undefined ? this.#clock.nowNs() : undefined;
        this.#atLineStart = false;
        return;
    }
  }

  #help(): void {
    const letter = String.fromCharCode(this.#escape + 0x60);
    const prefix = this.#escape > 0 && this.#escape < 0x20
      ? `C-${letter}`
      : `Escape-Char 0x${this.#escape.toString(16)}`;
    const rows = HELP.map(([key, text]) => `${prefix} ${key}    ${text}\n\r`).join("");
    this.#say(`\n\r${rows}${prefix} ${prefix}  sends ${prefix}\n\r`);
  }

  /** Only who is talked to. */
  override injectBreak(): void {
    this.#focus?.event?.("break");
  }

  #say(text: string): void {
    this.#line.write(new TextEncoder().encode(text));
  }

  protected send(bytes: Uint8Array): number {
    if (this.#startNs === undefined) return this.#line.write(bytes);
    // With stamps in between, what is refused cannot be told apart; a person reads this, so it fits.
    this.#line.write(this.#stamped(bytes, this.#startNs));
    return bytes.length;
  }

  #stamped(bytes: Uint8Array, startNs: number): Uint8Array {
    const out: number[] = [];
    for (const byte of bytes) {
      if (this.#atLineStart) {
        const ms = Math.floor((this.#clock.nowNs() - startNs) / NS_PER_MS);
        const two = (value: number) => String(Math.floor(value) % 60).padStart(2, "0");
        const hours = String(Math.floor(ms / 3_600_000)).padStart(2, "0");
        const stamp = `[${hours}:${two(ms / 60_000)}:${two(ms / 1000)}.${String(ms % 1000).padStart(3, "0")}] `;
        out.push(...new TextEncoder().encode(stamp));
        this.#atLineStart = false;
      }
      out.push(byte);
      if (byte === 0x0a) this.#atLineStart = true;
    }
    return Uint8Array.from(out);
  }

  override flushed(): Promise<void> {
    return this.#line.flushed();
  }

  override lineSettings(line: CharLine): void {
    this.#line.setLine?.(line);
  }

  protected override hangUp(): void {
    this.#line.hangUp();
  }

  protected override close(): void {
    this.#line[Symbol.dispose]();
  }
}
