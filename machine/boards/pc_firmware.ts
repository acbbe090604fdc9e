/**
 * What a pc's firmware is told by fw_cfg that follows from the board's devices: ACPI tables, boot order, geometries,
 * and the user's own files.
 *
 * @module
 */
import type { Device, IsaBus } from "../../devices/bus/mod.ts";
import {
  type AcpiFiles,
  acpiFiles,
  type AcpiFloppy,
  type AcpiMachine,
  type AcpiPort,
  type FwCfg,
  type IsaContents,
  type Piix4Pm,
  PM_APM,
  PM_GPE_PORT,
  PM_SCI_IRQ,
} from "../../devices/chipset/mod.ts";
import { MachineError } from "../errors.ts";
import type { LinuxImage } from "../firmware/linux.ts";
import type { FirmwareItems, LoaderRom } from "./board.ts";
import { bootPaths, logicalGeometries } from "./boot_paths.ts";
import { cmosFloppies, floppyBus } from "./pc_drives.ts";

/** The end of an order of booting beyond which firmware tries nothing. */
const NOTHING_ELSE = "HALT";

const CENTURY_INDEX = 0x32;

/** What the tables are made from. */
export interface FirmwareSources {
  readonly fwCfg: FwCfg;
  /** `undefined` without ACPI. */
  readonly pm: Piix4Pm | undefined;
  readonly isa: IsaBus;
  readonly lowRamBytes: number;
  readonly items: FirmwareItems;
}

/**
 * Puts the files in; those of ACPI are made whenever the guest selects one.
 *
 * @throws {OptionError} tables that do not fit
 * @throws {MachineError} where a file of the user's has the name of one that is there
 */
export function addFirmwareFiles({ fwCfg, pm, isa, lowRamBytes, items }: FirmwareSources): void {
  if (pm !== undefined) {
    const files = acpiFilesOf(() => acpiMachine(pm, isa, lowRamBytes, items));
    for (const name of ["etc/acpi/rsdp", "etc/acpi/tables", "etc/table-loader"] as const) {
      fwCfg.setFile(name, () => files()[name]);
    }
    files(); // What does not fit is told now, not when a guest asks.
    fwCfg.setFile("etc/tpm/log", new Uint8Array(0));
  }
  for (const { name, content } of items.files ?? []) {
    if (fwCfg.hasFile(name)) throw new MachineError(`duplicate fw_cfg file name: ${name}`);
    fwCfg.setFile(name, content);
  }
}

/** The files of what there is at the time; made once for as long as it is the same, since firmware asks many times. */
function acpiFilesOf(machine: () => AcpiMachine): () => AcpiFiles {
  let made: { readonly of: string; readonly files: AcpiFiles } | undefined;
  return () => {
    const { extra, ...rest } = machine(); // The user's own tables stay as they are.
    const of = JSON.stringify(rest);
    if (made?.of !== of) made = { of, files: acpiFiles({ ...rest, extra }) };
    return made.files;
  };
}

/** Keys of a kernel's pieces: where each goes, how long it is, its bytes. */
const LINUX_KEYS = {
  kernel: { address: 0x07, size: 0x08, data: 0x11 },
  initrd: { address: 0x0a, size: 0x0b, data: 0x12 },
  commandLine: { address: 0x13, size: 0x14, data: 0x15 },
  setup: { address: 0x16, size: 0x17, data: 0x18 },
} as const;

/** Puts a kernel's pieces in, and the option ROM that loads them. */
export function addLinux(fwCfg: FwCfg, image: LinuxImage, loader: LoaderRom): void {
  for (const piece of ["kernel", "initrd", "commandLine", "setup"] as const) {
    const keys = LINUX_KEYS[piece];
    fwCfg.setNumber(keys.address, image[`${piece}Address`], 4);
    fwCfg.setNumber(keys.size, image[piece].length, 4);
    fwCfg.set(keys.data, image[piece]);
  }
  fwCfg.setFile(`genroms/${loader.name}`, loader.content);
}

/** Puts option ROMs in, in the user's order. @throws {MachineError} where two files have one name */
export function addOptionRoms(fwCfg: FwCfg, { optionRoms = [] }: FirmwareItems): void {
  for (const { name, content } of optionRoms) {
    if (fwCfg.hasFile(`genroms/${name}`)) throw new MachineError(`duplicate fw_cfg file name: genroms/${name}`);
    fwCfg.setFile(`genroms/${name}`, content);
  }
}

/** In which order to boot (a kernel's loader first), and geometries: of the devices that are there now, and at each reset. */
export function addDeviceFiles(
  fwCfg: FwCfg,
  devices: () => readonly Device[],
  { linux, strictBoot, optionRoms = [] }: FirmwareItems,
): void {
  const roms = [
    ...linux?.loader === undefined ? [] : [{ name: linux.loader.name, bootIndex: 0 }],
    ...optionRoms,
  ].flatMap(({ name, bootIndex }) =>
    bootIndex === undefined ? [] : [{ index: bootIndex, path: `/rom@genroms/${name}` }]
  );
  const order = () => {
    const paths = bootPaths(devices(), roms);
    return linesFile(strictBoot && paths.length > 0 ? [...paths, NOTHING_ELSE] : paths);
  };
  fwCfg.setRenewedFile("bootorder", order);
  fwCfg.setRenewedFile("bios-geometry", () => linesFile(logicalGeometries(devices())));
}

/** A file of lines for the firmware, ended by a zero byte; empty where there are none. */
function linesFile(lines: readonly string[]): Uint8Array {
  return lines.length === 0 ? new Uint8Array(0) : new TextEncoder().encode(`${lines.join("\n")}\0`);
}

function acpiMachine(pm: Piix4Pm, isa: IsaBus, lowRamBytes: number, items: FirmwareItems): AcpiMachine {
  return {
    hardware: {
      pmBase: pm.registerPort,
      gpe0Port: PM_GPE_PORT,
      sci: PM_SCI_IRQ,
      smiPort: PM_APM.port,
      acpiEnable: PM_APM.enable,
      acpiDisable: PM_APM.disable,
      centuryIndex: CENTURY_INDEX,
    },
    slots: { lowRamBytes, removable: pm.removableSlots },
    isa: isaContents(isa),
    cpus: pm.cpus,
    hpet: items.hpet ?? true,
    extra: items.acpiTables ?? [],
  };
}

/** What is on the bus now. */
function isaContents(isa: IsaBus): IsaContents {
  const named = (name: string) => isa.devices.filter(({ type }) => type.name === name).reverse();
  const controller = named("isa-fdc")[0];
  return {
    keyboard: named("i8042").length > 0,
    clock: named("mc146818rtc").length > 0,
    floppies: controller === undefined ? undefined : acpiFloppies(controller),
    ports: [
      ...named("isa-serial").map((device, index) => acpiPort("serial", device, index)),
      ...named("isa-parallel").map((device, index) => acpiPort("parallel", device, index)),
    ],
  };
}

function acpiFloppies(controller: Device): AcpiFloppy[] {
  return cmosFloppies(floppyBus(controller)).flatMap((kind, unit): AcpiFloppy[] =>
    kind === "none" ? [] : [{ unit: unit === 0 ? 0 : 1, kind }]
  );
}

function acpiPort(kind: AcpiPort["kind"], { properties }: Device, index: number): AcpiPort {
  return {
    kind,
    number: Number(properties.index ?? index) + 1,
    port: Number(properties.iobase),
    irq: Number(properties.irq),
  };
}
