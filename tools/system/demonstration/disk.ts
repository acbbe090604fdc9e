/**
 * A disk to try things on where none was given: a qcow2 overlay over a small raw FAT12 disk that boots, in a temporary
 * folder that goes when the program ends.
 *
 * @module
 */
import { buildFat } from "../../../machine/mod.ts";
import { createImage } from "../../../monitor/mod.ts";
import { demonstrationProgram, makeBootable } from "./guest.ts";

/** The disk. */
export interface Demonstration {
  /** The overlay's name. */
  readonly filename: string;
  /** One line for the user. */
  readonly advice: string;
  remove(): Promise<void>;
}

const SECTOR_BYTES = 512;
/** Of a floppy's 2880 sectors these hold the tables: files lie behind them, in order of their names. */
const FIRST_DATA_SECTOR = 33;
const README = "This disk is the backing file of demo.qcow2.\r\n" +
  "What you write goes to the overlay; 'commit all' brings it here.\r\n";

/** Makes it. */
export async function makeDemonstration(): Promise<Demonstration> {
  const folder = await Deno.makeTempDir({ prefix: "moa-demo-" });
  const remove = () => Deno.remove(folder, { recursive: true }).catch(() => {});
  try {
    const base = `${folder}/base.img`;
    const { disk, readmeAt } = demonstrationDisk();
    await Deno.writeFile(base, disk);
    const filename = `${folder}/demo.qcow2`;
    await createImage({ filename, format: "qcow2", backingFile: base, backingFormat: "raw" });
    return {
      filename,
      advice: `No disk was given: ${filename} is one to try things on.\nType: info block, ` +
        `qemu-io ide0-hd0 "read -v ${readmeAt} 512", trace-event ide_* on, savevm a, loadvm a, commit all, quit.`,
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The raw disk, and where the text on it lies. */
export function demonstrationDisk(): { readonly disk: Uint8Array; readonly readmeAt: number } {
  const program = demonstrationProgram();
  const disk = buildFat({ "DEMO.BIN": program, "README.TXT": README }, { label: "MOA DEMO" });
  makeBootable(disk, FIRST_DATA_SECTOR, program.length / SECTOR_BYTES);
  return { disk, readmeAt: FIRST_DATA_SECTOR * SECTOR_BYTES + program.length };
}
