/**
 * What lies in the machine for the guest to run or read without a disk: firmware, option ROMs, tables.
 *
 * @module
 */
import type { Machine } from "../machine.ts";

/** One image. */
export type RomInfo =
  & { readonly name: string; readonly sizeBytes: number }
  & (
    /** At an address. */
    | { readonly place: "memory"; readonly address: number; readonly content: "rom" | "ram" }
    /** A file of fw_cfg, which firmware copies to where it likes. */
    | { readonly place: "fw_cfg"; readonly file: string }
    /** The same, in room that is kept for it to grow: `sizeBytes` of it. */
    | { readonly place: "region"; readonly region: string }
  );

/** All of them: files of fw_cfg, then by address, then those with room to grow. */
export function roms(machine: Machine): readonly RomInfo[] {
  return machine.built.roms();
}
