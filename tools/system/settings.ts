/**
 * What a command line comes to: the machine's wishes, and what the program itself is to do.
 *
 * @module
 */
import { OBJECT_TYPES, ObjectRegistry } from "../../block/mod.ts";
import type { CommandLineError } from "./arguments.ts";
import type { MonitorWish, PlacedChardev } from "./chardevs.ts";
import type { DescriptorWish } from "./read_descriptors.ts";
import {
  type BlockdevWish,
  type DeviceWish,
  type DriveWish,
  type GlobalProperty,
  type InstructionClock,
  SmbiosOptions,
} from "../../machine/mod.ts";

/** How the real-time clock is to go. */
export interface ClockSettings {
  /** `"utc"`, `"localtime"`, or seconds since 1970. */
  readonly base: "utc" | "localtime" | number;
  readonly clock: "host" | "rt" | "vm";
}

/** A listing that was asked for: it is shown and the program ends. */
export type Listing =
  | { readonly kind: "help" | "version" | "machine" | "accel" | "cpu" | "devices" | "formats" | "boot" | "display" }
  | { readonly kind: "vga" | "trace" | "chardev" | "data-folders" | "log" }
  | { readonly kind: "object"; readonly text: string }
  | { readonly kind: "device"; readonly driver: string; readonly origin: string };

/** All of it. */
export interface Settings {
  listing: Listing | undefined;
  readonly drives: DriveWish[];
  readonly blockdevs: BlockdevWish[];
  readonly devices: DeviceWish[];
  readonly globals: GlobalProperty[];
  /** What `-object` made: drives find their secrets there. */
  readonly objects: ObjectRegistry;
  readonly monitors: MonitorWish[];
  /** Somebody said where the prompt is, or that it is nowhere. */
  monitorsChosen: boolean;
  /** The control code before a multiplexer's keys: `-echr`. */
  escape: number | undefined;
  /** Descriptors that were handed over. */
  readonly descriptors: DescriptorWish[];
  /** Character devices in the order in which they are opened. */
  readonly chardevs: PlacedChardev[];
  /** The other ends of serial and parallel ports by id; `undefined` leaves a port out. */
  readonly serials: (string | undefined)[];
  readonly parallels: (string | undefined)[];
  /** The graphics card, where it was chosen. */
  vga: "std" | "none" | undefined;
  readonly machineProperties: Map<string, string>;
  machineType: string | undefined;
  readonly accelerators: { readonly name: string; readonly origin: string }[];
  ramBytes: number | undefined;
  cpus: number;
  bootOrder: string | undefined;
  bootOnce: string | undefined;
  bootMenu: boolean;
  rebootTimeoutMs: number | undefined;
  strictBoot: boolean;
  splashTimeMs: number | undefined;
  /** The name of a picture's file. */
  splash: string | undefined;
  skipsFloppyCheck: boolean;
  snapshot: boolean;
  nodefaults: boolean;
  paused: boolean;
  noReboot: boolean;
  noShutdown: boolean;
  nographic: boolean;
  display: "none" | "curses";
  /** How `-daemonize` was written, where it was. */
  daemonOrigin: string | undefined;
  loadvm: string | undefined;
  name: string | undefined;
  uuid: Uint8Array | undefined;
  clock: ClockSettings;
  /** `-acpitable`: whole tables. */
  readonly acpiTables: Uint8Array[];
  /** `-smbios`. */
  readonly smbios: SmbiosOptions;
  /** `-fw_cfg`. */
  readonly firmwareFiles: { readonly name: string; readonly content: Uint8Array }[];
  /** `-option-rom`: names of files. */
  readonly optionRoms: { readonly filename: string; readonly bootIndex?: number }[];
  pidfile: string | undefined;
  bios: string | undefined;
  /** `-L`: where firmware is looked for first. */
  readonly dataFolders: string[];
  kernel: string | undefined;
  /** The option that asked for a debug console, which comes after all other devices. */
  debugconOrigin: string | undefined;
  initrd: string | undefined;
  append: string | undefined;
  icount: InstructionClock | undefined;
  /** `-seed`: randomness that is one for one seed. */
  seed: number | undefined;
  logFile: string | undefined;
  logItems: string | undefined;
  readonly tracePatterns: { readonly pattern: string; readonly origin: string }[];
  traceFile: string | undefined;
  cpuModel: string | undefined;
  /** Character devices that must be there by then, and what is told where one is not. */
  readonly lateChecks: { readonly id: string; readonly failure: CommandLineError }[];
  /** What is wrong beyond the drives: QEMU tells it once those are open and the monitor is there. */
  lateFailure: CommandLineError | undefined;
  /** Lines for standard error, before anything is opened. */
  readonly notes: { readonly text: string; readonly origin?: string }[];
}

/** A machine with QEMU's defaults. */
export function defaultSettings(): Settings {
  return {
    listing: undefined,
    drives: [],
    blockdevs: [],
    devices: [],
    globals: [],
    objects: new ObjectRegistry(OBJECT_TYPES),
    monitors: [],
    monitorsChosen: false,
    escape: undefined,
    descriptors: [],
    chardevs: [],
    serials: [],
    parallels: [],
    vga: undefined,
    machineProperties: new Map(),
    machineType: undefined,
    accelerators: [],
    ramBytes: undefined,
    cpus: 1,
    bootOrder: undefined,
    bootOnce: undefined,
    bootMenu: false,
    rebootTimeoutMs: undefined,
    strictBoot: false,
    splashTimeMs: undefined,
    splash: undefined,
    skipsFloppyCheck: false,
    snapshot: false,
    nodefaults: false,
    paused: false,
    noReboot: false,
    noShutdown: false,
    nographic: false,
    display: "none",
    daemonOrigin: undefined,
    loadvm: undefined,
    name: undefined,
    uuid: undefined,
    clock: { base: "utc", clock: "host" },
    acpiTables: [],
    smbios: new SmbiosOptions(),
    firmwareFiles: [],
    optionRoms: [],
    pidfile: undefined,
    bios: undefined,
    dataFolders: [],
    kernel: undefined,
    debugconOrigin: undefined,
    initrd: undefined,
    append: undefined,
    icount: undefined,
    seed: undefined,
    logFile: undefined,
    logItems: undefined,
    tracePatterns: [],
    traceFile: undefined,
    cpuModel: undefined,
    lateChecks: [],
    lateFailure: undefined,
    notes: [],
  };
}
