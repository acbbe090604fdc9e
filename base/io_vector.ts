/**
 * A request's data: a list of byte slices that are read or written as if they were one.
 *
 * Guest scatter-gather lists go down to one `preadv` or `pwritev` in this form, without a copy. A vector never owns
 * memory; whoever made the slices keeps them alive until the request has ended.
 *
 * @module
 */
import { assert } from "./assert.ts";

const ZEROES = new Uint8Array(64 * 1024);

/** A scatter-gather list. */
export class IoVector {
  /** In order, none of them empty (but for the one slice of an empty vector). */
  readonly slices: readonly Uint8Array[];
  /** Bytes in all slices together. */
  readonly length: number;

  private constructor(slices: readonly Uint8Array[], length: number) {
    this.slices = slices;
    this.length = length;
  }

  /** A vector over one buffer. */
  static of(bytes: Uint8Array): IoVector {
    return new IoVector([bytes], bytes.length);
  }

  /** A vector over several; empty ones are left out. */
  static from(slices: readonly Uint8Array[]): IoVector {
    let length = 0;
    let empty = false;
    for (const slice of slices) {
      length += slice.length;
      if (slice.length === 0) empty = true;
    }
    return new IoVector(empty ? slices.filter((slice) => slice.length > 0) : slices, length);
  }

  /** A vector over `length` fresh bytes of zeroes. */
  static allocate(length: number): IoVector {
    return IoVector.of(new Uint8Array(length));
  }

  /** The only slice, where there is just one: the fast path of drivers. */
  get single(): Uint8Array | undefined {
    return this.slices.length === 1 ? this.slices[0] : undefined;
  }

  /** `length` bytes from `at`, sharing memory; both lie inside this vector. */
  slice(at: number, length: number = this.length - at): IoVector {
    assert(at >= 0 && length >= 0 && at + length <= this.length, `slice ${at}+${length} of ${this.length} bytes`);
    if (at === 0 && length === this.length) return this;
    const only = this.single;
    if (only !== undefined) return new IoVector([only.subarray(at, at + length)], length);
    const slices: Uint8Array[] = [];
    let position = 0;
    for (const slice of this.slices) {
      const start = Math.max(at - position, 0);
      const end = Math.min(at + length - position, slice.length);
      if (start < end) slices.push(start === 0 && end === slice.length ? slice : slice.subarray(start, end));
      position += slice.length;
      if (position >= at + length) break;
    }
    return new IoVector(slices, length);
  }

  /** Copies all bytes into `target`, which has room for them from `at`. */
  copyTo(target: Uint8Array, at = 0): void {
    assert(at + this.length <= target.length, `copy of ${this.length} bytes to ${at} of ${target.length}`);
    let position = at;
    for (const slice of this.slices) {
      target.set(slice, position);
      position += slice.length;
    }
  }

  /** Copies `source` into the slices, from byte `at` of this vector. */
  copyFrom(source: Uint8Array, at = 0): void {
    assert(at + source.length <= this.length, `copy of ${source.length} bytes to ${at} of ${this.length}`);
    const only = this.single;
    if (only !== undefined) return only.set(source, at);
    let taken = 0;
    for (const slice of this.slice(at, source.length).slices) {
      slice.set(source.subarray(taken, taken + slice.length));
      taken += slice.length;
    }
  }

  /** Copies all bytes of `source`, which is as long as this vector. */
  copyFromVector(source: IoVector): void {
    assert(source.length === this.length, `copy of ${source.length} bytes to a vector of ${this.length}`);
    let position = 0;
    for (const slice of source.slices) {
      this.copyFrom(slice, position);
      position += slice.length;
    }
  }

  /** Sets `length` bytes from `at` to `value`. */
  fill(value: number, at = 0, length: number = this.length - at): void {
    for (const slice of this.slice(at, length).slices) slice.fill(value);
  }

  /** Whether every byte is zero. */
  isZero(): boolean {
    return this.slices.every(isZero);
  }

  /** One contiguous array of all bytes: the slice itself where there is just one, else a copy. */
  toBytes(): Uint8Array {
    const only = this.single;
    if (only !== undefined) return only;
    const bytes = new Uint8Array(this.length);
    this.copyTo(bytes);
    return bytes;
  }
}

/** Whether every byte of `bytes` is zero; compared with a shared buffer of zeroes, which is as fast as memory. */
export function isZero(bytes: Uint8Array): boolean {
  if (bytes.length <= 16) return bytes.every((byte) => byte === 0);
  if (bytes[0] !== 0 || bytes[bytes.length - 1] !== 0) return false;
  for (let at = 0; at < bytes.length; at += ZEROES.length) {
    const length = Math.min(ZEROES.length, bytes.length - at);
    // The global one, since it is loaded when it is first used: an import would cost every start some milliseconds.
    // deno-lint-ignore no-node-globals
    if (Buffer.compare(bytes.subarray(at, at + length), ZEROES.subarray(0, length)) !== 0) return false;
  }
  return true;
}

const PAGE_BYTES = 4096;

/**
 * Where the first page of 4 KiB that is not all zeroes begins, from `at` on, which is the beginning of a page; or the end
 * of `bytes`. Tables in large clusters are mostly empty, and this passes over them at the speed of memory.
 */
export function afterZeroPages(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && isZero(bytes.subarray(at, at + PAGE_BYTES))) at += PAGE_BYTES;
  return Math.min(at, bytes.length);
}

/** Whether {@link afterZeroPages} may be asked about `at`. */
export function isPageStart(at: number): boolean {
  return at % PAGE_BYTES === 0;
}
