/**
 * The built-in firmware of a pc: what it is told of the board.
 *
 * @module
 */
import { BlockBackend } from "../../block/mod.ts";
import type { Device } from "../../devices/bus/mod.ts";
import { splitRam } from "../../devices/chipset/mod.ts";
import { layOutLinux } from "../firmware/linux.ts";
import { type BiosSite, BuiltInBios, type FirmwareDisk } from "../firmware/mod.ts";
import { biosShapes } from "./bios_shapes.ts";
import type { BoardSite } from "./board.ts";
import { driveBootIndex } from "./boot_paths.ts";

/** How types of devices count among the disks of int 13h. */
const KINDS: Readonly<Record<string, FirmwareDisk["kind"]>> = {
  "floppy": "floppy",
  "ide-hd": "disk",
  "ide-cd": "cd",
  "virtio-blk-pci": "disk",
  "virtio-blk-pci-transitional": "disk",
  "virtio-blk-pci-non-transitional": "disk",
};

/** Makes it; the order in which it boots, what is plugged in and the files of fw_cfg are asked for at each start. */
export function makeBuiltInBios(
  site: BoardSite,
  { bootOrder, files }: Pick<BiosSite, "bootOrder" | "files">,
): BuiltInBios {
  const { context, ram, firmwareItems, accelerator } = site;
  const { linux, bootMenu = false, strictBoot = false, splash, optionRoms = [] } = firmwareItems;
  if (splash !== undefined) {
    context.warn("warning: -boot splash= has no effect: the built-in firmware shows no pictures");
  }
  if (optionRoms.some(({ bootIndex }) => bootIndex !== undefined)) {
    context.warn("warning: bootindex= of -option-rom has no effect: the built-in firmware tries ROMs after drives");
  }
  const sizes = splitRam(ram.sizeBytes);
  return new BuiltInBios(context, {
    ...sizes,
    kernel: linux === undefined ? undefined : layOutLinux(linux, sizes.lowRamBytes, accelerator.can),
    bootOrder,
    bootMenu,
    strictBoot,
    optionRoms,
    files,
    disks: () => firmwareDisks(site.devices()),
    toSerial: firmwareItems.noGraphic ?? false,
  });
}

/** Drives; those with a `bootindex` first, in its order, the others as they were plugged in. */
function firmwareDisks(devices: readonly Device[]): FirmwareDisk[] {
  return devices
    .flatMap((device): FirmwareDisk[] => {
      const kind = KINDS[device.type.name];
      const { drive } = device.properties as Readonly<Record<string, unknown>>;
      if (kind === undefined || !(drive instanceof BlockBackend)) return [];
      const index = driveBootIndex(device);
      return [{
        kind,
        backend: drive,
        ...index < 0 ? {} : { bootIndex: index },
        ...kind === "disk" ? biosShapes(device) : {},
      }];
    })
    .sort((a, b) => a.bootIndex === b.bootIndex ? 0 : (a.bootIndex ?? Infinity) - (b.bootIndex ?? Infinity));
}
