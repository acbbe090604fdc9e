/**
 * What a monitor tells of itself: one block of EDID 1.4 with one preferred resolution.
 *
 * Source: [VESA E-EDID A2] 3 "E-EDID Structure Version 1, Revision 4".
 *
 * @module
 */

const BLOCK_BYTES = 128;
const DPI = 100;
const REFRESH_HZ = 75;

/** Resolutions in pixels. */
export interface EdidRequest {
  readonly width: number;
  readonly height: number;
  readonly maxWidth: number;
  readonly maxHeight: number;
}

/** The block; resolutions are cut to what a detailed timing can say, 4095 pixels. */
export function edid({ width, height }: EdidRequest): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const x = Math.min(width, 4095);
  const y = Math.min(height, 4095);
  const widthMm = Math.min(Math.round(x * 25.4 / DPI), 4095);
  const heightMm = Math.min(Math.round(y * 25.4 / DPI), 4095);
  block.set([0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
  // Vendor "MOA", product 1234h; week 1 of 2022; version 1.4.
  block.set(vendorBytes("MOA"), 8);
  block.set([0x34, 0x12, 0, 0, 0, 0, 1, 32, 1, 4], 10);
  // Digital, eight bits a colour; size in cm; gamma 2.2; RGB, preferred timing first.
  block.set([0xa5, Math.min(255, Math.round(widthMm / 10)), Math.min(255, Math.round(heightMm / 10)), 120, 0x06], 20);
  // sRGB's primaries and white point.
  block.set([0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 25);
  block.set([0x21, 0x08, 0x00], 35); // 640x480, 800x600, 1024x768 at 60 Hz
  block.fill(0x01, 38, 54);
  block.set(detailedTiming(x, y, widthMm, heightMm), 54);
  for (const [at, tag, text] of [[72, 0xfc, "moa screen"], [90, 0xfe, "moa"], [108, 0xff, "1"]] as const) {
    block.set([0, 0, 0, tag, 0], at);
    block.fill(0x20, at + 5, at + 18);
    block.set(new TextEncoder().encode(`${text}\n`), at + 5);
  }
  block[BLOCK_BYTES - 1] = -block.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return block;
}

/** Three letters in five bits each. */
function vendorBytes(letters: string): [number, number] {
  const value = [...letters].reduce((bits, letter) => (bits << 5) | (letter.charCodeAt(0) - 0x40), 0);
  return [value >> 8, value & 0xff];
}

function detailedTiming(x: number, y: number, widthMm: number, heightMm: number): number[] {
  const blankX = Math.floor(x * 35 / 100);
  const blankY = Math.floor(y * 35 / 1000);
  const clock = Math.min(0xffff, Math.round(REFRESH_HZ * (x + blankX) * (y + blankY) / 10_000));
  const [frontX, syncX] = [Math.floor(x * 25 / 100), Math.floor(x * 3 / 100)];
  const [frontY, syncY] = [Math.floor(y * 5 / 1000), Math.floor(y * 5 / 1000)];
  return [
    clock & 0xff,
    clock >> 8,
    x & 0xff,
    blankX & 0xff,
    ((x >> 8) << 4) | (blankX >> 8),
    y & 0xff,
    blankY & 0xff,
    ((y >> 8) << 4) | (blankY >> 8),
    frontX & 0xff,
    syncX & 0xff,
    ((frontY & 15) << 4) | (syncY & 15),
    (((frontX >> 8) & 3) << 6) | (((syncX >> 8) & 3) << 4) | (((frontY >> 4) & 3) << 2) | ((syncY >> 4) & 3),
    widthMm & 0xff,
    heightMm & 0xff,
    ((widthMm >> 8) << 4) | (heightMm >> 8),
    0,
    0,
    0x18,
  ];
}
