/**
 * The window of a VGA at A0000 to BFFFF: how the CPU's bytes get to the four planes and back.
 *
 * The planes lie side by side in memory, byte `4 * address + plane`, so that 32 bits are one address in all of them;
 * with chain-4 and beyond VGA the same memory is plain. What an access does follows from the registers, and is settled
 * when those change.
 *
 * Source: [IBM VGA] "Sequencer Registers", "Graphics Controller Registers", "Write Mode 0" to "3", "Read Mode 0" and "1".
 *
 * @module
 */
import type { VgaRegisters } from "./vga_registers.ts";

/** Where the window is, by bits 2 and 3 of the graphics controller's miscellaneous register. */
const WINDOWS: readonly (readonly [start: number, length: number])[] = [
  [0x00000, 0x20000],
  [0x00000, 0x10000],
  [0x10000, 0x08000],
  [0x18000, 0x08000],
];

/** Bits 0 to 3 spread over four bytes, each all ones or all zeroes. */
const PLANES = Uint32Array.from(
  { length: 16 },
  (_, bits) =>
    (bits & 1 ? 0xff : 0) + (bits & 2 ? 0xff00 : 0) + (bits & 4 ? 0xff_0000 : 0) + (bits & 8 ? 0xff00_0000 : 0),
);

type Way = "linear" | "odd-even" | "planar";

/** The window. Offsets are from A0000. */
export class VgaMemory {
  readonly #registers: VgaRegisters;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** Bytes that the bank adds, in the 64 KiB window. */
  bankOffset = 0;
  latch = 0;
  /** What the Bochs interface makes of the window: plain memory, planes, or nothing else than VGA. */
  beyondVga: "linear" | "planar" | undefined;
  #way: Way = "odd-even";
  #start = 0;
  #length = 0;
  #isBanked = false;
  #mapMask = 0;

  constructor(registers: VgaRegisters, bytes: Uint8Array) {
    this.#registers = registers;
    this.#bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  }

  /** Registers have changed. */
  settle(): void {
    const { graphics, sequencer } = this.#registers.state;
    const window = (graphics[6]! >> 2) & 3;
    [this.#start, this.#length] = WINDOWS[window]!;
    this.#isBanked = window === 1;
    this.#mapMask = this.beyondVga === undefined ? sequencer[2]! : 0x0f;
    this.#way = this.beyondVga ?? this.#wayOf(sequencer, graphics);
  }

  #wayOf(sequencer: Uint8Array, graphics: Uint8Array): Way {
    return (sequencer[4]! & 8) !== 0 ? "linear" : (graphics[5]! & 0x10) !== 0 ? "odd-even" : "planar";
  }

  read(offset: number): number {
    const at = offset - this.#start;
    if (at < 0 || at >= this.#length) return 0xff;
    const address = this.#isBanked ? at + this.bankOffset : at;
    const { graphics } = this.#registers.state;
    if (this.#way === "linear") return this.#bytes[address] ?? 0xff;
    if (this.#way === "odd-even") {
      return this.#bytes[((address & ~1) << 1) | (graphics[4]! & 2) | (address & 1)] ?? 0xff;
    }
    const latch = this.#words[address];
    if (latch === undefined) return 0xff;
    this.latch = latch;
    if ((graphics[5]! & 0x08) === 0) return (latch >>> (8 * (graphics[4]! & 3))) & 0xff;
    // Read mode 1: ones where the colour compares equal in the planes that care.
    const different = (latch ^ PLANES[graphics[2]! & 15]!) & PLANES[graphics[7]! & 15]!;
    return ~(different | (different >>> 8) | (different >>> 16) | (different >>> 24)) & 0xff;
  }

  write(offset: number, value: number): void {
    const at = offset - this.#start;
    if (at < 0 || at >= this.#length) return;
    const address = this.#isBanked ? at + this.bankOffset : at;
    const { graphics } = this.#registers.state;
    const mapMask = this.#mapMask;
    if (this.#way === "linear") {
      if ((mapMask & (1 << (address & 3))) !== 0) this.#bytes[address] = value;
    } else if (this.#way === "odd-even") {
      const plane = (graphics[4]! & 2) | (address & 1);
      if ((mapMask & (1 << plane)) !== 0) this.#bytes[((address & ~1) << 1) | plane] = value;
    } else if (address < this.#words.length) {
      const mask = PLANES[mapMask & 15]!;
      this.#words[address] = (this.#words[address]! & ~mask) | (this.#mixed(value) & mask);
    }
  }

  /** What a byte of the CPU's becomes in the four planes. */
  #mixed(value: number): number {
    const { graphics } = this.#registers.state;
    const { latch } = this;
    const mode = graphics[5]! & 3;
    if (mode === 1) return latch;
    const rotation = graphics[3]! & 7;
    const rotated = ((value >> rotation) | (value << (8 - rotation))) & 0xff;
    let bitMask = graphics[8]!;
    let colour: number;
    if (mode === 0) {
      const setReset = PLANES[graphics[1]! & 15]!;
      colour = (Math.imul(rotated, 0x01010101) & ~setReset) | (PLANES[graphics[0]! & 15]! & setReset);
    } else if (mode === 2) {
      colour = PLANES[value & 15]!;
    } else {
      bitMask &= rotated;
      colour = PLANES[graphics[0]! & 15]!;
    }
    switch ((graphics[3]! >> 3) & 3) {
      case 1:
        colour &= latch;
        break;
      case 2:
        colour |= latch;
        break;
      case 3:
        colour ^= latch;
    }
    const mask = Math.imul(bitMask, 0x01010101);
    return (colour & mask) | (latch & ~mask);
  }
}
