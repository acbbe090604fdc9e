/**
 * What somebody wants of a machine: the typed form between a command line (or a script) and {@link buildMachine}.
 *
 * Each thing may say where it comes from (`origin`), as the user wrote it: `-drive file=a.img`. Errors about it begin
 * with that.
 *
 * @module
 */
import type { OptionPair } from "../../base/keyval.ts";
import type { DriveInterface, ObjectRegistry } from "../../block/mod.ts";
import type { FirmwareItems } from "../boards/board.ts";
import type { InstructionClock } from "../cpu/mod.ts";
import type { LinuxFiles } from "../firmware/linux.ts";

/** A drive: options as behind `-drive`. `-hda F` is `index=0,media=disk,file=F`. */
export interface DriveWish {
  readonly origin?: string;
  readonly pairs: readonly OptionPair[];
}

/** A node: the text behind `-blockdev`. */
export interface BlockdevWish {
  readonly origin?: string;
  readonly text: string;
}

/** A device: options as behind `-device`, the type under `driver`. */
export interface DeviceWish {
  readonly origin?: string;
  readonly pairs: readonly OptionPair[];
}

/** A property's value for all devices of a type: `-global ide-hd.serial=X`. */
export interface GlobalProperty {
  readonly driver: string;
  readonly property: string;
  readonly value: string;
}

/** Which CPU: none, so that a script plays the guest, or one that runs the guest's code. */
export type AcceleratorWish =
  | { readonly name: "qtest" }
  | { readonly name: "v86"; readonly icount?: InstructionClock };

/** A machine as it is wanted. Everything has QEMU's default where it is absent. */
export interface MachineWishes {
  /** Where absent, `v86` where there is something to boot, else `qtest`. */
  readonly accelerator?: AcceleratorWish;
  /** The board's default where absent. */
  readonly ramBytes?: number;
  /** Where encrypted drives find their passphrases. */
  readonly objects?: ObjectRegistry;
  readonly drives?: readonly DriveWish[];
  readonly blockdevs?: readonly BlockdevWish[];
  readonly devices?: readonly DeviceWish[];
  readonly globals?: readonly GlobalProperty[];
  /** The other ends of the board's serial ports by id; `undefined` leaves a port out. None where absent. */
  readonly serials?: readonly (string | undefined)[];
  readonly parallels?: readonly (string | undefined)[];
  /** The graphics card; none where absent. */
  readonly vga?: "std" | "none";
  /** Writes go to temporary overlays. */
  readonly snapshot?: boolean;
  /** No CD, floppy and SD drives but those asked for. */
  readonly nodefaults?: boolean;
  /** Letters, `"cad"`. */
  readonly bootOrder?: string;
  /** The order until the first reset. */
  readonly bootOnce?: string;
  readonly firmwareItems?: FirmwareItems;
  readonly noReboot?: boolean;
  /** The bytes of `-bios`, or moa's own; where absent and there is a CPU, SeaBIOS where it is found, else moa's own. */
  readonly firmware?: Uint8Array | "built-in";
  /** What the firmware of {@link firmware} is called where images are listed. */
  readonly firmwareName?: string;
  /** `-kernel` and what belongs to it. */
  readonly linux?: LinuxFiles;
  /** Folders of `-L`, searched first for firmware. */
  readonly dataFolders?: readonly string[];
  /** Which clock the real-time clock counts by, and its time of day at the start in seconds since 1970. */
  readonly timeOfDay?: { readonly clock: "host" | "realtime" | "virtual"; readonly startSeconds: number };
  readonly name?: string;
  /** What drives without `if=` are plugged into; the board's own, `ide`. */
  readonly defaultInterface?: DriveInterface;
}
