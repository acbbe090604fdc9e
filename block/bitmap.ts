/**
 * A dirty bitmap: which parts of a node were written since it was cleared.
 *
 * One bit stands for `granularityBytes` of the node. A second level, one bit for 32 words, lets a walk skip clean areas
 * of a large disk. Persistent bitmaps and successors are not here.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { isPowerOfTwo } from "../base/bits.ts";

const BITS = 32;

/** A run of bytes. */
export interface ByteRange {
  readonly at: number;
  readonly length: number;
}

/** A set of byte ranges, in units of its granularity. */
export class DirtyBitmap {
  readonly name: string;
  readonly granularityBytes: number;
  /** While off, writes leave the bitmap as it is. */
  enabled = true;
  #sizeBytes: number;
  #words: Uint32Array;
  /** Bit n is set where word n has a bit set. */
  #summary: Uint32Array;
  #count = 0;

  /** Covers `sizeBytes`; `granularityBytes` is a power of two from 512. */
  constructor(options: { name?: string; sizeBytes: number; granularityBytes?: number }) {
    this.name = options.name ?? "";
    this.granularityBytes = options.granularityBytes ?? 65536;
    assert(isPowerOfTwo(this.granularityBytes), "a granularity is a power of two");
    this.#sizeBytes = options.sizeBytes;
    this.#words = new Uint32Array(Math.ceil(this.#bits / BITS));
    this.#summary = new Uint32Array(Math.ceil(this.#words.length / BITS));
  }

  /** Bytes covered. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Dirty bytes, in whole units. */
  get dirtyBytes(): number {
    return this.#count * this.granularityBytes;
  }

  get #bits(): number {
    return Math.ceil(this.#sizeBytes / this.granularityBytes);
  }

  /** Marks every unit that the range touches. */
  set(at: number, length: number): void {
    this.#change(Math.floor(at / this.granularityBytes), Math.ceil((at + length) / this.granularityBytes), true);
  }

  /** Clears every unit that lies wholly in the range, or reaches from it to the end. */
  clear(at = 0, length: number = this.#sizeBytes - at): void {
    const end = at + length >= this.#sizeBytes ? this.#bits : Math.floor((at + length) / this.granularityBytes);
    this.#change(Math.ceil(at / this.granularityBytes), end, false);
  }

  /** Whether the unit that holds byte `at` is dirty. */
  has(at: number): boolean {
    const bit = Math.floor(at / this.granularityBytes);
    return (this.#words[Math.floor(bit / BITS)]! >>> bit % BITS & 1) === 1;
  }

  /** The first dirty run in `at` to `end`, cut to `maxBytes`; `undefined` where all is clean. */
  nextDirty(at = 0, end: number = this.#sizeBytes, maxBytes = Infinity): ByteRange | undefined {
    const limit = Math.min(end, this.#sizeBytes);
    const first = this.#find(Math.floor(at / this.granularityBytes), true);
    const start = Math.max(first * this.granularityBytes, at);
    if (start >= limit) return undefined;
    const stop = Math.min(this.#find(first, false) * this.granularityBytes, limit, start + maxBytes);
    return { at: start, length: stop - start };
  }

  /** Follows the node to a new size; what is added is clean. */
  resize(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) {
      const kept = Math.ceil(sizeBytes / this.granularityBytes);
      this.#change(kept, this.#bits, false);
    }
    this.#sizeBytes = sizeBytes;
    const words = new Uint32Array(Math.ceil(this.#bits / BITS));
    words.set(this.#words.subarray(0, words.length));
    const summary = new Uint32Array(Math.ceil(words.length / BITS));
    summary.set(this.#summary.subarray(0, summary.length));
    this.#words = words;
    this.#summary = summary;
  }

  #change(from: number, to: number, value: boolean): void {
    const stop = Math.min(to, this.#bits);
    for (let bit = from; bit < stop;) {
      const index = Math.floor(bit / BITS);
      const low = bit % BITS;
      const count = Math.min(BITS - low, stop - bit);
      const mask = (count === BITS ? 0xffffffff : ((1 << count) - 1) << low) >>> 0;
      const before = this.#words[index]!;
      const after = (value ? before | mask : before & ~mask) >>> 0;
      if (after !== before) {
        this.#words[index] = after;
        this.#count += popCount(after) - popCount(before);
        const group = index >>> 5;
        const flag = 1 << (index & 31);
        this.#summary[group] = after === 0 ? this.#summary[group]! & ~flag : this.#summary[group]! | flag;
      }
      bit += count;
    }
  }

  /** The first bit from `from` that is `value`; the number of bits where there is none. */
  #find(from: number, value: boolean): number {
    const bits = this.#bits;
    for (let bit = from; bit < bits;) {
      const index = Math.floor(bit / BITS);
      if (value && bit % BITS === 0 && this.#summary[index >>> 5] === 0) {
        bit = ((index >>> 5) + 1) * BITS * BITS;
        continue;
      }
      const word = (value ? this.#words[index]! : ~this.#words[index]!) >>> bit % BITS;
      if (word !== 0) return Math.min(bit + Math.clz32(word & -word) * -1 + 31, bits);
      bit = (index + 1) * BITS;
    }
    return bits;
  }
}

function popCount(word: number): number {
  let n = word - (word >>> 1 & 0x55555555);
  n = (n & 0x33333333) + (n >>> 2 & 0x33333333);
  return Math.imul(n + (n >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
