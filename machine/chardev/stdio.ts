/**
 * `stdio`: the program's own input and output.
 *
 * Reading cannot be taken back: it begins with the first frontend and ends with the program. On a terminal keys come one
 * by one; the terminal is left as it was found, and wraps long lines again where the guest had that switched off, as
 * SeaBIOS does on a serial console. Output that cannot be written, as on a full disk, is lost, as in QEMU.
 *
 * @module
 */
import { whileThere, writeOrDropSync } from "../../base/outputs.ts";
import { CharBackend, type HostOutputs } from "./backend.ts";
import { ChardevError } from "./errors.ts";

/** What of the host it needs; `Deno` has it. */
export interface StandardStreams {
  readonly stdin: {
    readonly readable: ReadableStream<Uint8Array>;
    isTerminal?(): boolean;
    setRaw?(raw: boolean, options?: { cbreak: boolean }): void;
  };
  readonly stdout: { writeSync(bytes: Uint8Array): number; isTerminal?(): boolean };
  readonly stderr: { writeSync(bytes: Uint8Array): number };
}

const WRAP_ON = "\x1b[?7h";
const WRAP_OFF = "\x1b[?7l";

/** A terminal that a line editor has. */
export interface TakenTerminal extends Disposable {
  readonly keys: ReadableStream<Uint8Array>;
  setRaw(raw: boolean): void;
}

/** The program's input and output as a character device. */
export class StdioChardev extends CharBackend {
  readonly kind = "stdio";
  readonly #streams: StandardStreams;
  readonly #signal: boolean;
  /** How keys come, where they come one by one. */
  #raw: { readonly cbreak: boolean } | undefined;
  #isRead = false;
  /** The end of what was sent, in which a sequence may have begun. */
  #tail = "";
  #isWrapOff = false;
  #lastOutput: Promise<void> = Promise.resolve();

  /** `signal`: Ctrl-C ends the program instead of being read. @throws {ChardevError} where somebody reads already */
  constructor(label: string, streams: StandardStreams, signal: boolean) {
    super(label);
    if (streams.stdin.readable.locked) throw new ChardevError("cannot use stdio by multiple character devices");
    this.#streams = streams;
    this.#signal = signal;
    this.opened();
  }

  /** Whether a person is there, who gets a better line editor. */
  get isTerminal(): boolean {
    return (this.#streams.stdin.isTerminal?.() ?? false) && (this.#streams.stdout.isTerminal?.() ?? false);
  }

  override get isTyped(): boolean {
    return this.isTerminal;
  }

  /** Hands the terminal to a line editor, which reads keys itself; disposing of it lets the device go. */
  takeTerminal(): TakenTerminal {
    this.#isRead = true;
    const connection = this.connect({ room: () => 0, receive() {} });
    const { stdin } = this.#streams;
    return {
      keys: stdin.readable,
      setRaw: (raw) => this.#setRaw(raw),
      [Symbol.dispose]: () => connection[Symbol.dispose](),
    };
  }

  #setRaw(raw: boolean, how = { cbreak: false }): void {
    this.#raw = raw ? how : undefined;
    whileThere(() => this.#streams.stdin.setRaw?.(raw, how));
  }

  /** The process was stopped and goes on: a shell had the terminal meanwhile, and has it as shells do. */
  continued(): void {
    if (this.#raw !== undefined) this.#setRaw(true, this.#raw);
  }

  override get outputs(): HostOutputs {
    const encoder = new TextEncoder();
    return {
      out: (text) => writeOrDropSync(this.#streams.stdout, encoder.encode(text)),
      error: (text) => writeOrDropSync(this.#streams.stderr, encoder.encode(text)),
    };
  }

  protected send(bytes: Uint8Array): number {
    writeOrDropSync(this.#streams.stdout, bytes);
    this.#noteWrap(bytes);
    // A pipe may bring thousands of lines at once: signals and disks get their turn between two of them.
    this.#lastOutput = new Promise((resolve) => setImmediate(resolve));
    return bytes.length;
  }

  #noteWrap(bytes: Uint8Array): void {
    if (this.#tail === "" && !bytes.includes(0x1b)) return;
    const text = this.#tail + new TextDecoder("latin1").decode(bytes);
    const [on, off] = [text.lastIndexOf(WRAP_ON), text.lastIndexOf(WRAP_OFF)];
    if (on !== off) this.#isWrapOff = off > on;
    const begun = text.lastIndexOf("\x1b");
    this.#tail = begun >= 0 && text.length - begun < WRAP_ON.length ? text.slice(begun) : "";
  }

  override flushed(): Promise<void> {
    return this.#lastOutput;
  }

  protected override frontendChanged(): void {
    if (!this.isBusy || this.#isRead) return;
    this.#isRead = true;
    const { stdin } = this.#streams;
    if (stdin.isTerminal?.() && stdin.setRaw !== undefined) {
      this.#setRaw(true, { cbreak: this.#signal });
    }
    void this.#read(stdin.readable.getReader());
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    for (;;) {
      const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
      if (done || value === undefined) break;
      await this.deliver(value);
    }
    await this.inputEnded();
    this.closed();
  }

  protected override close(): void {
    if (this.#raw !== undefined) this.#setRaw(false);
    const { stdout } = this.#streams;
    if (this.#isWrapOff && stdout.isTerminal?.()) writeOrDropSync(stdout, new TextEncoder().encode(WRAP_ON));
  }
}
