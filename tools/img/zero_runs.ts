/**
 * Where a buffer is zero, unit by unit: what `convert` leaves out.
 *
 * A unit whose first, middle or last word is not zero is data without more ado, so that ordinary data is hardly looked
 * at; long zeroes are compared as one piece.
 *
 * @module
 */
import { isZero } from "../../base/io_vector.ts";

/** Bytes `start` to `end` of a buffer: zero, or not (wholly) zero. */
export interface ZeroRun {
  readonly start: number;
  readonly end: number;
  readonly zero: boolean;
}

const WORD_BYTES = 4;
/** Compared at once where its ends are zero. */
const STRETCH_BYTES = 64 * 1024;

/** How a buffer is cut. */
export interface ZeroCut {
  /** A power of two, at least 512. */
  readonly unitBytes: number;
  /** Shorter runs of zeroes between data count as data; 0: all do, and the whole buffer is one run. */
  readonly sparseBytes: number;
}

/** The runs of `bytes`, in order; the last unit may be cut short. */
export function zeroRuns(bytes: Uint8Array, cut: ZeroCut): ZeroRun[] {
  const { length } = bytes;
  const { unitBytes, sparseBytes } = cut;
  if (sparseBytes === 0) return [{ start: 0, end: length, zero: false }];
  const runs: ZeroRun[] = [];
  const words = wordsOf(bytes);
  let start = 0;
  let zero = false;
  for (let at = 0; at < length;) {
    const stretch = Math.min(STRETCH_BYTES, length - at);
    let end = Math.min(at + unitBytes, length);
    let now: boolean;
    // Where a stretch is zero its units need not be asked one by one.
    if (unitBytes < stretch && seemsZero(words, at, stretch) && isZero(bytes.subarray(at, at + stretch))) {
      now = true;
      end = at + stretch;
    } else now = seemsZero(words, at, end - at) && isZero(bytes.subarray(at, end));
    if (now !== zero) {
      if (at > start) runs.push({ start, end: at, zero });
      start = at;
      zero = now;
    }
    at = end;
  }
  if (length > start) runs.push({ start, end: length, zero });
  return sparseBytes <= unitBytes ? runs : withoutShortZeroes(runs, sparseBytes);
}

/** Zeroes between data that are too few to be worth a hole become data. */
function withoutShortZeroes(runs: readonly ZeroRun[], sparseBytes: number): ZeroRun[] {
  const merged: ZeroRun[] = [];
  for (const [index, run] of runs.entries()) {
    const inner = index > 0 && index < runs.length - 1;
    const zero = run.zero && !(inner && run.end - run.start < sparseBytes);
    const last = merged.at(-1);
    if (last !== undefined && last.zero === zero) merged[merged.length - 1] = { ...last, end: run.end };
    else merged.push({ ...run, zero });
  }
  return merged;
}

/** The bytes as words, where they lie so; else nothing is known of them beforehand. */
function wordsOf(bytes: Uint8Array): Uint32Array | undefined {
  if (bytes.byteOffset % WORD_BYTES !== 0) return undefined;
  return new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / WORD_BYTES));
}

/** False where `length` bytes at `at` are surely not all zero. */
function seemsZero(words: Uint32Array | undefined, at: number, length: number): boolean {
  if (words === undefined || length < WORD_BYTES) return true;
  const first = at / WORD_BYTES;
  const count = Math.floor(length / WORD_BYTES);
  return words[first] === 0 && words[first + (count >> 1)] === 0 && words[first + count - 1] === 0;
}
