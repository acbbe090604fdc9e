/**
 * What a board is: a name, and a way to build its chips into a machine.
 *
 * @module
 */
import type { BlockBackend } from "../../block/mod.ts";
import type {
  AddressSpace,
  Chardev,
  Device,
  DeviceContext,
  DeviceTypes,
  GuestRam,
  MemoryRegion,
  SystemBus,
} from "../../devices/bus/mod.ts";
import type { SmbiosWishes } from "../../devices/chipset/mod.ts";
import type { Accelerator, InterruptControllers } from "../cpu/mod.ts";
import type { LinuxFiles } from "../firmware/linux.ts";
import type { RomInfo } from "../inspect/roms.ts";

/** A drive that the board's own controllers take (`-hda`, `-drive if=ide`, `-drive if=floppy`). */
export interface BoardDrive {
  readonly interface: "ide" | "floppy";
  readonly bus: number;
  readonly unit: number;
  readonly backend: BlockBackend;
  /** What kind of device it is behind. */
  readonly media: "disk" | "cdrom";
}

/** Firmware or an option ROM, by the name of its file. */
export interface LoaderRom {
  readonly name: string;
  readonly content: Uint8Array;
}

/** What the user wants the firmware to know. */
export interface FirmwareItems {
  /** `-boot menu=on`. */
  readonly bootMenu?: boolean;
  /** `-nographic`. */
  readonly noGraphic?: boolean;
  /** `-uuid`: 16 bytes. */
  readonly uuid?: Uint8Array;
  /** `-boot reboot-timeout=`: milliseconds. */
  readonly rebootTimeoutMs?: number;
  /** `-boot strict=on`: nothing is booted that has no place in the order. */
  readonly strictBoot?: boolean;
  /** `-boot splash-time=`: milliseconds that the menu or the picture stays. */
  readonly splashTimeMs?: number;
  /** `-boot splash=`: a picture, by the name that firmware knows. */
  readonly splash?: { readonly name: "bootsplash.jpg" | "bootsplash.bmp"; readonly content: Uint8Array };
  /** `-no-fd-bootchk`: a floppy is booted without a signature. */
  readonly skipsFloppyCheck?: boolean;
  /** `-machine acpi=`: on unless off. Off takes power management away too. */
  readonly acpi?: boolean;
  /** `-machine hpet=`: on unless off. */
  readonly hpet?: boolean;
  /** `-acpitable`: whole tables with their headers. */
  readonly acpiTables?: readonly Uint8Array[];
  /** `-kernel` and what belongs to it, with the option ROM that starts it; the board's own firmware needs none. */
  readonly linux?: LinuxFiles & { readonly loader?: LoaderRom };
  /** `-option-rom`. */
  readonly optionRoms?: readonly (LoaderRom & { readonly bootIndex?: number })[];
  /** `-smbios`. */
  readonly smbios?: SmbiosWishes;
  /** `-fw_cfg`: files of the user's. */
  readonly files?: readonly { readonly name: string; readonly content: Uint8Array }[];
}

/** A graphics card. */
export interface VgaWish {
  readonly rom: Uint8Array | undefined;
}

/** What a board builds with. */
export interface BoardSite {
  readonly context: DeviceContext;
  readonly types: DeviceTypes;
  readonly systemBus: SystemBus;
  /** The root of memory, `system`. */
  readonly systemMemory: MemoryRegion;
  /** The root of ports, `io`. */
  readonly systemPorts: MemoryRegion;
  readonly ram: GuestRam;
  readonly accelerator: Accelerator;
  readonly drives: readonly BoardDrive[];
  /** What is at the other end of each serial port; no port where there is none. */
  readonly serials: readonly (Chardev | undefined)[];
  /** The same for parallel ports. */
  readonly parallels: readonly (Chardev | undefined)[];
  /** The standard VGA, with its BIOS where one was found; no card where absent. */
  readonly vga: VgaWish | undefined;
  readonly bootOrder: string;
  readonly firmwareItems: FirmwareItems;
  /** What `-bios` and its like give. */
  readonly firmware: LoaderRom | undefined;
  /** All devices that there are, those of the user too. */
  devices(): readonly Device[];
  /** Tells of an address space, so that `info mtree` shows it. */
  addAddressSpace(space: AddressSpace): void;
}

/** What a built board can be asked. */
export interface BuiltBoard {
  /**
   * All devices that the machine begins with are there: tables for the firmware are made.
   *
   * @throws {OptionError} what the user wants of the tables cannot be
   */
  ready(): void;
  /** The vector of the waiting interrupt. */
  acknowledgeInterrupt(): number;
  /** Interrupt line 0 to 23 as wired to the interrupt controllers, for those who play the guest. */
  watchInterrupt(line: number, changed: (level: 0 | 1) => void): () => void;
  interruptLevel(line: number): 0 | 1;
  /** What the interrupt controllers that are in use hold now. */
  interruptControllers(): InterruptControllers;
  /** How many times each line has risen. */
  interruptCounts(): readonly number[];
  /** Changes the order in which the firmware boots: `boot_set`. Says what is wrong with it. */
  setBootOrder(order: string): string | undefined;
  /** The power button. */
  powerButton(): void;
  /** Images that are not on disks: firmware, option ROMs, tables. */
  roms(): readonly RomInfo[];
  /** Places in the order of booting that the board itself has: a kernel is first. */
  readonly bootIndexes: readonly number[];
  /** What QEMU's board has and this one does not, by name. */
  readonly missing: readonly string[];
  /** Devices without a bus, in order of realization; those on buses are found there. */
  readonly loose: readonly Device[];
}

/** A type of machine. */
export interface Board {
  /** `"pc-i440fx-7.2"`. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  readonly isDefault: boolean;
  readonly defaultRamBytes: number;
  build(site: BoardSite): Promise<BuiltBoard>;
}
