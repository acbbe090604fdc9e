/**
 * What the registers of a VGA hold in the modes that the firmware sets, and the palettes that go with them.
 *
 * Source: [IBM VGA TR] IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem", register values by mode.
 *
 * @module
 */

import type { FontHeight } from "./font.ts";

/** How dots lie in memory: as text, in four planes, a byte each, or as CGA had them, two bits or one each. */
export type VideoKind = "text" | "planes" | "bytes" | "pairs" | "bits";

/** One mode. */
export interface VideoMode {
  readonly number: number;
  readonly kind: VideoKind;
  readonly columns: number;
  readonly rows: number;
  readonly characterHeight: FontHeight;
  readonly pageBytes: number;
  readonly misc: number;
  readonly sequencer: string;
  readonly crtc: string;
  readonly graphics: string;
  readonly attributes: string;
  readonly palette: "cga" | "ega" | "256";
}

const TEXT_ATTRIBUTES = "00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f 0c 00 0f 08 00";
const TEXT_80: Omit<VideoMode, "number"> = {
  kind: "text",
  columns: 80,
  rows: 25,
  characterHeight: 16,
  pageBytes: 0x1000,
  misc: 0x67,
  sequencer: "03 00 03 00 02",
  crtc: "5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 1f 96 b9 a3 ff",
  graphics: "00 00 00 00 00 10 0e 00 ff",
  attributes: TEXT_ATTRIBUTES,
  palette: "ega",
};
const TEXT_40: Omit<VideoMode, "number"> = {
  ...TEXT_80,
  columns: 40,
  pageBytes: 0x800,
  sequencer: "03 08 03 00 02",
  crtc: "2d 27 28 90 2b a0 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 14 1f 96 b9 a3 ff",
};
/** CGA's 320 by 200 dots of four colours. */
const CGA_320: Omit<VideoMode, "number"> = {
  kind: "pairs",
  columns: 40,
  rows: 25,
  characterHeight: 8,
  pageBytes: 0x4000,
  misc: 0x63,
  sequencer: "03 09 03 00 02",
  crtc: "2d 27 28 90 2b 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 a2 ff",
  graphics: "00 00 00 00 00 30 0f 00 ff",
  attributes: "00 13 15 17 02 04 06 07 10 11 12 13 14 15 16 17 01 00 03 00 00",
  palette: "cga",
};
/** EGA's 640 by 200 dots of sixteen colours. */
const EGA_640: Omit<VideoMode, "number"> = {
  kind: "planes",
  columns: 80,
  rows: 25,
  characterHeight: 8,
  pageBytes: 0x4000,
  misc: 0x63,
  sequencer: "03 01 0f 00 06",
  crtc: "5f 4f 50 82 54 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 e3 ff",
  graphics: "00 00 00 00 00 00 05 0f ff",
  attributes: "00 01 02 03 04 05 06 07 10 11 12 13 14 15 16 17 01 00 0f 00 00",
  palette: "cga",
};
/** VGA's 640 by 480 dots of sixteen colours. */
const VGA_640: Omit<VideoMode, "number"> = {
  ...EGA_640,
  rows: 30,
  characterHeight: 16,
  pageBytes: 0xa000,
  misc: 0xe3,
  crtc: "5f 4f 50 82 54 80 0b 3e 00 40 00 00 00 00 00 00 ea 8c df 28 00 e7 04 e3 ff",
  attributes: "00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f 01 00 0f 00 00",
  palette: "ega",
};

/** The modes by their numbers. */
export const VIDEO_MODES: readonly VideoMode[] = [
  { number: 0x00, ...TEXT_40 },
  { number: 0x01, ...TEXT_40 },
  { number: 0x02, ...TEXT_80 },
  { number: 0x03, ...TEXT_80 },
  { number: 0x04, ...CGA_320 },
  { number: 0x05, ...CGA_320 },
  {
    number: 0x06,
    ...CGA_320,
    kind: "bits",
    columns: 80,
    sequencer: "03 01 01 00 06",
    crtc: "5f 4f 50 82 54 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 c2 ff",
    graphics: "00 00 00 00 00 00 0d 00 ff",
    attributes: "00 17 17 17 17 17 17 17 17 17 17 17 17 17 17 17 01 00 01 00 00",
  },
  {
    number: 0x0d,
    ...EGA_640,
    columns: 40,
    pageBytes: 0x2000,
    sequencer: "03 09 0f 00 06",
    crtc: "2d 27 28 90 2b 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 e3 ff",
  },
  { number: 0x0e, ...EGA_640 },
  {
    number: 0x10,
    ...VGA_640,
    rows: 25,
    characterHeight: 14,
    pageBytes: 0x8000,
    misc: 0xa3,
    crtc: "5f 4f 50 82 54 80 bf 1f 00 40 00 00 00 00 00 00 83 85 5d 28 0f 63 ba e3 ff",
  },
  { number: 0x11, ...VGA_640, attributes: "00 3f 00 3f 00 3f 00 3f 00 3f 00 3f 00 3f 00 3f 01 00 0f 00 00" },
  { number: 0x12, ...VGA_640 },
  {
    number: 0x13,
    kind: "bytes",
    columns: 40,
    rows: 25,
    characterHeight: 8,
    pageBytes: 0x2000,
    misc: 0x63,
    sequencer: "03 01 0f 00 0e",
    crtc: "5f 4f 50 82 54 80 bf 1f 00 41 00 00 00 00 00 00 9c 8e 8f 28 40 96 b9 a3 ff",
    graphics: "00 00 00 00 00 40 05 0f ff",
    attributes: "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 41 00 0f 00 00",
    palette: "256",
  },
];

/** The bytes of a row of hexadecimal digits. */
export function registerValues(row: string): number[] {
  return row.split(" ").map((digits) => Number.parseInt(digits, 16));
}

/** 64 colours by the six bits of EGA, each with three values of six bits. */
function egaPalette(): number[] {
  const part = (index: number, high: number, low: number) => ((index >> high) & 1) * 0x2a + ((index >> low) & 1) * 0x15;
  return [...Array(64).keys()].flatMap((index) => [part(index, 2, 5), part(index, 1, 4), part(index, 0, 3)]);
}

/** The values of the DAC that a mode begins with. */
export function paletteOf({ palette }: VideoMode): number[] {
  if (palette === "256") return palette256();
  return palette === "ega" ? egaPalette() : cgaPalette();
}

/** 64 entries by the bits of CGA, intensity in the fifth: sixteen colours, over and over. */
function cgaPalette(): number[] {
  const colours = sixteenColours();
  return [...Array(64).keys()].flatMap((index) => {
    const colour = (index & 7) | ((index & 0x10) >> 1);
    return colours.slice(colour * 3, colour * 3 + 3);
  });
}

/** Brown is what EGA's sixth colour is shown as; the bright eight are the ones with all weak bits. */
function sixteenColours(): number[] {
  const ega = egaPalette();
  return [0, 1, 2, 3, 4, 5, 20, 7, 56, 57, 58, 59, 60, 61, 62, 63].flatMap((i) => ega.slice(i * 3, i * 3 + 3));
}

/** 16 colours, 16 greys, and 24 hues in three strengths and three brightnesses. */
function palette256(): number[] {
  const first = sixteenColours();
  const greys = [0, 5, 8, 11, 14, 17, 20, 24, 28, 32, 36, 40, 45, 50, 56, 63].flatMap((grey) => [grey, grey, grey]);
  const hues: number[] = [];
  for (const high of [63, 28, 16]) {
    for (const weakest of [0, 0.5, 0.715]) {
      const low = rounded(high * weakest);
      for (let hue = 0; hue < 24; hue++) hues.push(...hueOf(hue, low, high));
    }
  }
  return [...first, ...greys, ...hues, ...Array(8 * 3).fill(0)];
}

/** Blue to magenta, red, yellow, green, cyan and back, in 24 steps. */
function hueOf(hue: number, low: number, high: number): [red: number, green: number, blue: number] {
  const part = (shifted: number) => {
    const at = ((shifted % 24) + 24) % 24;
    const level = at < 4 ? at / 4 : at <= 12 ? 1 : at < 16 ? (16 - at) / 4 : 0;
    return rounded(low + (high - low) * level);
  };
  return [part(hue), part(hue - 8), part(hue + 8)];
}

/** To a whole number; halves go down, as in the palette that everybody knows. */
function rounded(value: number): number {
  return Math.ceil(value - 0.5);
}
