/**
 * Graphics modes: dots (int 10h, functions 0Ch and 0Dh), characters drawn from dots, and scrolling them.
 *
 * Left out: reading back characters (08h), colours of characters' grounds in mode 13h.
 *
 * Source: [IBM VGA TR] "Graphics Modes", "Write Modes"; Ralf Brown's Interrupt List, INT 10h, AH=09h, 0Ch, 0Dh.
 *
 * @module
 */
import { linear } from "./call.ts";
import { BDA, type FirmwareSite } from "./site.ts";
import type { VideoMode } from "./video_modes.ts";

const PLANES = 0xa0000;
const CGA = 0xb8000;
/** CGA's odd lines lie behind all even ones. */
const ODD_LINES = 0x2000;
const CGA_LINE_BYTES = 80;
const GRAPHICS = 0x3ce;
const REGISTER = { rotate: 3, readPlane: 4, mode: 5, mask: 8 } as const;
const WRITE_MODE = { plain: 0, latches: 1, colour: 2 } as const;
const EXCLUSIVE_OR = 0x18;
/** In a colour: combine with what is there. */
const XOR = 0x80;
const FONT_VECTOR = 0x43 * 4;
const DOTS = 8;

/** Part of the screen, in characters; the last row and column are within. */
export interface TextWindow {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** The functions; modes are those of graphics. */
export class VideoDots {
  readonly #site: FirmwareSite;

  constructor(site: FirmwareSite) {
    this.#site = site;
  }

  /** Sets a dot; with bit 7 of the colour it is changed by it. */
  set(mode: VideoMode, page: number, x: number, y: number, colour: number): void {
    if (!isInside(mode, x, y)) return;
    const { memory } = this.#site;
    switch (mode.kind) {
      case "planes":
        this.#withColours(colour, () => this.#paint(this.#at(mode, page, x, y), 0x80 >> (x & 7), colour & 0x0f));
        return;
      case "bytes":
        return memory.writeValue(this.#at(mode, page, x, y), 1, colour);
      default: {
        const { at, shift, mask } = packedPlace(mode, x, y);
        const before = memory.readValue(at, 1);
        const value = (colour & mask) << shift;
        const after = (colour & XOR) !== 0 ? before ^ value : (before & ~(mask << shift)) | value;
        memory.writeValue(at, 1, after);
      }
    }
  }

  /** The colour of a dot; 0 outside of the screen. */
  get(mode: VideoMode, page: number, x: number, y: number): number {
    if (!isInside(mode, x, y)) return 0;
    const { memory } = this.#site;
    switch (mode.kind) {
      case "planes": {
        let colour = 0;
        for (let plane = 0; plane < 4; plane++) {
          this.#setRegister(REGISTER.readPlane, plane);
          const bit = (memory.readValue(this.#at(mode, page, x, y), 1) >> (7 - (x & 7))) & 1;
          colour |= bit << plane;
        }
        this.#setRegister(REGISTER.readPlane, 0);
        return colour;
      }
      case "bytes":
        return memory.readValue(this.#at(mode, page, x, y), 1);
      default: {
        const { at, shift, mask } = packedPlace(mode, x, y);
        return (memory.readValue(at, 1) >> shift) & mask;
      }
    }
  }

  /** Draws a character in `colour` on black. */
  draw(mode: VideoMode, page: number, column: number, row: number, code: number, colour: number): void {
    const { memory } = this.#site;
    const height = this.#height(mode);
    const font = linear(memory.readValue(FONT_VECTOR + 2, 2), memory.readValue(FONT_VECTOR, 2));
    const dots = new Uint8Array(height);
    memory.read(font + code * height, dots);
    const x = column * DOTS;
    if (mode.kind === "planes") {
      return this.#withColours(colour, () => {
        for (const [line, bits] of dots.entries()) {
          const y = row * height + line;
          if (!isInside(mode, x, y)) return;
          const at = this.#at(mode, page, x, y);
          this.#paint(at, bits, colour & 0x0f);
          if ((colour & XOR) === 0) this.#paint(at, ~bits & 0xff, 0);
        }
      });
    }
    const isKept = (colour & XOR) !== 0 && mode.kind !== "bytes";
    for (const [line, bits] of dots.entries()) {
      for (let dot = 0; dot < DOTS; dot++) {
        const isLit = ((bits >> (7 - dot)) & 1) !== 0;
        if (isLit || !isKept) this.set(mode, page, x + dot, row * height + line, isLit ? colour : 0);
      }
    }
  }

  /** Moves what is in the window by `lines` rows of characters, up or down; what comes in has `colour`. */
  scroll(mode: VideoMode, direction: "up" | "down", lines: number, colour: number, window: TextWindow): void {
    const height = this.#height(mode);
    const page = this.#site.memory.readValue(BDA.page, 1);
    // Rows and columns in the data area may be any numbers: nothing beyond the screen is moved.
    const first = window.top * height;
    const end = Math.min((window.bottom + 1) * height, mode.rows * mode.characterHeight);
    const count = end - first;
    if (count <= 0 || window.left >= mode.columns) return;
    const by = Math.min(lines * height, count);
    const planes = mode.kind === "planes";
    if (planes) this.#setRegister(REGISTER.mode, WRITE_MODE.latches);
    for (let line = 0; line < count - by; line++) {
      const to = direction === "up" ? first + line : first + count - 1 - line;
      this.#copyLine(mode, page, window, direction === "up" ? to + by : to - by, to);
    }
    if (planes) this.#setRegister(REGISTER.mode, WRITE_MODE.colour);
    for (let line = 0; line < by; line++) {
      this.#fillLine(mode, page, window, direction === "up" ? first + count - 1 - line : first + line, colour);
    }
    if (planes) this.#setRegister(REGISTER.mode, WRITE_MODE.plain);
  }

  #copyLine(mode: VideoMode, page: number, window: TextWindow, from: number, to: number): void {
    const { memory } = this.#site;
    const { at: source, bytes } = this.#span(mode, page, window, from);
    const { at: target } = this.#span(mode, page, window, to);
    if (mode.kind === "planes") {
      // A read fills the latches of all planes, a write empties them.
      for (let i = 0; i < bytes; i++) {
        memory.readValue(source + i, 1);
        memory.writeValue(target + i, 1, 0);
      }
      return;
    }
    const line = new Uint8Array(bytes);
    memory.read(source, line);
    memory.write(target, line);
  }

  #fillLine(mode: VideoMode, page: number, window: TextWindow, y: number, colour: number): void {
    const { at, bytes } = this.#span(mode, page, window, y);
    const value = mode.kind === "pairs" ? (colour & 3) * 0x55 : mode.kind === "bits" ? (colour & 1) * 0xff : colour;
    this.#site.memory.write(at, new Uint8Array(bytes).fill(value));
  }

  /** The part of a line of dots that is within the window. */
  #span(mode: VideoMode, page: number, { left, right }: TextWindow, y: number): { at: number; bytes: number } {
    const perCharacter = mode.kind === "bytes" ? DOTS : mode.kind === "pairs" ? 2 : 1;
    const bytes = (Math.min(right, mode.columns - 1) - left + 1) * perCharacter;
    if (mode.kind === "planes" || mode.kind === "bytes") return { at: this.#at(mode, page, left * DOTS, y), bytes };
    return { at: packedPlace(mode, left * DOTS, y).at, bytes };
  }

  /** Where a dot of planes or bytes lies. */
  #at(mode: VideoMode, page: number, x: number, y: number): number {
    if (mode.kind === "bytes") return PLANES + y * mode.columns * DOTS + x;
    return PLANES + ((page * mode.pageBytes + y * mode.columns + (x >> 3)) & 0xffff);
  }

  /** Changes the dots of one byte to a colour. */
  #paint(at: number, mask: number, colour: number): void {
    if (mask === 0) return;
    const { memory } = this.#site;
    this.#setRegister(REGISTER.mask, mask);
    memory.readValue(at, 1);
    memory.writeValue(at, 1, colour);
  }

  /** Registers such that what is written is a colour. */
  #withColours(colour: number, work: () => void): void {
    this.#setRegister(REGISTER.mode, WRITE_MODE.colour);
    this.#setRegister(REGISTER.rotate, (colour & XOR) !== 0 ? EXCLUSIVE_OR : 0);
    work();
    this.#setRegister(REGISTER.mode, WRITE_MODE.plain);
    this.#setRegister(REGISTER.rotate, 0);
    this.#setRegister(REGISTER.mask, 0xff);
  }

  #height(mode: VideoMode): number {
    const height = this.#site.memory.readValue(BDA.characterHeight, 2);
    return height >= 1 && height <= 32 ? height : mode.characterHeight;
  }

  #setRegister(index: number, value: number): void {
    this.#site.ports.writeValue(GRAPHICS, 1, index);
    this.#site.ports.writeValue(GRAPHICS + 1, 1, value);
  }
}

/** Where a dot of CGA's modes lies. */
function packedPlace({ kind }: VideoMode, x: number, y: number): { at: number; shift: number; mask: number } {
  const line = CGA + (y & 1) * ODD_LINES + (y >> 1) * CGA_LINE_BYTES;
  if (kind === "pairs") return { at: line + (x >> 2), shift: 6 - 2 * (x & 3), mask: 3 };
  return { at: line + (x >> 3), shift: 7 - (x & 7), mask: 1 };
}

function isInside(mode: VideoMode, x: number, y: number): boolean {
  return x < mode.columns * DOTS && y < mode.rows * mode.characterHeight;
}
