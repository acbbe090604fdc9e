/**
 * The characters of text modes: 8 by 16 dots each, 32 bytes apart as the VGA keeps them.
 *
 * ASCII is the MIT-licensed 5 by 7 font of the package oled-font-5x7, every row twice; lines and blocks of code page 437
 * are drawn here. Other characters are a hollow box.
 *
 * @module
 */
// @ts-types="./oled_font_5x7.d.ts"
import oledFont from "oled-font-5x7";

const HEIGHT = 16;
/** The space between two characters in the VGA's memory. */
const STRIDE = 32;
const MIDDLE_ROW = 7;
const MIDDLE = 0x18;
/** Lines of code page 437 by the directions in which they go, two dots wide; double lines are drawn as single ones. */
const LINES: Readonly<Record<string, string>> = {
  ud: "b3 ba",
  udl: "b4 b5 b6 b9",
  dl: "b7 b8 bb bf",
  ul: "bc bd be d9",
  ur: "c0 c8 d3 d4",
  ulr: "c1 ca cf d0",
  dlr: "c2 cb d1 d2",
  udr: "c3 c6 c7 cc",
  lr: "c4 cd",
  udlr: "c5 ce d7 d8",
  dr: "c9 d5 d6 da",
};

/** The font as it lies in the VGA's third plane: 256 characters. */
export function textFont(): Uint8Array {
  const font = new Uint8Array(256 * STRIDE);
  for (let code = 0; code < 256; code++) font.set(glyph(code), code * STRIDE);
  return font;
}

function glyph(code: number): Uint8Array {
  const rows = new Uint8Array(HEIGHT);
  if (code === 0 || code === 0x20 || code === 0xff) return rows;
  const column = (code - 0x20) * oledFont.width;
  if (code > 0x20 && code < 0x7f && column < oledFont.fontData.length) {
    for (let x = 0; x < oledFont.width; x++) {
      // A byte is a column, its lowest bit the top.
      const bits = oledFont.fontData[column + x]!;
      for (let y = 0; y < 7; y++) if ((bits >> y) & 1) rows[1 + y * 2]! |= 0x40 >> x;
    }
    for (let y = 0; y < 7; y++) rows[2 + y * 2] = rows[1 + y * 2]!;
    return rows;
  }
  const name = code.toString(16);
  const line = Object.entries(LINES).find(([, codes]) => codes.split(" ").includes(name))?.[0];
  if (line !== undefined) return drawLine(line);
  switch (code) {
    case 0xb0:
    case 0xb1:
    case 0xb2:
      return rows.map((_, y) => [[0x11, 0x44], [0x55, 0xaa], [0xdd, 0x77]][code - 0xb0]![y % 2]!);
    case 0xdb:
      return rows.fill(0xff);
    case 0xdc:
      return rows.fill(0xff, HEIGHT / 2);
    case 0xdd:
      return rows.fill(0xf0);
    case 0xde:
      return rows.fill(0x0f);
    case 0xdf:
      return rows.fill(0xff, 0, HEIGHT / 2);
    default:
      return rows.fill(0x42, 3, 12).fill(0x7e, 3, 4).fill(0x7e, 12, 13);
  }
}

function drawLine(directions: string): Uint8Array {
  const rows = new Uint8Array(HEIGHT);
  if (directions.includes("u")) rows.fill(MIDDLE, 0, MIDDLE_ROW + 1);
  if (directions.includes("d")) rows.fill(MIDDLE, MIDDLE_ROW);
  const across = (directions.includes("l") ? 0xf8 : 0) | (directions.includes("r") ? 0x1f : 0);
  rows[MIDDLE_ROW]! |= across;
  return rows;
}
