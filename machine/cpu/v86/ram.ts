/**
 * Guest RAM inside the core's linear memory.
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import type { GuestRam } from "../../../devices/bus/mod.ts";
import type { Core } from "./core.ts";

/** RAM of whatever core `core` gives. */
export class CoreRam implements GuestRam {
  readonly sizeBytes: number;
  readonly #core: () => Core;

  constructor(sizeBytes: number, core: () => Core) {
    this.sizeBytes = sizeBytes;
    this.#core = core;
  }

  read(address: number, into: Uint8Array): void {
    into.set(this.slice(address, into.length));
  }

  write(address: number, bytes: Uint8Array): void {
    this.slice(address, bytes.length).set(bytes);
  }

  slice(address: number, lengthBytes: number): Uint8Array {
    assert(address >= 0 && address + lengthBytes <= this.sizeBytes, `RAM ${address}+${lengthBytes} out of bounds`);
    return this.#core().ram.subarray(address, address + lengthBytes);
  }

  changed(address: number, lengthBytes: number): void {
    this.#core().changed(address, lengthBytes);
  }
}
