/**
 * The characters of the screen, 8 dots wide and 8, 14 or 16 high.
 *
 * ASCII is the MIT-licensed 5 by 7 font of the package oled-font-5x7, its rows stretched; lines and blocks of code page 437
 * are drawn here. Other characters are a hollow box.
 *
 * @module
 */
// @ts-types="./oled_font_5x7.d.ts"
import oledFont from "oled-font-5x7";

/** The heights that there are fonts of: for 50, 28 and 25 rows on a screen of 400 lines. */
export type FontHeight = 8 | 14 | 16;

/** The space between two characters in the VGA's memory. */
const STRIDE = 32;
const MIDDLE = 0x18;
/** Rows of the package's characters. */
const FONT_ROWS = 7;
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

/** 256 characters of this height, one behind the other. */
export function packedFont(height: FontHeight): Uint8Array {
  const font = new Uint8Array(256 * height);
  for (let code = 0; code < 256; code++) font.set(glyph(code, height), code * height);
  return font;
}

/** Characters as they lie in the VGA's third plane. @param packed those of any height, one behind the other */
export function planeFont(packed: Uint8Array, height: number): Uint8Array {
  const font = new Uint8Array(packed.length / height * STRIDE);
  for (let at = 0; at < packed.length; at += height) {
    font.set(packed.subarray(at, at + Math.min(height, STRIDE)), at / height * STRIDE);
  }
  return font;
}

function glyph(code: number, height: FontHeight): Uint8Array {
  const rows = new Uint8Array(height);
  if (code === 0 || code === 0x20 || code === 0xff) return rows;
  const column = (code - 0x20) * oledFont.width;
  if (code > 0x20 && code < 0x7f && column < oledFont.fontData.length) {
    const top = height === 8 ? 0 : 1;
    const drawn = height === 8 ? FONT_ROWS : height - 2;
    for (let row = 0; row < drawn; row++) {
      const y = Math.floor(row * FONT_ROWS / drawn);
      // A byte is a column, its lowest bit the top.
      for (let x = 0; x < oledFont.width; x++) {
        if ((oledFont.fontData[column + x]! >> y) & 1) rows[top + row]! |= 0x40 >> x;
      }
    }
    return rows;
  }
  const name = code.toString(16);
  const line = Object.entries(LINES).find(([, codes]) => codes.split(" ").includes(name))?.[0];
  if (line !== undefined) return drawLine(line, height);
  switch (code) {
    case 0xb0:
    case 0xb1:
    case 0xb2:
      return rows.map((_, y) => [[0x11, 0x44], [0x55, 0xaa], [0xdd, 0x77]][code - 0xb0]![y % 2]!);
    case 0xdb:
      return rows.fill(0xff);
    case 0xdc:
      return rows.fill(0xff, height / 2);
    case 0xdd:
      return rows.fill(0xf0);
    case 0xde:
      return rows.fill(0x0f);
    case 0xdf:
      return rows.fill(0xff, 0, height / 2);
    default:
      return hollowBox(rows);
  }
}

function hollowBox(rows: Uint8Array): Uint8Array {
  const top = rows.length >> 2;
  const bottom = rows.length - top;
  return rows.fill(0x42, top, bottom).fill(0x7e, top, top + 1).fill(0x7e, bottom - 1, bottom);
}

function drawLine(directions: string, height: FontHeight): Uint8Array {
  const rows = new Uint8Array(height);
  const middle = (height >> 1) - 1;
  if (directions.includes("u")) rows.fill(MIDDLE, 0, middle + 1);
  if (directions.includes("d")) rows.fill(MIDDLE, middle);
  const across = (directions.includes("l") ? 0xf8 : 0) | (directions.includes("r") ? 0x1f : 0);
  rows[middle]! |= across;
  return rows;
}
