/**
 * All dialogues, how they are run over real QEMU, and the text file that keeps what it said.
 *
 * `deno run -P=test devices/ide/testing/recording.ts` records anew.
 *
 * @module
 */
import { QemuGuest } from "../../../tests/support/qemu_guest.ts";
import { ATA_DIALOGUES, type Dialogue, patternedSectors, sectorPattern } from "./ata_dialogues.ts";
import { ATAPI_DIALOGUES } from "./atapi_dialogues.ts";
import { DMA_DIALOGUES } from "./dma_dialogues.ts";

export const DIALOGUES: readonly Dialogue[] = [...ATA_DIALOGUES, ...ATAPI_DIALOGUES, ...DMA_DIALOGUES];
const RECORDINGS = new URL("./recordings.txt", import.meta.url);
/** The first pattern of the medium that a dialogue changes to. */
export const OTHER_PATTERN = 1000;
export const OTHER_BYTES = 1024 * 1024;

/** What real QEMU said, by dialogue. */
export async function readRecordings(): Promise<Map<string, string[]>> {
  const recordings = new Map<string, string[]>();
  for (const part of (await Deno.readTextFile(RECORDINGS)).split("== ").slice(1)) {
    const [name = "", ...lines] = part.replace(/\n$/, "").split("\n");
    recordings.set(name, lines);
  }
  return recordings;
}

async function writeImage(path: string, sizeBytes: number, firstPattern: number): Promise<void> {
  using file = await Deno.open(path, { create: true, write: true });
  await file.truncate(sizeBytes);
  for (const sector of patternedSectors(sizeBytes)) {
    await file.seek(sector * 512, Deno.SeekMode.Start);
    await file.write(sectorPattern(sector + firstPattern));
  }
}

/** Runs `dialogue` over real QEMU. */
export async function record(dialogue: Dialogue): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "moa-ide-" });
  try {
    const args = ["-nodefaults"];
    for (const { kind, index, sizeBytes, properties, drive } of dialogue.media) {
      const id = `drive${index}`;
      if (sizeBytes === undefined) args.push("-drive", `if=none,id=${id}`);
      else {
        await writeImage(`${folder}/${id}`, sizeBytes, 0);
        const medium = kind === "ide-cd" ? ",media=cdrom,readonly=on" : "";
        const more = drive === undefined ? "" : `,${drive}`;
        args.push("-drive", `if=none,id=${id},file=${folder}/${id},format=raw${medium}${more}`);
      }
      const more = properties ? `,${properties}` : "";
      args.push("-device", `${kind},drive=${id},bus=ide.${index >> 1},unit=${index & 1}${more}`);
    }
    await writeImage(`${folder}/other`, OTHER_BYTES, OTHER_PATTERN);
    await using guest = await QemuGuest.start(args);
    const monitor = guest.monitor.bind(guest);
    guest.monitor = (line) => monitor(line.replace("@other", `${folder}/other`));
    return await dialogue.run(guest);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  let text = "";
  for (const dialogue of DIALOGUES) text += `== ${dialogue.name}\n${(await record(dialogue)).join("\n")}\n`;
  await Deno.writeTextFile(RECORDINGS, text);
}
