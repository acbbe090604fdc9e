/**
 * `-boot splash=`: a picture that firmware shows while it waits, JPEG or BMP of 24 bits.
 *
 * Source: behaviour of QEMU 7.2; [JPEG] B.1.1.3 "Marker assignments"; the header of BMP files.
 *
 * @module
 */
import { readFileSync } from "../../base/read_file.ts";
import { MiB } from "../../base/units.ts";
import type { FirmwareItems } from "../../machine/mod.ts";

const MIN_BYTES = 30;
const MAX_BYTES = 64 * MiB;
const BMP_DEPTH_OFFSET = 28;
const BMP_DEPTH = 24;

/** The picture `filename`, itself or in one of `folders`; what is wrong with it is told, and there is none. */
export function readSplash(
  filename: string,
  folders: readonly string[],
  warn: (text: string) => void,
): FirmwareItems["splash"] {
  const content = read([filename, ...folders.map((folder) => `${folder}/${filename}`)]);
  if (content === undefined) {
    warn(`failed to find file '${filename}'`);
    return undefined;
  }
  const name = content.length < MIN_BYTES ? undefined : kindOf(content);
  if (name === undefined) {
    warn(`splash file '${filename}' format not recognized; must be JPEG or 24 bit BMP`);
    return undefined;
  }
  return { name, content };
}

function read(places: readonly string[]): Uint8Array | undefined {
  for (const place of places) {
    try {
      return readFileSync(place, MAX_BYTES);
    } catch { /* the next one */ }
  }
  return undefined;
}

function kindOf(content: Uint8Array): "bootsplash.jpg" | "bootsplash.bmp" | undefined {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  switch (view.getUint16(0)) {
    case 0xffd8:
      return "bootsplash.jpg";
    case 0x424d: // BM
      return view.getUint16(BMP_DEPTH_OFFSET, true) === BMP_DEPTH ? "bootsplash.bmp" : undefined;
    default:
      return undefined;
  }
}
