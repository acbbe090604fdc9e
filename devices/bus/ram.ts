/**
 * Memory that a device reads and writes by itself (DMA).
 *
 * The accelerator owns the bytes and may move them (WebAssembly memory that grows), so a slice is taken for one request
 * and never kept.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";

/** Byte-addressed memory: a RAM block by offset, or a whole address space by guest-physical address. */
export interface GuestRam {
  readonly sizeBytes: number;
  /** Fills `into` from `address`; what is not memory there reads as the address space says (ones or zeroes). */
  read(address: number, into: Uint8Array): void;
  /** Writes `bytes` to `address`; what lands on no memory is lost. */
  write(address: number, bytes: Uint8Array): void;
  /** The bytes themselves, for the length of one request; after writing to them call {@link changed}. */
  slice(address: number, lengthBytes: number): Uint8Array;
  /** Says that bytes of a slice were written: a CPU drops what it translated from them. */
  changed(address: number, lengthBytes: number): void;
}

/** RAM in one buffer of its own: the qtest accelerator's, ROMs, tests. */
export class PlainRam implements GuestRam {
  readonly #bytes: Uint8Array;

  constructor(source: number | Uint8Array) {
    this.#bytes = typeof source === "number" ? new Uint8Array(source) : source;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  read(address: number, into: Uint8Array): void {
    into.set(this.slice(address, into.length));
  }

  write(address: number, bytes: Uint8Array): void {
    this.slice(address, bytes.length).set(bytes);
  }

  slice(address: number, lengthBytes: number): Uint8Array {
    // Asked first: the message would cost more than the slice.
    if (address < 0 || address + lengthBytes > this.#bytes.length) {
      assert(false, `RAM ${address}+${lengthBytes} out of bounds`);
    }
    return this.#bytes.subarray(address, address + lengthBytes);
  }

  changed(): void {}
}
