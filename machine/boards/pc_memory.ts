/**
 * The memory of a pc: RAM around the hole below 4 GiB, firmware at the top of it and in the first megabyte.
 *
 * @module
 */
import { KiB, MiB } from "../../base/units.ts";
import { ALL_ADDRESSES, MemoryRegion, PlainRam } from "../../devices/bus/mod.ts";
import { splitRam } from "../../devices/chipset/mod.ts";
import { MachineError } from "../errors.ts";
import type { BoardSite } from "./board.ts";

const FOUR_GIB = 0x1_0000_0000;
const OPTION_ROM_START = 0xc0000;
const OPTION_ROM_BYTES = 128 * KiB;
/** What of the firmware is seen below 1 MiB. */
const LOW_FIRMWARE_BYTES = 128 * KiB;
const DEFAULT_FIRMWARE_BYTES = 256 * KiB;
const FIRMWARE_UNIT_BYTES = 64 * KiB;

/** What the rest of the board needs of it. */
export interface PcMemory {
  readonly ram: MemoryRegion;
  readonly pci: MemoryRegion;
  readonly lowRamBytes: number;
  readonly highRamBytes: number;
}

/** Places RAM and firmware, of zeroes where there is none. @throws {MachineError} for a firmware whose size cannot be */
export function buildPcMemory(site: BoardSite, image?: Uint8Array): PcMemory {
  const { systemMemory } = site;
  const { lowRamBytes, highRamBytes } = splitRam(site.ram.sizeBytes);
  const ram = MemoryRegion.ram("pc.ram", site.ram);
  systemMemory.add(MemoryRegion.alias("ram-below-4g", ram, 0, lowRamBytes), 0);
  if (highRamBytes > 0) {
    systemMemory.add(MemoryRegion.alias("ram-above-4g", ram, lowRamBytes, highRamBytes), FOUR_GIB);
  }
  const pci = MemoryRegion.container("pci", ALL_ADDRESSES);
  systemMemory.add(pci, 0, -1);
  placeFirmware(site, pci, image ?? new Uint8Array(DEFAULT_FIRMWARE_BYTES));
  return { ram, pci, lowRamBytes, highRamBytes };
}

function placeFirmware(site: BoardSite, pci: MemoryRegion, image: Uint8Array): void {
  if (image.length === 0 || image.length % FIRMWARE_UNIT_BYTES !== 0 || image.length > 16 * MiB) {
    throw new MachineError("could not load PC BIOS");
  }
  const firmware = MemoryRegion.rom("pc.bios", new PlainRam(image.slice()));
  const low = Math.min(image.length, LOW_FIRMWARE_BYTES);
  const window = MemoryRegion.alias("isa-bios", firmware, image.length - low, low);
  window.readonly = true;
  pci.add(window, MiB - low, 1);
  const optionRoms = MemoryRegion.rom("pc.rom", new PlainRam(OPTION_ROM_BYTES));
  pci.add(optionRoms, OPTION_ROM_START, 1);
  pci.add(firmware, FOUR_GIB - image.length);
  site.accelerator.mapRom(FOUR_GIB - image.length, image);
}
