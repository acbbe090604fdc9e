/**
 * A long row of bits that takes memory only where some are set and some are not.
 *
 * The row is cut into chunks. One that is all clean is absent, one that is all set is a mark, so that neither costs
 * more than a slot in a list; the list is short even for the longest row. Bytes in and out have the layout of a qcow2
 * bitmap: the first bit is the lowest one of the first byte.
 *
 * @module
 */
import { assert } from "../base/assert.ts";

const WORD_BITS = 32;
/** A short row is one chunk of its own length; a long one has chunks of 4 KiB, and larger ones where they get too many. */
const LEAST_CHUNK_BITS = 64;
const USUAL_CHUNK_BITS = 2 ** 15;
const MAX_CHUNKS = 2 ** 20;

/** Every bit of the chunk is set. */
const FULL = Symbol("full");

/** A chunk in which some bits are set and some are not. */
class Chunk {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
  count: number;

  constructor(bits: number, full: boolean) {
    this.words = new Uint32Array(bits / WORD_BITS);
    this.bytes = new Uint8Array(this.words.buffer);
    if (full) this.words.fill(0xffffffff);
    this.count = full ? bits : 0;
  }

  recount(): void {
    let count = 0;
    for (const word of this.words) if (word !== 0) count += popCount(word);
    this.count = count;
  }
}

/** Bits 0 to `length` - 1. */
export class BitmapBits {
  #chunkBits: number;
  #length: number;
  #count = 0;
  /** Made when the first bit is set. */
  #chunks: (Chunk | typeof FULL | undefined)[] = [];

  constructor(length: number) {
    assert(Number.isSafeInteger(length) && length >= 0, `a bitmap of ${length} bits`);
    this.#length = length;
    this.#chunkBits = chunkBitsFor(length);
  }

  get length(): number {
    return this.#length;
  }

  /** How many bits are set. */
  get count(): number {
    return this.#count;
  }

  /** Bytes that all bits take, one after the other. */
  get byteLength(): number {
    return Math.ceil(this.#length / 8);
  }

  has(bit: number): boolean {
    const chunk = this.#chunks[Math.floor(bit / this.#chunkBits)];
    if (chunk === undefined || chunk === FULL) return chunk === FULL;
    const low = bit % this.#chunkBits;
    return (chunk.words[low >>> 5]! >>> (low & 31) & 1) === 1;
  }

  /** Sets or clears bits `from` to `to` - 1; what lies behind the end is left out. */
  change(from: number, to: number, value: boolean): void {
    const end = Math.min(to, this.#length);
    for (let bit = from; bit < end;) {
      const index = Math.floor(bit / this.#chunkBits);
      const start = index * this.#chunkBits;
      const stop = Math.min(start + this.#chunkBits, end);
      if (stop - bit === this.#chunkBits) this.#replace(index, value ? FULL : undefined);
      else this.#changeIn(index, bit - start, stop - start, value);
      bit = stop;
    }
  }

  /** The first bit from `from` on, and before `limit`, that is `value`; `limit` or the length where there is none. */
  next(from: number, value: boolean, limit: number = this.#length): number {
    const end = Math.min(limit, this.#length);
    for (let bit = from; bit < end;) {
      const index = Math.floor(bit / this.#chunkBits);
      const start = index * this.#chunkBits;
      const chunk = this.#chunks[index];
      if (chunk === undefined || chunk === FULL) {
        if ((chunk === FULL) === value) return bit;
      } else {
        const found = nextIn(chunk.words, bit - start, value);
        if (found >= 0) return Math.min(start + found, end);
      }
      bit = start + this.#chunkBits;
    }
    return end;
  }

  /** Takes another length; bits that are added are clean, those that are cut off are forgotten. */
  resize(length: number): void {
    if (length < this.#length) {
      this.change(length, this.#length, false);
      this.#chunks.length = Math.min(this.#chunks.length, Math.ceil(length / this.#chunkBits));
    }
    if (chunkBitsFor(length) > this.#chunkBits) this.#cutAnew(length);
    this.#length = length;
  }

  #cutAnew(length: number): void {
    const larger = new BitmapBits(length);
    larger.#addRuns(this);
    this.#chunkBits = larger.#chunkBits;
    this.#chunks = larger.#chunks;
  }

  /** Sets every bit that is set in `other`, which has the same length. */
  or(other: BitmapBits): void {
    assert(other.#length === this.#length, "bitmaps of one length");
    if (other.#chunkBits !== this.#chunkBits) return this.#addRuns(other);
    other.#chunks.forEach((from, index) => {
      const into = this.#chunks[index];
      if (from === undefined || into === FULL) return;
      if (from === FULL) return this.#replace(index, FULL);
      const chunk = this.#writable(index);
      const before = chunk.count;
      for (let i = 0; i < chunk.words.length; i++) chunk.words[i]! |= from.words[i]!;
      chunk.recount();
      this.#settle(index, chunk, before);
    });
  }

  #addRuns(other: BitmapBits): void {
    for (let bit = other.next(0, true); bit < other.#length;) {
      const end = other.next(bit, false);
      this.change(bit, end, true);
      bit = other.next(end, true);
    }
  }

  /** Fills `into` with the bytes from byte `at` on; beyond the end they are 0. */
  read(at: number, into: Uint8Array): void {
    const chunkBytes = this.#chunkBits / 8;
    for (let done = 0; done < into.length;) {
      const index = Math.floor((at + done) / chunkBytes);
      const low = at + done - index * chunkBytes;
      const length = Math.min(chunkBytes - low, into.length - done);
      const chunk = this.#chunks[index];
      if (chunk === undefined) into.fill(0, done, done + length);
      else if (chunk === FULL) into.fill(0xff, done, done + length);
      else into.set(chunk.bytes.subarray(low, low + length), done);
      done += length;
    }
  }

  /** Takes over bytes from byte `at` on; bits beyond the end are left out. */
  write(at: number, bytes: Uint8Array): void {
    const chunkBytes = this.#chunkBits / 8;
    const end = Math.min(bytes.length, this.byteLength - at);
    for (let done = 0; done < end;) {
      const index = Math.floor((at + done) / chunkBytes);
      const low = at + done - index * chunkBytes;
      const part = bytes.subarray(done, Math.min(done + chunkBytes - low, end));
      done += part.length;
      if (this.#chunks[index] === undefined && !part.some((byte) => byte !== 0)) continue;
      const chunk = this.#writable(index);
      const before = chunk.count;
      chunk.bytes.set(part, low);
      const inside = this.#length - index * this.#chunkBits;
      if (inside < this.#chunkBits) clearTail(chunk.words, inside);
      chunk.recount();
      this.#settle(index, chunk, before);
    }
  }

  #countOf(index: number): number {
    const chunk = this.#chunks[index];
    return chunk === undefined ? 0 : chunk === FULL ? this.#chunkBits : chunk.count;
  }

  #replace(index: number, chunk: typeof FULL | undefined): void {
    const before = this.#countOf(index);
    const after = chunk === FULL ? this.#chunkBits : 0;
    if (before === after) return;
    this.#makeList();
    this.#chunks[index] = chunk;
    this.#count += after - before;
  }

  #makeList(): void {
    if (this.#chunks.length === 0) this.#chunks.length = Math.ceil(this.#length / this.#chunkBits);
  }

  #writable(index: number): Chunk {
    this.#makeList();
    const chunk = this.#chunks[index];
    if (chunk !== undefined && chunk !== FULL) return chunk;
    return this.#chunks[index] = new Chunk(this.#chunkBits, chunk === FULL);
  }

  /** After a chunk was changed that had `before` bits set. */
  #settle(index: number, chunk: Chunk, before: number): void {
    this.#count += chunk.count - before;
    if (chunk.count === 0) this.#chunks[index] = undefined;
    else if (chunk.count === this.#chunkBits) this.#chunks[index] = FULL;
  }

  #changeIn(index: number, from: number, to: number, value: boolean): void {
    const present = this.#chunks[index];
    if (present === (value ? FULL : undefined)) return;
    const chunk = this.#writable(index);
    const before = chunk.count;
    const { words } = chunk;
    for (let bit = from; bit < to;) {
      const low = bit & 31;
      const count = Math.min(WORD_BITS - low, to - bit);
      const mask = (count === WORD_BITS ? 0xffffffff : ((1 << count) - 1) << low) >>> 0;
      const old = words[bit >>> 5]!;
      const now = (value ? old | mask : old & ~mask) >>> 0;
      if (now !== old) {
        words[bit >>> 5] = now;
        chunk.count += popCount(now) - popCount(old);
      }
      bit += count;
    }
    this.#settle(index, chunk, before);
  }
}

function chunkBitsFor(length: number): number {
  let bits = LEAST_CHUNK_BITS;
  while (bits < USUAL_CHUNK_BITS && bits < length) bits *= 2;
  while (length / bits > MAX_CHUNKS) bits *= 2;
  return bits;
}

/** The first bit from `from` on that is `value`, or -1. */
function nextIn(words: Uint32Array, from: number, value: boolean): number {
  let index = from >>> 5;
  let word = (value ? words[index]! : ~words[index]!) >>> (from & 31) << (from & 31);
  while (word === 0) {
    if (++index >= words.length) return -1;
    word = value ? words[index]! : ~words[index]!;
  }
  return index * WORD_BITS + 31 - Math.clz32(word & -word);
}

function clearTail(words: Uint32Array, length: number): void {
  const first = Math.ceil(length / WORD_BITS);
  if (length % WORD_BITS !== 0) words[first - 1]! &= (1 << length % WORD_BITS) - 1;
  words.fill(0, first);
}

function popCount(word: number): number {
  let n = word - (word >>> 1 & 0x55555555);
  n = (n & 0x33333333) + (n >>> 2 & 0x33333333);
  return Math.imul(n + (n >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
