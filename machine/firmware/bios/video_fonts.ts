/**
 * Int 10h, function 11h: fonts of the ROM and of programs, and how many rows of text follow from them.
 *
 * Left out: two fonts of 256 characters at once beyond choosing them (03h).
 *
 * Source: [IBM VGA TR] "BIOS", "Character Generator"; Ralf Brown's Interrupt List, INT 10h, AH=11h.
 *
 * @module
 */
import { type FirmwareCall, linear } from "./call.ts";
import { type FontHeight, planeFont } from "./font.ts";
import { FONT_OFFSETS, ROM_SEGMENT } from "./rom.ts";
import { BDA, type FirmwareSite } from "./site.ts";

const PLANES = 0xa0000;
const SEQUENCER = 0x3c4;
const GRAPHICS = 0x3ce;
const CRTC = 0x3d4;
/** Where the two vectors lead that point to fonts: of the upper half of 8 by 8 dots, and of graphics modes. */
const VECTOR = { upper: 0x1f * 4, graphics: 0x43 * 4 } as const;
const UPPER_HALF = 128;
const BLOCK_BYTES = 0x2000;
const TEXT_LINES = 400;
/** With these registers the third plane lies alone at A0000. */
const PLANE_ACCESS = [
  [SEQUENCER, 2, 0x04],
  [SEQUENCER, 4, 0x06],
  [GRAPHICS, 4, 0x02],
  [GRAPHICS, 5, 0x00],
  [GRAPHICS, 6, 0x04],
] as const;
const MAX_HEIGHT = 32;

/** Fonts by the low digit of the subfunction that loads them. */
const ROM_FONTS: Readonly<Record<number, FontHeight>> = { 1: 14, 2: 8, 4: 16 };

/** The function. */
export class VideoFonts {
  readonly #site: FirmwareSite;

  constructor(site: FirmwareSite) {
    this.#site = site;
  }

  /** What a mode begins with: characters of this height, in the plane where it is a text mode. */
  start(height: FontHeight, isText: boolean): void {
    const { memory } = this.#site;
    if (isText) this.#load(this.#romFont(height), height, 0, 0);
    this.#setVector(VECTOR.upper, ROM_SEGMENT, FONT_OFFSETS[8] + UPPER_HALF * 8);
    this.#setVector(VECTOR.graphics, ROM_SEGMENT, FONT_OFFSETS[height]);
    memory.writeValue(BDA.characterHeight, 2, height);
  }

  /** Function 11h. */
  call(call: FirmwareCall): void {
    const { memory } = this.#site;
    const kind = call.al & 0x0f;
    switch (call.al & 0xf0) {
      case 0x00:
      case 0x10: {
        if (kind === 3) return this.#setIndexed(SEQUENCER, 3, call.bl);
        const romHeight = ROM_FONTS[kind];
        if (kind !== 0 && romHeight === undefined) return;
        const height = romHeight ?? call.bh;
        if (height === 0 || height > MAX_HEIGHT) return;
        if (romHeight === undefined) {
          const packed = new Uint8Array(Math.min(call.cx, 256) * height);
          memory.read(linear(call.es, call.bp), packed);
          this.#load(packed, height, call.dx & 0xff, call.bl & 7);
        } else this.#load(this.#romFont(romHeight), height, 0, call.bl & 7);
        if ((call.al & 0x10) !== 0) this.#setRows(height);
        return;
      }
      case 0x20:
        return this.#graphicsFont(call, kind);
      case 0x30:
        return this.#where(call);
    }
  }

  #graphicsFont(call: FirmwareCall, kind: number): void {
    const { memory } = this.#site;
    if (kind === 0) return this.#setVector(VECTOR.upper, call.es, call.bp);
    const height = kind === 1 ? call.cx : kind === 2 ? 14 : kind === 3 ? 8 : kind === 4 ? 16 : undefined;
    if (height === undefined) return;
    if (kind === 1) this.#setVector(VECTOR.graphics, call.es, call.bp);
    else this.#setVector(VECTOR.graphics, ROM_SEGMENT, FONT_OFFSETS[height as FontHeight]);
    memory.writeValue(BDA.characterHeight, 2, height);
    const rows = [call.dl, 14, 25, 43][call.bl & 3]!;
    memory.writeValue(BDA.rows, 1, Math.max(1, rows) - 1);
  }

  #where(call: FirmwareCall): void {
    const { memory } = this.#site;
    const places: Readonly<Record<number, readonly [segment: number, offset: number]>> = {
      0: this.#vector(VECTOR.upper),
      1: this.#vector(VECTOR.graphics),
      2: [ROM_SEGMENT, FONT_OFFSETS[14]],
      3: [ROM_SEGMENT, FONT_OFFSETS[8]],
      4: [ROM_SEGMENT, FONT_OFFSETS[8] + UPPER_HALF * 8],
      5: [ROM_SEGMENT, FONT_OFFSETS[14]],
      6: [ROM_SEGMENT, FONT_OFFSETS[16]],
      7: [ROM_SEGMENT, FONT_OFFSETS[16]],
    };
    const place = places[call.bh];
    if (place === undefined) return;
    [call.es, call.bp] = place;
    call.cx = memory.readValue(BDA.characterHeight, 2);
    call.dl = memory.readValue(BDA.rows, 1);
  }

  /** As many rows as the text screen's lines hold. */
  #setRows(height: number): void {
    const { memory } = this.#site;
    const rows = Math.floor(TEXT_LINES / height);
    memory.writeValue(BDA.characterHeight, 2, height);
    memory.writeValue(BDA.rows, 1, rows - 1);
    const page = rows * memory.readValue(BDA.columns, 2) * 2;
    memory.writeValue(BDA.pageBytes, 2, (page + 0xff) & 0xff00);
    const lines = rows * height - 1;
    this.#setIndexed(CRTC, 0x11, 0x0e);
    this.#setIndexed(CRTC, 0x09, 0x40 | (height - 1));
    this.#setIndexed(CRTC, 0x12, lines & 0xff);
    const cursor = height > 8 ? height - 3 : height - 2;
    this.#setIndexed(CRTC, 0x0a, cursor);
    this.#setIndexed(CRTC, 0x0b, cursor + 1);
    memory.writeValue(BDA.cursorShape, 2, (cursor << 8) | (cursor + 1));
  }

  /** Writes characters into the third plane, which only this order of the planes shows. */
  #load(packed: Uint8Array, height: number, first: number, block: number): void {
    const { memory } = this.#site;
    const before = PLANE_ACCESS.map(([port, index]) => this.#indexed(port, index));
    for (const [port, index, value] of PLANE_ACCESS) this.#setIndexed(port, index, value);
    const font = planeFont(packed, height);
    // Blocks 4 to 7 lie between the others.
    const start = ((block & 3) * 2 + (block >> 2)) * BLOCK_BYTES;
    memory.write(PLANES + start + first * 32, font.subarray(0, BLOCK_BYTES - first * 32));
    for (const [at, [port, index]] of PLANE_ACCESS.entries()) this.#setIndexed(port, index, before[at]!);
  }

  #romFont(height: FontHeight): Uint8Array {
    const packed = new Uint8Array(256 * height);
    this.#site.memory.read(ROM_SEGMENT * 16 + FONT_OFFSETS[height], packed);
    return packed;
  }

  #vector(at: number): [segment: number, offset: number] {
    const { memory } = this.#site;
    return [memory.readValue(at + 2, 2), memory.readValue(at, 2)];
  }

  #setVector(at: number, segment: number, offset: number): void {
    this.#site.memory.writeValue(at, 2, offset);
    this.#site.memory.writeValue(at + 2, 2, segment);
  }

  #indexed(port: number, index: number): number {
    this.#site.ports.writeValue(port, 1, index);
    return this.#site.ports.readValue(port + 1, 1);
  }

  #setIndexed(port: number, index: number, value: number): void {
    this.#site.ports.writeValue(port, 1, index);
    this.#site.ports.writeValue(port + 1, 1, value);
  }
}
