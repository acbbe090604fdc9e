/**
 * QEMU's qtest protocol: one command a line, one answer a line, and lines that say how intercepted interrupts change.
 *
 * Here are commands and answers; who brings lines (a socket, a test) is somebody else's affair. Addresses and lengths are
 * below 2^53.
 *
 * Left out: `irq_intercept_out`, `set_irq_in`, `rtas`, `module_load`; they are answered with FAIL.
 *
 * Source: QEMU's docs/devel/testing/qtest.rst, "qtest Protocol".
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { AccessWidth, QtestAccelerator } from "./qtest.ts";

/** Transfers above this are refused: a line is held in memory. */
const MAX_TRANSFER_BYTES = 64 << 20;

/** What a session needs of the board. */
export interface QtestWiring {
  readonly accelerator: QtestAccelerator;
  /** Watches the interrupt lines into the device at `path`; `undefined` where there is no such device. */
  interceptIn(path: string, changed: (line: number, level: 0 | 1) => void): (() => void) | undefined;
}

/** A line that cannot be carried out; the message follows `FAIL`. */
class Refusal extends Error {}

const WIDTHS: Readonly<Record<string, AccessWidth>> = { b: 1, w: 2, l: 4 };

/** One client's dialogue. */
export class QtestSession implements Disposable {
  readonly #wiring: QtestWiring;
  readonly #send: (line: string) => void;
  #stopIntercept: (() => void) | undefined;

  /** `send` takes lines without a newline. */
  constructor(wiring: QtestWiring, send: (line: string) => void) {
    this.#wiring = wiring;
    this.#send = send;
  }

  /** Carries out one line; its answer is sent before this returns. */
  receive(line: string): void {
    const words = line.trim().split(/\s+/);
    if (words[0] === "") return;
    try {
      const answer = this.#run(words[0]!, words.slice(1));
      this.#send(answer === "" ? "OK" : `OK ${answer}`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#send(`FAIL ${error.message}`);
    }
  }

  [Symbol.dispose](): void {
    this.#stopIntercept?.();
    this.#stopIntercept = undefined;
  }

  #run(command: string, args: readonly string[]): string {
    const { accelerator } = this.#wiring;
    const port = /^(in|out)([bwl])$/.exec(command);
    if (port !== null) return this.#port(port[1]!, WIDTHS[port[2]!]!, args);
    const memory = /^(read|write)([bwlq])$/.exec(command);
    if (memory !== null) return this.#value(memory[1]!, memory[2]!, args);
    switch (command) {
      case "read":
        return `0x${Buffer.from(accelerator.read(number(args, 0), length(args, 1))).toString("hex")}`;
      case "write":
        accelerator.write(number(args, 0), hexBytes(args[2], length(args, 1)));
        return "";
      case "b64read":
        return Buffer.from(accelerator.read(number(args, 0), length(args, 1))).toString("base64");
      case "b64write":
        accelerator.write(number(args, 0), base64Bytes(args[2], length(args, 1)));
        return "";
      case "memset":
        accelerator.fill(number(args, 0), length(args, 1), number(args, 2) & 0xff);
        return "";
      case "clock_step":
        return String(accelerator.clockStep(args.length === 0 ? undefined : number(args, 0)));
      case "clock_set":
        return String(accelerator.clockSet(number(args, 0)));
      case "irq_intercept_in":
        return this.#intercept(args[0] ?? "");
      case "endianness":
        return "little";
      default:
        throw new Refusal(`Unknown command '${command}'`);
    }
  }

  #port(direction: string, width: AccessWidth, args: readonly string[]): string {
    const { accelerator } = this.#wiring;
    const port = number(args, 0) & 0xffff;
    if (direction === "in") return `0x${accelerator.in(port, width).toString(16).padStart(4, "0")}`;
    accelerator.out(port, number(args, 1) % 2 ** (8 * width), width);
    return "";
  }

  #value(direction: string, suffix: string, args: readonly string[]): string {
    const { accelerator } = this.#wiring;
    const address = number(args, 0);
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    if (direction === "write") view.setBigUint64(0, big(args, 1), true);
    const width = WIDTHS[suffix];
    if (width === undefined) {
      if (direction === "write") accelerator.write(address, bytes);
      else bytes.set(accelerator.read(address, 8));
    } else if (direction === "write") {
      const masks = { 1: view.getUint8(0), 2: view.getUint16(0, true), 4: view.getUint32(0, true) };
      accelerator.writeValue(address, masks[width], width);
    } else view.setUint32(0, accelerator.readValue(address, width), true);
    return direction === "write" ? "" : `0x${view.getBigUint64(0, true).toString(16).padStart(16, "0")}`;
  }

  #intercept(path: string): string {
    if (this.#stopIntercept !== undefined) throw new Refusal("IRQ intercept already enabled");
    this.#stopIntercept = this.#wiring.interceptIn(
      path,
      (line, level) => this.#send(`IRQ ${level === 1 ? "raise" : "lower"} ${line}`),
    );
    if (this.#stopIntercept === undefined) throw new Refusal("Unknown device");
    return "";
  }
}

function big(args: readonly string[], index: number): bigint {
  const text = args[index] ?? "";
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) throw new Refusal(`Bad number '${text}'`);
  return BigInt.asUintN(64, BigInt(text));
}

function number(args: readonly string[], index: number): number {
  const value = big(args, index);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Refusal(`Number '${args[index]}' is too large`);
  return Number(value);
}

function length(args: readonly string[], index: number): number {
  const value = number(args, index);
  if (value > MAX_TRANSFER_BYTES) throw new Refusal(`Length '${args[index]}' is too large`);
  return value;
}

/** Bytes of `0x0011...`; what is missing up to `lengthBytes` is zero. */
function hexBytes(text: string | undefined, lengthBytes: number): Uint8Array {
  if (text === undefined || !/^0x([0-9a-f]{2})*$/i.test(text)) throw new Refusal("Bad data");
  return padded(Buffer.from(text.slice(2), "hex"), lengthBytes);
}

function base64Bytes(text: string | undefined, lengthBytes: number): Uint8Array {
  if (text === undefined) throw new Refusal("Bad data");
  return padded(Buffer.from(text, "base64"), lengthBytes);
}

function padded(bytes: Uint8Array, lengthBytes: number): Uint8Array {
  const all = new Uint8Array(lengthBytes);
  all.set(bytes.subarray(0, lengthBytes));
  return all;
}
