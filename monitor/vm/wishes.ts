/**
 * From a script's options to what the machine's wiring takes: the same wishes that a command line makes.
 *
 * @module
 */
import { OptionError, type OptionPair, parseOptionPairs } from "../../base/keyval.ts";
import { MiB } from "../../base/units.ts";
import { parseUuid } from "../../base/uuid.ts";
import { OBJECT_TYPES, registryOf } from "../../block/mod.ts";
import { type DriveWish, type FirmwareItems, type MachineWishes, SmbiosOptions } from "../../machine/mod.ts";
import { readLinuxFiles } from "./linux_files.ts";
import type { VmOptions } from "./options.ts";

/** The wishes in `options`; `warn` gets what is old about them. */
export function wishesOf(options: VmOptions, warn: (text: string) => void): MachineWishes {
  const read = (text: string, impliedKey?: string): readonly OptionPair[] => {
    const { pairs, warnings } = parseOptionPairs(text, impliedKey);
    for (const warning of warnings) warn(`warning: ${warning}`);
    return pairs;
  };
  const { hda, hdb, hdc, hdd, cdrom, fda, fdb } = options;
  const floppies = [fda, fdb].flatMap((file, index): DriveWish[] => file === undefined ? [] : [floppy(index, file)]);
  const disks = [hda, hdb, hdc, hdd].flatMap((file, index): DriveWish[] =>
    file === undefined ? [] : [place(index, "disk", file)]
  );
  return {
    drives: [
      ...disks,
      ...(cdrom === undefined ? [] : [place(2, "cdrom", cdrom)]),
      ...floppies,
      ...(options.drives ?? []).map((text) => ({ origin: `-drive ${text}`, pairs: read(text) })),
    ],
    blockdevs: (options.blockdevs ?? []).map((text) => ({ origin: `-blockdev ${text}`, text })),
    devices: (options.devices ?? []).map((text) => ({ origin: `-device ${text}`, pairs: read(text, "driver") })),
    ...(options.objects === undefined ? {} : { objects: registryOf(options.objects, OBJECT_TYPES) }),
    vga: options.vga ?? (options.nodefaults ? "none" : "std"),
    snapshot: options.snapshot ?? false,
    noReboot: options.noReboot ?? false,
    nodefaults: options.nodefaults ?? false,
    accelerator: (options.accel ?? (options.kernel === undefined ? "qtest" : "v86")) === "v86"
      ? { name: "v86", ...(options.icount === undefined ? {} : { icount: options.icount }) }
      : { name: "qtest" },
    ...(options.kernel === undefined ? {} : { linux: readLinuxFiles({ ...options, kernel: options.kernel }) }),
    ...(options.bios === undefined ? {} : { firmware: options.bios }),
    ...(options.memory === undefined ? {} : { ramBytes: options.memory * MiB }),
    ...(options.boot === undefined ? {} : { bootOrder: options.boot }),
    ...(options.bootOnce === undefined ? {} : { bootOnce: options.bootOnce }),
    ...(options.name === undefined ? {} : { name: options.name }),
    firmwareItems: firmwareItemsOf(options, warn),
  };
}

function firmwareItemsOf(options: VmOptions, warn: (text: string) => void): FirmwareItems {
  const { uuid, smbios, optionRoms, bootMenu, strictBoot, rebootTimeoutMs, splashTimeMs } = options;
  const tables = new SmbiosOptions();
  let bytes = uuid === undefined ? undefined : parseUuid(uuid);
  if (uuid !== undefined && bytes === undefined) {
    throw new OptionError(`uuid: '${uuid}': failed to parse UUID string: wrong format`);
  }
  for (const text of smbios ?? []) {
    try {
      bytes = tables.add(text, warn) ?? bytes;
    } catch (error) {
      throw error instanceof OptionError ? new OptionError(`-smbios ${text}: ${error.message}`) : error;
    }
  }
  return {
    smbios: tables.wishes,
    ...(bytes === undefined ? {} : { uuid: bytes }),
    ...(optionRoms === undefined ? {} : { optionRoms }),
    ...(bootMenu === undefined ? {} : { bootMenu }),
    ...(strictBoot === undefined ? {} : { strictBoot }),
    ...(rebootTimeoutMs === undefined ? {} : { rebootTimeoutMs }),
    ...(splashTimeMs === undefined ? {} : { splashTimeMs }),
  };
}

function floppy(index: number, file: string): DriveWish {
  return {
    origin: `-fd${"ab"[index]} ${file}`,
    pairs: [
      { name: "if", value: "floppy" },
      { name: "index", value: String(index) },
      { name: "file", value: file },
    ],
  };
}

function place(index: number, media: "disk" | "cdrom", file: string): DriveWish {
  const letter = media === "cdrom" ? "-cdrom" : `-hd${"abcd"[index]}`;
  return {
    origin: `${letter} ${file}`,
    pairs: [
      { name: "index", value: String(index) },
      { name: "media", value: media },
      { name: "file", value: file },
    ],
  };
}
