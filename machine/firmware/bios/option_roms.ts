/**
 * Option ROMs (`-option-rom`): put into memory from C8000h on, started one by one, and what they offer to boot from.
 *
 * The firmware's code asks for the next call until there is none: each ROM's start (offset 3), then the connection vectors
 * (BCV) of those that have one and no bootstrap entry (BEV): such an entry is a place of the boot order. A ROM may shrink
 * itself, or go (length 0). What it does is guest code: it may hang the guest, nothing else.
 *
 * Left out: ROMs of PCI devices (`romfile=`), run-time installation, DDIM.
 *
 * Source: [PNP BIOS] Plug and Play BIOS Specification 1.0A, 3; [BBS] BIOS Boot Specification 1.01, 3.
 *
 * @module
 */
import { KiB } from "../../../base/units.ts";
import type { FirmwareCall } from "./call.ts";
import type { PciService } from "./pci.ts";
import { EXTENDED_AREA, type FirmwareSite } from "./site.ts";
import type { VideoService } from "./video.ts";

/** Where ROMs lie: between the display's and the firmware. */
export const ROM_AREA = { start: 0xc8000, end: 0xf0000 } as const;
const STEP_BYTES = 2 * KiB;
const UNIT_BYTES = 512;
const SIGNATURE = 0xaa55;
const START_OFFSET = 3;
const PNP_POINTER = 0x1a;
const PNP_SIGNATURE = 0x506e5024;
const PNP = { name: 0x10, connect: 0x16, bootstrap: 0x1a, bytes: 0x20 } as const;
const MAX_NAME_CHARACTERS = 40;

/** A ROM as the user gave it. */
export interface OptionRom {
  readonly name: string;
  readonly content: Uint8Array;
}

/** A ROM that is in memory and can boot. */
export interface BootRom {
  readonly segment: number;
  readonly bootstrap: number;
  readonly name: string;
}

/** One that is in memory; entries are 0 where it has none. */
interface PlacedRom extends BootRom {
  readonly end: number;
  readonly connect: number;
}

/** What is started. */
export class OptionRoms {
  readonly #site: FirmwareSite;
  readonly #pci: PciService;
  readonly #video: VideoService;

  constructor(site: FirmwareSite, pci: PciService, video: VideoService) {
    this.#site = site;
    this.#pci = pci;
    this.#video = video;
  }

  /** The ROM's call: 1 in AX and the address of what is to be called, or 0 when there is no more. */
  next(call: FirmwareCall): void {
    const { memory, optionRoms } = this.#site;
    call.ax = 0;
    for (let step = memory.readValue(EXTENDED_AREA.romStep, 2); step < optionRoms.length; step++) {
      if (step === 0) this.#open();
      memory.writeValue(EXTENDED_AREA.romStep, 2, step + 1);
      const { name, content } = optionRoms[step]!;
      const at = this.#placed().at(-1)?.end ?? ROM_AREA.start;
      const problem = romProblem(content, ROM_AREA.end - at);
      if (problem === undefined) {
        memory.write(at, content.subarray(0, content[2]! * UNIT_BYTES));
        return this.#enter(call, at / 16, START_OFFSET);
      }
      this.#video.print(`Option ROM ${name} is left out: ${problem}\r\n`);
    }
    this.#connect(call);
  }

  /** Those that offer to boot. */
  bootable(): BootRom[] {
    return this.#site.optionRoms.length === 0 ? [] : this.#placed().filter(({ bootstrap }) => bootstrap !== 0);
  }

  /** Makes what follows the ROMs' starts: their connection vectors, then they are read-only. */
  #connect(call: FirmwareCall): void {
    const { memory, optionRoms } = this.#site;
    if (optionRoms.length === 0) return;
    const step = memory.readValue(EXTENDED_AREA.romStep, 2);
    memory.writeValue(EXTENDED_AREA.romStep, 2, step + 1);
    const placed = this.#placed();
    const rom = placed.filter(({ connect, bootstrap }) => connect !== 0 && bootstrap === 0)[step - optionRoms.length];
    if (rom !== undefined) return this.#enter(call, rom.segment, rom.connect);
    this.#pci.shadow(ROM_AREA.start, placed.at(-1)?.end ?? ROM_AREA.start, { isOpen: false });
  }

  /** What an earlier start has left there is gone. */
  #open(): void {
    this.#pci.shadow(ROM_AREA.start, ROM_AREA.end, { isOpen: true });
    this.#site.memory.write(ROM_AREA.start, new Uint8Array(ROM_AREA.end - ROM_AREA.start));
  }

  #enter(call: FirmwareCall, segment: number, offset: number): void {
    const { memory } = this.#site;
    memory.writeValue(EXTENDED_AREA.romEntry, 2, offset);
    memory.writeValue(EXTENDED_AREA.romEntry + 2, 2, segment);
    call.ax = 1;
  }

  #placed(): PlacedRom[] {
    const { memory } = this.#site;
    const placed: PlacedRom[] = [];
    for (let at: number = ROM_AREA.start; at < ROM_AREA.end;) {
      const bytes = memory.readValue(at + 2, 1) * UNIT_BYTES;
      if (memory.readValue(at, 2) !== SIGNATURE || bytes === 0 || at + bytes > ROM_AREA.end) break;
      const end = at + Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;
      placed.push({ segment: at / 16, end, ...this.#pnp(at, bytes) });
      at = end;
    }
    return placed;
  }

  #pnp(at: number, bytes: number): Pick<PlacedRom, "connect" | "bootstrap" | "name"> {
    const { memory } = this.#site;
    const word = (offset: number) => memory.readValue(at + offset, 2);
    const header = word(PNP_POINTER);
    if (header === 0 || header + PNP.bytes > bytes || memory.readValue(at + header, 4) !== PNP_SIGNATURE) {
      return { connect: 0, bootstrap: 0, name: "" };
    }
    let name = "";
    for (let from = word(header + PNP.name); from !== 0 && from < bytes && name.length < MAX_NAME_CHARACTERS; from++) {
      const code = memory.readValue(at + from, 1);
      if (code < 0x20 || code > 0x7e) break;
      name += String.fromCharCode(code);
    }
    return { connect: word(header + PNP.connect), bootstrap: word(header + PNP.bootstrap), name };
  }
}

/** Why a ROM cannot be started where there are `room` bytes; `undefined` where it can. */
function romProblem(content: Uint8Array, room: number): string | undefined {
  if (content.length < UNIT_BYTES || content[0] !== 0x55 || content[1] !== 0xaa) return "it has no signature";
  const bytes = content[2]! * UNIT_BYTES;
  if (bytes === 0 || bytes > content.length) return "it is shorter than it says";
  if (bytes > room) return `there is no room for its ${bytes / KiB} KiB`;
  const sum = content.subarray(0, bytes).reduce((total, byte) => (total + byte) & 0xff, 0);
  return sum === 0 ? undefined : "its checksum is wrong";
}
