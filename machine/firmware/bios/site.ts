/**
 * What the firmware's services work on: the machine as its code would see it, and the disks behind the controllers.
 *
 * @module
 */
import type { Clock } from "../../../base/clocks.ts";
import type { BlockBackend } from "../../../block/mod.ts";
import type { AddressSpace, PortSpace } from "../../../devices/bus/mod.ts";
import type { LinuxImage } from "../linux.ts";
import type { FirmwareCall } from "./call.ts";
import type { OptionRom } from "./option_roms.ts";

/** Cylinders, heads and sectors of a track. */
export interface DiskShape {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** A disk that the firmware serves; its number in int 13h follows from kind and order. */
export interface FirmwareDisk {
  readonly kind: "floppy" | "disk" | "cd";
  readonly backend: BlockBackend;
  /** Its place in the order of booting, where the user gave it one. */
  readonly bootIndex?: number;
  /** Of disks: what int 13h shows, and the drive's own; both follow from the size where they are absent. */
  readonly shape?: DiskShape;
  readonly physical?: DiskShape;
}

/** The machine around the services. */
export interface FirmwareSite {
  readonly memory: AddressSpace;
  readonly ports: PortSpace;
  readonly clock: Clock;
  readonly lowRamBytes: number;
  readonly highRamBytes: number;
  /** Letters as `-boot order=` has them; a change counts from the next start on. */
  readonly bootOrder: () => string;
  /** `-boot menu=on`, and `strict=on`: what has no place in the order is not tried where anything has one. */
  readonly bootMenu: boolean;
  readonly strictBoot: boolean;
  /** What is started before anything on disks: a kernel, laid out already. */
  readonly kernel: LinuxImage | undefined;
  /** `-option-rom`, in order. */
  readonly optionRoms: readonly OptionRom[];
  /** Found anew at each start; those with a place in the order of booting first. */
  readonly disks: () => readonly FirmwareDisk[];
  /** What fw_cfg has under a name. */
  readonly files: (name: string) => Uint8Array | undefined;
  /** What the firmware writes goes to the first serial port too: there is no other display. */
  readonly toSerial: boolean;
  /** Where in the ROM the machine's table is, where an option ROM is booted, int 18h called, and where to stand still. */
  readonly machineTable: number;
  readonly bootRom: number;
  readonly giveUp: number;
  readonly stand: number;
}

/**
 * What a service does with a call. `"sleep"`: it cannot be served before the next interrupt, and is tried again then.
 * `"again"`: it is tried again soon, interrupts on: a wait for a time, or work in pieces, so that others have a turn.
 * A promise keeps the guest polling until the disk has answered; a machine that is to stop waits for it.
 */
export type Service = (call: FirmwareCall) => void | "sleep" | "again" | Promise<void>;

/** The BIOS data area. */
export const BDA = {
  serialPorts: 0x400,
  equipment: 0x410,
  memoryKiB: 0x413,
  shiftFlags: 0x417,
  composed: 0x419,
  bufferHead: 0x41a,
  bufferTail: 0x41c,
  buffer: 0x41e,
  bufferEnd: 0x43e,
  diskStatus: 0x441,
  videoMode: 0x449,
  columns: 0x44a,
  pageBytes: 0x44c,
  pageStart: 0x44e,
  cursors: 0x450,
  cursorShape: 0x460,
  page: 0x462,
  crtcPort: 0x463,
  ticks: 0x46c,
  midnight: 0x470,
  breakFlag: 0x471,
  resetFlag: 0x472,
  hardDiskStatus: 0x474,
  hardDisks: 0x475,
  bufferStart: 0x480,
  bufferLimit: 0x482,
  rows: 0x484,
  characterHeight: 0x485,
  extendedArea: 0x40e,
  extendedFlags: 0x496,
} as const;
/** Where the firmware puts PIIX4's power management registers. */
export const POWER_PORTS = 0x600;
/** The last KiB of low memory is the firmware's own. */
export const LOW_MEMORY_KIB = 639;

/** What the firmware keeps there for itself. */
export const EXTENDED_AREA = {
  /** Four bytes: where RAM below 4 GiB ends for everybody else. */
  ramEnd: LOW_MEMORY_KIB * 1024 + 0x10,
  /** Twelve bytes: which disk a CD emulates. */
  emulation: LOW_MEMORY_KIB * 1024 + 0x14,
  /** Where IBM's firmware keeps them: the mouse's handler, how many bytes have come and are wanted, the bytes. */
  mouseHandler: LOW_MEMORY_KIB * 1024 + 0x22,
  mouseIndex: LOW_MEMORY_KIB * 1024 + 0x26,
  mouseFlags: LOW_MEMORY_KIB * 1024 + 0x27,
  mouseBytes: LOW_MEMORY_KIB * 1024 + 0x28,
  /** The keyboard controller's command byte: reading it there would raise an interrupt. */
  keyboardMode: LOW_MEMORY_KIB * 1024 + 0x30,
  /** An interrupt that a key asks for, 0 for none: the ROM looks there. */
  keyInterrupt: LOW_MEMORY_KIB * 1024 + 0x31,
  /** What the user picked in the boot menu, counted from 1; which attempt at booting is under way. */
  pickedPlace: LOW_MEMORY_KIB * 1024 + 0x32,
  bootAttempt: LOW_MEMORY_KIB * 1024 + 0x33,
  /** Of option ROMs: the address that is called, and how many calls there have been. */
  romEntry: LOW_MEMORY_KIB * 1024 + 0x34,
  romStep: LOW_MEMORY_KIB * 1024 + 0x38,
} as const;
