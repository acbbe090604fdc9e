/**
 * Guest RAM as rings and requests reach it: the whole block of RAM that was touched last, for the length of one batch.
 *
 * A view of RAM costs more than all else that a short request does with it, so one is taken for many. It is dropped at
 * the end of the batch, since what lies at an address may be another thing after it.
 *
 * @module
 */
import type { AddressSpace } from "../bus/mod.ts";

/** A block of RAM: `bytes[0]` is at `start`. */
export interface RamWindow {
  readonly start: number;
  readonly end: number;
  readonly writable: boolean;
  readonly bytes: Uint8Array;
}

/** Guest memory as a device masters it: RAM only, and only while it may. */
export class RingMemory {
  readonly #space: () => AddressSpace;
  #window: RamWindow | undefined;

  /** `space` is asked for whenever a view is taken. */
  constructor(space: () => AddressSpace) {
    this.#space = space;
  }

  /** The block that holds all of `lengthBytes` at `address`, of writable RAM where that is wanted. */
  windowAt(address: number, lengthBytes: number, forWriting: boolean): RamWindow | undefined {
    let window = this.#window;
    if (window === undefined || address < window.start || address >= window.end) {
      const range = this.#space().find(address);
      if (range?.ram === undefined) return undefined;
      const { start, end, offset, readonly } = range;
      window = { start, end, writable: !readonly, bytes: range.ram.slice(offset, end - start) };
      this.#window = window;
    }
    return address + lengthBytes <= window.end && (!forWriting || window.writable) ? window : undefined;
  }

  /** As much of `lengthBytes` at `address` as is one piece of RAM; `undefined` where there is none. */
  ramAt(address: number, lengthBytes: number, forWriting: boolean): Uint8Array | undefined {
    const window = this.windowAt(address, 1, forWriting);
    if (window === undefined) return undefined;
    const at = address - window.start;
    return window.bytes.subarray(at, Math.min(at + lengthBytes, window.bytes.length));
  }

  /** A view of exactly `lengthBytes` of RAM. */
  viewAt(address: number, lengthBytes: number, forWriting: boolean): DataView | undefined {
    const window = this.windowAt(address, lengthBytes, forWriting);
    if (window === undefined) return undefined;
    return new DataView(window.bytes.buffer, window.bytes.byteOffset + address - window.start, lengthBytes);
  }

  /** Bytes of RAM were written. */
  changed(address: number, lengthBytes: number): void {
    this.#space().changed(address, lengthBytes);
  }

  /** Lets go of RAM: a batch has ended. */
  drop(): void {
    this.#window = undefined;
  }
}
