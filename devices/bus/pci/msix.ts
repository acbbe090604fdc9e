/**
 * MSI-X: interrupts as messages. A table of addresses and data, a mask bit for each and for all, and the bits of those
 * that wait for their mask to go.
 *
 * A message is a write of 4 bytes that the function makes as a bus master, so where it lands is not decided here: at
 * the local APIC's window, or in RAM where a script polls for it.
 *
 * Source: [PCI 3.0] 6.8.2 "MSI-X Capability and Table Structures", 6.8.3 "MSI and MSI-X Operation".
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import { MemoryRegion } from "../memory_region.ts";
import type { ConfigRegister } from "./config_space.ts";

/** The capability's id, and its length. */
export const MSIX_CAPABILITY = 0x11;
export const MSIX_CAPABILITY_BYTES = 12;
export const MAX_MSIX_VECTORS = 2048;

/** Bits of the message control register: [PCI 3.0] 6.8.2.3. */
export const MsixControl = { Enable: 0x8000, FunctionMask: 0x4000 } as const;

const ENTRY_BYTES = 16;
const ENTRY_CONTROL = 12;
const MASKED = 1;
const MIN_BAR_BYTES = 4096;
const HALF_BAR_BYTES = MIN_BAR_BYTES / 2;

/** Volatile state; that of the control register is in configuration space. */
export interface MsixState {
  readonly table: Uint8Array;
  readonly pending: Uint8Array;
}

/** A function's message-signalled interrupts. */
export class Msix {
  readonly vectors: number;
  /** What its BAR shows: the table, then, from the middle or behind the table, the pending bits. */
  readonly region: MemoryRegion;
  readonly #pendingOffset: number;
  readonly #table: DataView<ArrayBuffer>;
  readonly #pending: Uint8Array;
  readonly #send: (address: bigint, data: number) => void;
  #enabled = false;
  /** Not enabled, or masked as a whole. */
  #blocked = true;

  /** `send` writes the 4 bytes of a message. */
  constructor(vectors: number, regionName: string, send: (address: bigint, data: number) => void) {
    assert(vectors > 0 && vectors <= MAX_MSIX_VECTORS, `MSI-X with ${vectors} vectors`);
    this.vectors = vectors;
    this.#send = send;
    this.#table = new DataView(new ArrayBuffer(vectors * ENTRY_BYTES));
    this.#pending = new Uint8Array(Math.ceil(vectors / 64) * 8);
    this.#pendingOffset = Math.max(HALF_BAR_BYTES, vectors * ENTRY_BYTES);
    this.region = MemoryRegion.container(
      regionName,
      2 ** Math.ceil(Math.log2(Math.max(MIN_BAR_BYTES, this.#pendingOffset + this.#pending.length))),
    );
    this.#reset();
    const words = { min: 4, max: 4 } as const;
    const table = MemoryRegion.io("msix-table", this.#table.byteLength, {
      read: (offset) => this.#table.getUint32(offset, true),
      write: (offset, _size, value) => this.#writeTable(offset, value),
      validSizes: words,
      accessSizes: words,
    });
    const pending = MemoryRegion.io("msix-pba", this.#pending.length, {
      read: (offset) => new DataView(this.#pending.buffer).getUint32(offset, true),
      write() {},
      validSizes: words,
      accessSizes: words,
    });
    this.region.add(table, 0);
    this.region.add(pending, this.#pendingOffset);
  }

  /** The registers of the capability at `offset`, for a table in BAR `bar`. */
  registers(offset: number, bar: number): ConfigRegister[] {
    return [
      {
        name: "msix-control",
        offset: offset + 2,
        size: 2,
        reset: this.vectors - 1,
        writable: MsixControl.Enable | MsixControl.FunctionMask,
      },
      { name: "msix-table", offset: offset + 4, size: 4, reset: bar },
      { name: "msix-pending", offset: offset + 8, size: 4, reset: this.#pendingOffset | bar },
    ];
  }

  /** Whether software wants messages; else interrupts go by the pin. */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** Sends message `vector`, or notes that it is due while a mask holds it back; a number beyond the table is nothing. */
  notify(vector: number): void {
    if (vector >= this.vectors || !this.#enabled) return;
    if (this.#isMasked(vector)) this.#pending[vector >> 3]! |= 1 << (vector & 7);
    else this.#sendNow(vector);
  }

  /** Software wrote the control register. */
  control(value: number): void {
    this.#enabled = (value & MsixControl.Enable) !== 0;
    const blocked = !this.#enabled || (value & MsixControl.FunctionMask) !== 0;
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    if (!blocked) { for (let vector = 0; vector < this.vectors; vector++) this.#release(vector); }
  }

  /** Power-on state: every vector masked. */
  reset(): void {
    this.#reset();
    this.#enabled = false;
    this.#blocked = true;
  }

  save(): MsixState {
    return { table: new Uint8Array(this.#table.buffer).slice(), pending: this.#pending.slice() };
  }

  /** Takes up a state of as many vectors; nothing is sent. */
  load({ table, pending }: MsixState): void {
    new Uint8Array(this.#table.buffer).set(table);
    this.#pending.set(pending);
  }

  #reset(): void {
    new Uint8Array(this.#table.buffer).fill(0);
    for (let at = ENTRY_CONTROL; at < this.#table.byteLength; at += ENTRY_BYTES) {
      this.#table.setUint32(at, MASKED, true);
    }
    this.#pending.fill(0);
  }

  #writeTable(offset: number, value: number): void {
    this.#table.setUint32(offset, value, true);
    if (offset % ENTRY_BYTES === ENTRY_CONTROL) this.#release(offset / ENTRY_BYTES | 0);
  }

  #isMasked(vector: number): boolean {
    return this.#blocked || (this.#table.getUint32(vector * ENTRY_BYTES + ENTRY_CONTROL, true) & MASKED) !== 0;
  }

  /** Sends what was held back, now that a mask may be gone. */
  #release(vector: number): void {
    const bit = 1 << (vector & 7);
    if ((this.#pending[vector >> 3]! & bit) === 0 || this.#isMasked(vector)) return;
    this.#pending[vector >> 3]! &= ~bit;
    this.#sendNow(vector);
  }

  #sendNow(vector: number): void {
    const at = vector * ENTRY_BYTES;
    const address = BigInt(this.#table.getUint32(at + 4, true)) << 32n | BigInt(this.#table.getUint32(at, true));
    this.#send(address, this.#table.getUint32(at + 8, true));
  }
}
