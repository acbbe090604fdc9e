/**
 * Bytes that a PS/2 device has ready for its controller, sixteen at most as in the devices themselves.
 *
 * @module
 */

const CAPACITY = 16;
/** Answers to commands may go beyond what keys or movements leave. */
const RESERVED_FOR_ANSWERS = 8;

/** A small FIFO; what does not fit is lost. */
export class Ps2Queue {
  #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  /** Takes all of `bytes` or none. */
  push(...bytes: number[]): boolean {
    if (this.#bytes.length + bytes.length > CAPACITY) return false;
    this.#bytes.push(...bytes);
    return true;
  }

  /** An answer to a command, which is never lost. */
  answer(...bytes: number[]): void {
    const room = CAPACITY + RESERVED_FOR_ANSWERS - this.#bytes.length;
    this.#bytes.push(...bytes.slice(0, Math.max(0, room)));
  }

  shift(): number | undefined {
    return this.#bytes.shift();
  }

  clear(): void {
    this.#bytes = [];
  }

  save(): number[] {
    return [...this.#bytes];
  }

  load(bytes: readonly number[]): void {
    this.#bytes = bytes.slice(0, CAPACITY + RESERVED_FOR_ANSWERS).map((byte) => byte & 0xff);
  }
}
