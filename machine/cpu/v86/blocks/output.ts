/**
 * Bytes that are put one after the other, in room that is used again.
 *
 * @module
 */
import { numberBytes } from "../wasm_numbers.ts";

/** Up to here a view of bytes would cost more than the bytes. */
const SHORT_BYTES = 256;

/** What is put together. */
export class Output {
  #room = new Uint8Array(65536);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** All of it, until the next change. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#room.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  push(bytes: readonly number[]): void {
    this.#reserve(bytes.length);
    for (let index = 0; index < bytes.length; index++) this.#room[this.#length++] = bytes[index]!;
  }

  pushNumber(value: number): void {
    this.push(numberBytes(value));
  }

  copy(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    if (end - start > SHORT_BYTES) {
      this.#room.set(from.subarray(start, end), this.#length);
      this.#length += end - start;
    } else {
      for (let at = start; at < end; at++) this.#room[this.#length++] = from[at]!;
    }
  }

  append(other: Output): void {
    this.copy(other.#room, 0, other.#length);
  }

  #reserve(lengthBytes: number): void {
    if (this.#length + lengthBytes <= this.#room.length) return;
    const old = this.#room;
    this.#room = new Uint8Array(2 * (this.#length + lengthBytes));
    this.#room.set(old.subarray(0, this.#length));
  }
}
