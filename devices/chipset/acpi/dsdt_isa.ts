/**
 * What sits on the ISA bus and beside it, in ACPI's namespace: it describes what the board has, and nothing else.
 *
 * Source: [ACPI 6.5] 6.1.5 "_HID", 9.9 "Floppy Controller Device Objects"; [IA-PC HPET 1.0a] 3.2.4; the plug-and-play
 * ids of "Devices compatible with ISA PNP".
 *
 * @module
 */
import { littleEndian } from "../../../base/bytes.ts";
import { buffer, device, eisaId, named, packageOf, processor, type Statement, text } from "./aml.ts";
import { CPU_HOTPLUG_PORTS, GPE0_PORTS, PCI_HOTPLUG_PORTS, routingRegisters } from "./dsdt_pci.ts";
import { fixedMemory, isaDma, isaInterrupt, ports, type Resource, resourceTemplate } from "./resources.ts";

/** A drive on the floppy controller. */
export interface AcpiFloppy {
  readonly unit: 0 | 1;
  readonly kind: "120" | "144" | "288";
}

/** A port that has a driver of its own. */
export interface AcpiPort {
  readonly kind: "serial" | "parallel";
  /** From 1 on, as in COM1. */
  readonly number: number;
  readonly port: number;
  readonly irq: number;
}

/** What the ISA bus holds. */
export interface IsaContents {
  readonly keyboard: boolean;
  readonly clock: boolean;
  /** The floppy controller's drives; `undefined` without a controller. */
  readonly floppies: readonly AcpiFloppy[] | undefined;
  readonly ports: readonly AcpiPort[];
}

const ISA_ADDRESS = 0x1_0000;
const HPET_ADDRESS = 0xfed0_0000;
const HPET_BYTES = 0x400;
const PRESENT = 0x0b;

/** The bridge to the ISA bus, and everything on it. */
export function isaBridge(contents: IsaContents): Statement {
  const { keyboard, clock, floppies } = contents;
  return device("ISA", [
    named("_ADR", ISA_ADDRESS),
    ...routingRegisters(),
    ...keyboard ? [isaDevice("KBD", "PNP0303", [ports(0x60, 1), ports(0x64, 1), isaInterrupt(1)])] : [],
    ...keyboard ? [isaDevice("MOU", "PNP0F13", [isaInterrupt(12)])] : [],
    ...clock ? [isaDevice("RTC", "PNP0B00", [ports(0x70, 8), isaInterrupt(8)])] : [],
    ...floppies === undefined ? [] : [floppyController(floppies)],
    ...contents.ports.map(({ kind, number, port, irq }) => {
      const [name, id] = kind === "serial" ? [`COM${number}`, "PNP0501"] : [`LPT${number}`, "PNP0400"];
      return isaDevice(name, id, [ports(port, 8), isaInterrupt(irq)], [named("_UID", number)]);
    }),
  ]);
}

function isaDevice(
  name: string,
  id: string,
  resources: readonly Resource[],
  more: readonly Statement[] = [],
): Statement {
  return device(name, [
    named("_HID", eisaId(id)),
    ...more,
    named("_STA", 0x0f),
    named("_CRS", resourceTemplate(resources)),
  ]);
}

/** What the BIOS would tell of a drive: its kind, its greatest cylinder, sector and head, and the timing. */
const DRIVES: Readonly<Record<AcpiFloppy["kind"], { kind: number; cylinders: number; sectors: number }>> = {
  "120": { kind: 2, cylinders: 80, sectors: 15 },
  "144": { kind: 4, cylinders: 80, sectors: 18 },
  "288": { kind: 5, cylinders: 80, sectors: 36 },
};
const STEP_AND_UNLOAD = 0xaf;
const LOAD_AND_DMA = 0x02;
const MOTOR_OFF_TICKS = 0x25;
const SECTOR_CODE_512 = 2;
const GAP = 0x1b;
const UNUSED_LENGTH = 0xff;
const FORMAT_GAP = 0x6c;
const FORMAT_FILL = 0xf6;
const HEAD_SETTLE_MS = 0x0f;
const MOTOR_SETTLE = 0x08;
const NO_TAPE = 2;

function floppyController(floppies: readonly AcpiFloppy[]): Statement {
  const here = [0, 1, 2, 3].map((unit) => floppies.some((floppy) => floppy.unit === unit) ? 1 : 0);
  const found = [...here, NO_TAPE].flatMap((value) => littleEndian(value, 4));
  const drives = floppies.map(({ unit, kind }) => {
    const drive = DRIVES[kind];
    const timing = [STEP_AND_UNLOAD, LOAD_AND_DMA, MOTOR_OFF_TICKS, SECTOR_CODE_512];
    const format = [GAP, UNUSED_LENGTH, FORMAT_GAP, FORMAT_FILL, HEAD_SETTLE_MS, MOTOR_SETTLE];
    const values = [unit, drive.kind, drive.cylinders - 1, drive.sectors, 1, ...timing, drive.sectors, ...format];
    return device(`FLP${"AB"[unit]}`, [named("_ADR", unit), named("_FDI", packageOf(values))]);
  });
  return isaDevice("FDC0", "PNP0700", [ports(0x3f2, 4), ports(0x3f7, 1), isaInterrupt(6), isaDma(2)], [
    named("_FDE", buffer(Uint8Array.from(found))),
    ...drives,
  ]);
}

/** Ports of power management that no driver asks for. */
export function reservedPorts(): Statement {
  const taken = [GPE0_PORTS, PCI_HOTPLUG_PORTS, CPU_HOTPLUG_PORTS];
  return device("RSVD", [
    named("_HID", eisaId("PNP0A06")),
    named("_UID", text("Power management ports")),
    named("_STA", PRESENT),
    named("_CRS", resourceTemplate(taken.map(({ port, lengthBytes }) => ports(port, lengthBytes)))),
  ]);
}

/** The event timer. */
export function eventTimer(): Statement {
  return device("HPET", [
    named("_HID", eisaId("PNP0103")),
    named("_UID", 0),
    named("_STA", 0x0f),
    named("_CRS", resourceTemplate([fixedMemory(HPET_ADDRESS, HPET_BYTES)])),
  ]);
}

/** CPUs by number, as the MADT counts them. */
export function processors(count: number): Statement[] {
  return Array.from({ length: count }, (_, id) => processor(`C${id.toString(16).toUpperCase().padStart(3, "0")}`, id));
}
