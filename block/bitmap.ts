/**
 * A dirty bitmap: which parts of a node were written since it was cleared, and what may be done with it.
 *
 * One bit stands for `granularityBytes` of the node. Whether a bitmap outlives its node is the driver's affair
 * (`BitmapStore` in driver.ts); what users do with bitmaps by name is in bitmap_actions.ts.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { isPowerOfTwo } from "../base/bits.ts";
import { BitmapBits } from "./bitmap_bits.ts";
import { BlockError } from "./errors.ts";

/** The smallest granularity, in bytes. */
export const MIN_GRANULARITY_BYTES = 512;

/** A run of bytes. */
export interface ByteRange {
  readonly at: number;
  readonly length: number;
}

/** What lists show of a bitmap: QEMU's BlockDirtyInfo. */
export interface DirtyBitmapInfo {
  /** Absent where the bitmap has none. */
  readonly name?: string;
  readonly granularityBytes: number;
  /** Dirty bytes, in whole units. */
  readonly dirtyBytes: number;
  /** Writes are marked in it. */
  readonly recording: boolean;
  /** A job or an export uses it. */
  readonly busy: boolean;
  readonly persistent: boolean;
  /** What it says of the image is not to be trusted; it can only be removed. */
  readonly inconsistent: boolean;
}

/** A set of byte ranges, in units of its granularity. */
export class DirtyBitmap {
  readonly name: string;
  readonly granularityBytes: number;
  /** While off, writes leave the bitmap as it is. */
  enabled = true;
  /** The image keeps it. */
  persistent = false;
  /** It lies in an image that is not open for writing, so that it cannot change. */
  readOnly = false;
  /** The image was not closed as it should have been: nobody knows what was written. */
  inconsistent = false;
  /** A job or an export uses it, and nobody else may. */
  busy = false;
  /** The units, for those who store them. */
  readonly bits: BitmapBits;
  #sizeBytes: number;

  /** Covers `sizeBytes`; `granularityBytes` is a power of two from 512. */
  constructor(options: { name?: string; sizeBytes: number; granularityBytes?: number }) {
    this.name = options.name ?? "";
    this.granularityBytes = options.granularityBytes ?? 65536;
    assert(
      isPowerOfTwo(this.granularityBytes) && this.granularityBytes >= MIN_GRANULARITY_BYTES,
      "a granularity is a power of two from 512",
    );
    this.#sizeBytes = options.sizeBytes;
    this.bits = new BitmapBits(Math.ceil(options.sizeBytes / this.granularityBytes));
  }

  /** Bytes covered. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Dirty bytes, in whole units. */
  get dirtyBytes(): number {
    return this.bits.count * this.granularityBytes;
  }

  /** What lists show. */
  get info(): DirtyBitmapInfo {
    const { granularityBytes, dirtyBytes, busy, persistent, inconsistent } = this;
    return {
      ...(this.name === "" ? {} : { name: this.name }),
      granularityBytes,
      dirtyBytes,
      recording: this.enabled,
      busy,
      persistent,
      inconsistent,
    };
  }

  /** Refuses what the bitmap's state does not allow. @throws {BlockError} in QEMU's words */
  refuseUnusable(allow: { readonly readOnly?: boolean; readonly inconsistent?: boolean } = {}): void {
    const { name } = this;
    if (this.busy) throw stateError(`Bitmap '${name}' is currently in use by another operation and cannot be used`);
    if (this.readOnly && allow.readOnly !== true) {
      throw stateError(`Bitmap '${name}' is readonly and cannot be modified`);
    }
    if (!this.inconsistent || allow.inconsistent === true) return;
    throw stateError(
      `Bitmap '${name}' is inconsistent and cannot be used`,
      "Try block-dirty-bitmap-remove to delete this bitmap from disk",
    );
  }

  /** Marks every unit that the range touches. */
  set(at: number, length: number): void {
    const { granularityBytes } = this;
    this.bits.change(Math.floor(at / granularityBytes), Math.ceil((at + length) / granularityBytes), true);
  }

  /** Clears every unit that lies wholly in the range, or reaches from it to the end. */
  clear(at = 0, length: number = this.#sizeBytes - at): void {
    const { granularityBytes } = this;
    const end = at + length >= this.#sizeBytes ? this.bits.length : Math.floor((at + length) / granularityBytes);
    this.bits.change(Math.ceil(at / granularityBytes), end, false);
  }

  /** Whether the unit that holds byte `at` is dirty. */
  has(at: number): boolean {
    return this.bits.has(Math.floor(at / this.granularityBytes));
  }

  /** The first dirty run in `at` to `end`, cut to `maxBytes`; `undefined` where all is clean. */
  nextDirty(at = 0, end: number = this.#sizeBytes, maxBytes = Infinity): ByteRange | undefined {
    return this.#next(true, at, end, maxBytes);
  }

  /** The first clean run in `at` to `end`, cut to `maxBytes`; `undefined` where all is dirty. */
  nextZero(at = 0, end: number = this.#sizeBytes, maxBytes = Infinity): ByteRange | undefined {
    return this.#next(false, at, end, maxBytes);
  }

  #next(dirty: boolean, at: number, end: number, maxBytes: number): ByteRange | undefined {
    const { bits, granularityBytes } = this;
    const limit = Math.min(end, this.#sizeBytes);
    const stopBit = Math.ceil(limit / granularityBytes);
    const first = bits.next(Math.floor(at / granularityBytes), dirty, stopBit);
    const start = Math.max(first * granularityBytes, at);
    if (start >= limit || first >= stopBit) return undefined;
    const wanted = Math.min(limit, start + maxBytes);
    const stop = bits.next(first + 1, !dirty, Math.ceil(wanted / granularityBytes)) * granularityBytes;
    return { at: start, length: Math.min(stop, wanted) - start };
  }

  /** From where to where the units reach that a run touches. */
  unitsOf({ at, length }: ByteRange): readonly [number, number] {
    const unit = this.granularityBytes;
    return [at - at % unit, Math.min(Math.ceil((at + length) / unit) * unit, this.#sizeBytes)];
  }

  /** Marks what is dirty in `other`, which covers as many bytes; units may differ. */
  merge(other: DirtyBitmap): void {
    assert(other.sizeBytes === this.#sizeBytes, "bitmaps of one size are merged");
    if (other === this) return;
    if (other.granularityBytes === this.granularityBytes) return this.bits.or(other.bits);
    for (let at = 0;;) {
      const run = other.nextDirty(at);
      if (run === undefined) return;
      this.set(run.at, run.length);
      at = run.at + run.length;
    }
  }

  /** Follows the node to a new size; what is added is clean. */
  resize(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes;
    this.bits.resize(Math.ceil(sizeBytes / this.granularityBytes));
  }
}

function stateError(text: string, help?: string): BlockError {
  return new BlockError({ kind: "state", text }, help === undefined ? {} : { help });
}
