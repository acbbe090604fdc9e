/**
 * A disk to try things on where none was given: a qcow2 overlay over a small raw FAT12 disk with two files, in a
 * temporary folder that goes when the program ends.
 *
 * Source: [Microsoft FAT specification] 1.03, "Boot Sector and BPB", "FAT Data Structure", "FAT Directory Structure".
 *
 * @module
 */
import { createImage } from "../../monitor/mod.ts";

/** The disk. */
export interface Demonstration {
  /** The overlay's name. */
  readonly filename: string;
  /** One line for the user. */
  readonly advice: string;
  remove(): Promise<void>;
}

const SECTOR = 512;
const SECTORS = 2880;
const FAT_SECTORS = 9;
const ROOT_ENTRIES = 224;

const FILES: readonly (readonly [name: string, text: string])[] = [
  [
    "README  TXT",
    "This disk is the backing file of demo.qcow2.\r\nWhat you write goes to the overlay; 'commit all' brings it here.\r\n",
  ],
  ["HELLO   TXT", "Hello from sector 34.\r\n"],
];

/** Makes it. */
export async function makeDemonstration(): Promise<Demonstration> {
  const folder = await Deno.makeTempDir({ prefix: "moa-demo-" });
  const remove = () => Deno.remove(folder, { recursive: true }).catch(() => {});
  try {
    const base = `${folder}/base.img`;
    await Deno.writeFile(base, fatDisk());
    const filename = `${folder}/demo.qcow2`;
    await createImage({ filename, format: "qcow2", backingFile: base, backingFormat: "raw" });
    return {
      filename,
      advice: `No disk was given: ${filename} is one to try things on. Type: info block, ` +
        `qemu-io ide0-hd0 "read -v 17k 512", savevm a, commit all, quit.`,
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** A floppy-sized FAT12 volume with {@link FILES}, a cluster each. */
function fatDisk(): Uint8Array {
  const bytes = new Uint8Array(SECTORS * SECTOR);
  const view = new DataView(bytes.buffer);
  const ascii = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  bytes.set([0xeb, 0x3c, 0x90], 0);
  ascii(3, "MOA     ");
  view.setUint16(11, SECTOR, true);
  bytes.set([1, 1, 0, 2], 13); // sectors of a cluster, reserved sectors, FATs
  view.setUint16(17, ROOT_ENTRIES, true);
  view.setUint16(19, SECTORS, true);
  bytes[21] = 0xf0;
  view.setUint16(22, FAT_SECTORS, true);
  view.setUint16(24, 18, true); // sectors of a track
  view.setUint16(26, 2, true); // heads
  bytes[38] = 0x29;
  ascii(43, "MOA DEMO   FAT12   ");
  view.setUint16(510, 0xaa55, true);
  const root = (1 + 2 * FAT_SECTORS) * SECTOR;
  const data = root + ROOT_ENTRIES * 32;
  // Both files end in their first cluster: entries 2 and 3 are end marks of 12 bits.
  for (const fat of [SECTOR, (1 + FAT_SECTORS) * SECTOR]) bytes.set([0xf0, 0xff, 0xff, 0xff, 0xff, 0xff], fat);
  for (const [index, [name, text]] of FILES.entries()) {
    const entry = root + 32 * index;
    ascii(entry, name);
    bytes[entry + 11] = 0x20;
    view.setUint16(entry + 24, (44 << 9) | (1 << 5) | 1, true); // 2024-01-01
    view.setUint16(entry + 26, 2 + index, true);
    view.setUint32(entry + 28, text.length, true);
    ascii(data + index * SECTOR, text);
  }
  return bytes;
}
