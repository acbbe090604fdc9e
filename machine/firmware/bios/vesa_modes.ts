/**
 * The modes of VESA's BIOS extension that the standard VGA has, by the numbers that programs know them by.
 *
 * Source: [VBE 3.0] "VBE Mode Numbers"; numbers from 140h on as Bochs' VGA BIOS gave them out.
 *
 * @module
 */

/** One mode. */
export interface VesaMode {
  readonly number: number;
  readonly width: number;
  readonly height: number;
  /** Bits of a pixel: 8 (a palette), 15, 16, 24 or 32. */
  readonly bits: number;
}

/** Where a colour's bits are in a pixel. */
export interface ColourField {
  readonly bits: number;
  readonly shift: number;
}

const ROWS: readonly (readonly [number: number, width: number, height: number, bits: number])[] = [
  [0x100, 640, 400, 8],
  [0x101, 640, 480, 8],
  [0x103, 800, 600, 8],
  [0x105, 1024, 768, 8],
  [0x107, 1280, 1024, 8],
  [0x10d, 320, 200, 15],
  [0x10e, 320, 200, 16],
  [0x10f, 320, 200, 24],
  [0x110, 640, 480, 15],
  [0x111, 640, 480, 16],
  [0x112, 640, 480, 24],
  [0x113, 800, 600, 15],
  [0x114, 800, 600, 16],
  [0x115, 800, 600, 24],
  [0x116, 1024, 768, 15],
  [0x117, 1024, 768, 16],
  [0x118, 1024, 768, 24],
  [0x119, 1280, 1024, 15],
  [0x11a, 1280, 1024, 16],
  [0x11b, 1280, 1024, 24],
  [0x11c, 1600, 1200, 8],
  [0x11d, 1600, 1200, 15],
  [0x11e, 1600, 1200, 16],
  [0x11f, 1600, 1200, 24],
  [0x140, 320, 200, 32],
  [0x141, 640, 400, 32],
  [0x142, 640, 480, 32],
  [0x143, 800, 600, 32],
  [0x144, 1024, 768, 32],
  [0x145, 1280, 1024, 32],
  [0x146, 320, 200, 8],
  [0x147, 1600, 1200, 32],
];

/** All modes, in order of their numbers. */
export const VESA_MODES: readonly VesaMode[] = ROWS.map(([number, width, height, bits]) => ({
  number,
  width,
  height,
  bits,
}));

/** Bytes of a pixel. */
export function pixelBytes({ bits }: VesaMode): number {
  return (bits + 7) >> 3;
}

/** Red, green, blue and what is left over; none of them where there is a palette. */
export function colourFields({ bits }: VesaMode): readonly ColourField[] {
  const fields = (green: number, part: number, rest: number) => [
    { bits: part, shift: part + green },
    { bits: green, shift: part },
    { bits: part, shift: 0 },
    { bits: rest, shift: rest === 0 ? 0 : 2 * part + green },
  ];
  switch (bits) {
    case 15:
      return fields(5, 5, 1);
    case 16:
      return fields(6, 5, 0);
    case 24:
      return fields(8, 8, 0);
    case 32:
      return fields(8, 8, 8);
    default:
      return fields(0, 0, 0);
  }
}
