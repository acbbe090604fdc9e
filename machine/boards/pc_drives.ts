/**
 * The drives of a pc's own controllers: up to four on IDE, two on the floppy controller.
 *
 * Drives are devices of types that the machine was given, found by name.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { Bus, Device, DeviceType, IsaBus, PciBus } from "../../devices/bus/mod.ts";
import type { CmosDisk, CmosFloppy } from "../../devices/chipset/mod.ts";
import type { BoardDrive, BoardSite } from "./board.ts";

const IDE_FUNCTION = 1 << 3 | 1;
const CHANNELS = 2;
const UNITS = 2;

/** Makes the IDE function 01.1 and, in order of channel and unit, the drives that the board was given. */
export async function buildPcIde(site: BoardSite, pci: PciBus, isa: IsaBus): Promise<Device> {
  const controller = typeNamed(site, "piix3-ide").create(site.context, { addr: IDE_FUNCTION });
  await controller.realize(pci);
  connectLegacy(controller, isa);
  for (let channel = 0; channel < CHANNELS; channel++) {
    const bus = busNamed(controller, `ide.${channel}`);
    for (let unit = 0; unit < UNITS; unit++) {
      const drive = driveAt(site, "ide", channel, unit);
      if (drive === undefined) continue;
      const type = typeNamed(site, drive.media === "cdrom" ? "ide-cd" : "ide-hd");
      await type.create(site.context, { drive: drive.backend, unit }).realize(bus);
    }
  }
  return controller;
}

/** Makes the floppy controller and the drives that the board was given; returns the bus of those. */
export async function buildPcFloppies(site: BoardSite, isa: IsaBus): Promise<Bus> {
  const controller = typeNamed(site, "isa-fdc").create(site.context);
  await controller.realize(isa);
  const bus = floppyBus(controller);
  for (let unit = 0; unit < UNITS; unit++) {
    const drive = driveAt(site, "floppy", 0, unit);
    if (drive === undefined) continue;
    await typeNamed(site, "floppy").create(site.context, { drive: drive.backend, unit }).realize(bus);
  }
  return bus;
}

/** Compatibility mode: each channel has its ISA interrupt. */
function connectLegacy(controller: Device, isa: IsaBus): void {
  controller.connect(isa.irq(14), 0);
  controller.connect(isa.irq(15), 1);
}

/** What the firmware is told of the disks on `controller`: both channels, both units. */
export function cmosDisks(controller: Device): (CmosDisk | undefined)[] {
  const disks: (CmosDisk | undefined)[] = [];
  for (let channel = 0; channel < CHANNELS; channel++) {
    const { devices } = busNamed(controller, `ide.${channel}`);
    for (let unit = 0; unit < UNITS; unit++) {
      const disk = devices.find(({ type, properties }) => type.name === "ide-hd" && properties.unit === unit);
      disks.push(disk === undefined ? undefined : cmosDisk(disk));
    }
  }
  return disks;
}

function cmosDisk({ properties }: Device): CmosDisk {
  const { cyls, heads, secs } = properties;
  const translation = properties["bios-chs-trans"];
  const known = (["none", "lba", "large", "rechs"] as const).find((name) => name === translation);
  return {
    cylinders: Number(cyls),
    heads: Number(heads),
    sectors: Number(secs),
    ...(known === undefined ? {} : { translation: known }),
  };
}

/** The bus of a floppy controller's drives. */
export function floppyBus(controller: Device): Bus {
  return busNamed(controller, "floppy-bus.0");
}

/** What the firmware is told of the floppy drives on `bus`. */
export function cmosFloppies(bus: Bus): [CmosFloppy, CmosFloppy] {
  const kindOf = (unit: number): CmosFloppy => {
    const drive = bus.devices.find(({ properties }) => properties.unit === unit);
    const kind = drive?.properties["drive-type"];
    return (["120", "144", "288"] as const).find((name) => name === kind) ?? "none";
  };
  return [kindOf(0), kindOf(1)];
}

function driveAt(site: BoardSite, kind: BoardDrive["interface"], bus: number, unit: number): BoardDrive | undefined {
  return site.drives.find((drive) => drive.interface === kind && drive.bus === bus && drive.unit === unit);
}

function typeNamed(site: BoardSite, name: string): DeviceType {
  const type = site.types.find(name);
  assert(type !== undefined, `a pc needs device type ${name}`);
  return type;
}

function busNamed(device: Device, name: string): Bus {
  const bus = device.buses.find((candidate) => candidate.name === name);
  assert(bus !== undefined, `${device.type.name} has no bus ${name}`);
  return bus;
}
