/**
 * The images of a pc that are not on its disks, in the order in which QEMU lists them.
 *
 * @module
 */
import { ACPI_ROOM_BYTES } from "../../devices/chipset/mod.ts";
import type { RomInfo } from "../inspect/roms.ts";
import type { LoaderRom } from "./board.ts";

const FOUR_GIB = 0x1_0000_0000;

/** What there is. */
export interface PcRoms {
  readonly options: readonly LoaderRom[];
  readonly firmware: LoaderRom | undefined;
  readonly acpi: boolean;
}

export function pcRoms({ options, firmware, acpi }: PcRoms): RomInfo[] {
  const tables = Object.entries(ACPI_ROOM_BYTES).map(([name, sizeBytes]): RomInfo => ({
    place: "region",
    region: `/rom@${name}`,
    name,
    sizeBytes,
  }));
  return [
    ...options.map(optionRom),
    ...firmware === undefined ? [] : [firmwareRom(firmware)],
    ...acpi ? tables : [],
  ];
}

function optionRom({ name, content }: LoaderRom): RomInfo {
  return { place: "fw_cfg", file: `genroms/${name}`, name, sizeBytes: content.length };
}

function firmwareRom({ name, content }: LoaderRom): RomInfo {
  return { place: "memory", address: FOUR_GIB - content.length, content: "rom", name, sizeBytes: content.length };
}
