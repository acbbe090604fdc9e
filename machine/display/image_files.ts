/**
 * Pictures as files: PPM and PNG.
 *
 * Source: [PPM] netpbm "PPM Format Specification"; [PNG 1.2] 11 "Chunk specifications", 13 "Filtering".
 *
 * @module
 */
import { concatBytes } from "../../base/bytes.ts";
import { zlib } from "../../base/zlib.ts";
import type { Picture } from "../../devices/vga/mod.ts";

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOUR_RGB = 2;

/** `P6`, then the pixels. */
export function encodePpm({ width, height, pixels }: Picture): Uint8Array {
  const header = new TextEncoder().encode(`P6\n${width} ${height}\n255\n`);
  const file = new Uint8Array(header.length + pixels.length);
  file.set(header);
  file.set(pixels, header.length);
  return file;
}

/** Eight bits a part, RGB, no filter, one IDAT chunk. */
export function encodePng({ width, height, pixels }: Picture): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOUR_RGB], 8);
  const lineBytes = 3 * width;
  const filtered = new Uint8Array((lineBytes + 1) * height);
  for (let y = 0; y < height; y++) {
    filtered.set(pixels.subarray(y * lineBytes, (y + 1) * lineBytes), y * (lineBytes + 1) + 1);
  }
  return concatBytes([
    Uint8Array.from(PNG_SIGNATURE),
    chunk("IHDR", header),
    chunk("IDAT", zlib().deflateSync(filtered)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/** Length, type, data, and the check sum of type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, zlib().crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}
