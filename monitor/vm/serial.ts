/**
 * A serial port as a script has it: what the guest said as text, waiting for words in it, and saying something.
 *
 * Each wait looks at what came after the match of the one before, so that a dialogue is a row of waits and answers, as
 * with expect. Text beyond a limit is forgotten, the oldest first. It is plain text: a prompt with colours, or one that ends
 * in a question to the terminal, is found by its letters.
 *
 * @module
 */
import { ScriptChardev } from "../../machine/mod.ts";
import { type Found, TextLog, type TextPattern } from "./text_log.ts";
import type { Deadlines, WaitLimits } from "./deadline.ts";
import { PlainText } from "./plain_text.ts";

/** Characters that are kept of what the guest said. */
const KEPT_CHARACTERS = 1 << 20;

/** One port; `vm.serial` is COM1. */
export class VmSerial {
  /** The character device that the port is connected to. */
  readonly chardev: ScriptChardev;
  readonly #log = new TextLog(KEPT_CHARACTERS);
  readonly #decoder = new TextDecoder();
  readonly #plain = new PlainText();
  readonly #encoder = new TextEncoder();
  #deadlines: Deadlines | undefined;

  constructor(label: string) {
    this.chardev = new ScriptChardev(label, {
      received: (bytes) => this.#log.append(this.#plain.push(this.#decoder.decode(bytes, { stream: true }))),
    });
  }

  /** Tells how waits end that find nothing; the machine does so once it is there. */
  attach(deadlines: Deadlines): void {
    this.#deadlines = deadlines;
  }

  /** All that the guest said, as far as it is kept: a million characters, without a terminal's control sequences. */
  get text(): string {
    return this.#log.text;
  }

  /** The last `count` lines. */
  lines(count: number): string[] {
    return this.#log.lines(count);
  }

  /**
   * Resolves when the guest has said `pattern`, and takes everything up to its end as read.
   *
   * @throws WaitError at a deadline, with the last lines, the screen and the guest's last requests
   */
  async waitFor(pattern: TextPattern, limits: WaitLimits = {}): Promise<Found> {
    const deadlines = this.#deadlines;
    if (deadlines === undefined) throw new TypeError("the machine of this port is not there yet");
    return await deadlines.wait(`serial port ${this.chardev.label}: ${String(pattern)}`, limits, (found) => {
      return this.#log.next(pattern, found);
    });
  }

  /** Takes everything that has been said as read. */
  skip(): void {
    this.#log.skip();
  }

  /** Types `text`, as UTF-8, or sends bytes; resolves when the guest's port has taken all. A line ends in `\n` or `\r`. */
  send(text: string | Uint8Array): Promise<void> {
    return this.chardev.say(typeof text === "string" ? this.#encoder.encode(text) : text);
  }

  /** Sends a break condition: with Linux the magic SysRq key. */
  sendBreak(): void {
    this.chardev.sendBreak();
  }
}
