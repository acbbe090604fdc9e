/**
 * Buffers whose first byte lies at a multiple of a power of two, which O_DIRECT asks for.
 *
 * @module
 */
import { assert } from "../assert.ts";
import { isPowerOfTwo } from "../bits.ts";
import { addressOf } from "./pointers.ts";

/** `length` bytes of zeroes at an address that is a multiple of `alignBytes`; needs the host library. */
export function allocateAligned(length: number, alignBytes: number): Uint8Array<ArrayBuffer> {
  assert(isPowerOfTwo(alignBytes), `an alignment of ${alignBytes} bytes`);
  const whole = new Uint8Array(length + alignBytes);
  const offset = (alignBytes - addressOf(whole) % alignBytes) % alignBytes;
  return whole.subarray(offset, offset + length);
}

/** Whether address and length of every slice are multiples of `alignBytes`. */
export function areAligned(slices: readonly Uint8Array[], alignBytes: number): boolean {
  for (const slice of slices) {
    if (slice.length === 0) continue;
    if (slice.length % alignBytes !== 0 || addressOf(slice) % alignBytes !== 0) return false;
  }
  return true;
}

/** A few aligned buffers of one size, given out and taken back. */
export class AlignedPool {
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  readonly #alignBytes: number;
  readonly #sizeBytes: number;
  readonly #keep: number;

  constructor(options: { alignBytes: number; sizeBytes: number; keep: number }) {
    this.#alignBytes = options.alignBytes;
    this.#sizeBytes = options.sizeBytes;
    this.#keep = options.keep;
  }

  /** At least `length` bytes, aligned; larger than the pool's size it is a fresh one. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.#sizeBytes) return allocateAligned(length, this.#alignBytes);
    return (this.#free.pop() ?? allocateAligned(this.#sizeBytes, this.#alignBytes)).subarray(0, length);
  }

  /** Takes `buffer` back for another request. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#free.length >= this.#keep || buffer.buffer.byteLength !== this.#sizeBytes + this.#alignBytes) return;
    this.#free.push(new Uint8Array(buffer.buffer, buffer.byteOffset, this.#sizeBytes));
  }
}
