/**
 * Real boot loaders on media of our own: ISOLINUX on a CD, GRUB on a disk.
 *
 * The files are those of Debian's packages `isolinux`, `syslinux-common` and `grub-pc-bin`, unpacked in `loaders` below the
 * folder that `MOA_GUESTS` names; `grub-mkimage` of `grub-common` is on the path.
 *
 * @module
 */
import { assert } from "@std/assert";
import { buildIso, type MediaFiles } from "../../mod.ts";
import { must } from "../support/programs.ts";
import type { TempFolder } from "../support/temp.ts";

const SECTOR = 512;
const BLOCK = 2048;
const PARTITION_SECTOR = 2048;
const MODULES = [
  "biosdisk",
  "part_msdos",
  "ext2",
  "normal",
  "echo",
  "cat",
  "serial",
  "terminal",
  "videoinfo",
  "vbe",
  "halt",
];

/** The folder of the packages; `undefined` where they are not unpacked. */
export function loaderPackages(): string | undefined {
  const folder = `${Deno.env.get("MOA_GUESTS") ?? ""}/loaders/usr`;
  try {
    return Deno.statSync(`${folder}/lib/ISOLINUX/isolinux.bin`).isFile ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** A CD that ISOLINUX boots: its configuration, and files beside it. */
export function isolinuxCd(folder: string, configuration: string, files: MediaFiles): Uint8Array {
  const loader = Deno.readFileSync(`${folder}/lib/ISOLINUX/isolinux.bin`);
  const module = (name: string) => Deno.readFileSync(`${folder}/lib/syslinux/modules/bios/${name}.c32`);
  const iso = buildIso({
    "isolinux/isolinux.bin": loader,
    "isolinux/ldlinux.c32": module("ldlinux"),
    "isolinux/isolinux.cfg": configuration,
    ...files,
  }, { boot: "isolinux/isolinux.bin" });
  // The loader wants to be told where it lies: the boot information table, 8 bytes from its start.
  const start = loader.subarray(64, BLOCK);
  const isLoader = (at: number) => start.every((byte, i) => iso[at + 64 + i] === byte);
  let at = 16 * BLOCK;
  while (at < iso.length && !isLoader(at)) at += BLOCK;
  assert(at < iso.length, "the loader is on the CD");
  const words = new Uint8Array(Math.ceil(loader.length / 4) * 4);
  words.set(loader);
  const view = new DataView(words.buffer);
  let sum = 0;
  for (let word = 64; word < words.length; word += 4) sum = (sum + view.getUint32(word, true)) >>> 0;
  const table = new DataView(iso.buffer, iso.byteOffset + at + 8);
  for (const [i, value] of [16, at / BLOCK, loader.length, sum].entries()) table.setUint32(4 * i, value, true);
  return iso;
}

/** A disk that GRUB boots, with its configuration and files on a partition of ext2. */
export async function grubDisk(
  temp: TempFolder,
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const modules = `${folder}/lib/grub/i386-pc`;
  const core = temp.file("core.img");
  const prefix = "(hd0,msdos1)/grub";
  await must("grub-mkimage", ["-d", modules, "-O", "i386-pc", "-o", core, "-p", prefix, ...MODULES]);
  await Deno.mkdir(temp.file("fs/grub"), { recursive: true });
  for (const [name, content] of Object.entries(files)) await Deno.writeTextFile(temp.file(`fs/${name}`), content);
  const partition = temp.file("partition.img");
  await must("mke2fs", ["-q", "-t", "ext2", "-d", temp.file("fs"), partition, "4M"]);
  const content = await Deno.readFile(partition);
  const disk = new Uint8Array(PARTITION_SECTOR * SECTOR + content.length);
  disk.set(await Deno.readFile(`${modules}/boot.img`));
  disk.set(await Deno.readFile(core), SECTOR);
  disk.set(content, PARTITION_SECTOR * SECTOR);
  // The partition table takes the place of code for floppies.
  disk.fill(0, 446, 510);
  const view = new DataView(disk.buffer);
  disk.set([0x80, 0, 0, 0, 0x83, 0, 0, 0], 446);
  view.setUint32(454, PARTITION_SECTOR, true);
  view.setUint32(458, content.length / SECTOR, true);
  return disk;
}
