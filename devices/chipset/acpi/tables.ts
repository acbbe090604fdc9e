/**
 * ACPI's fixed tables, without their checksums and addresses, which firmware fills in.
 *
 * Source: [ACPI 6.5] 5.2.5 "RSDP" to 5.2.12 "MADT"; [IA-PC HPET 1.0a] 3.2.4 "The ACPI 2.0 HPET Description Table";
 * "Windows ACPI Emulated Devices Table" 1.0.
 *
 * @module
 */
import { concatBytes, littleEndian } from "../../../base/bytes.ts";
import { bytes, struct, u16, u32, u8 } from "../../../base/struct.ts";

/** Bytes of it. */
export const ACPI_HEADER_BYTES = 36;
/** Where the checksum is in a table. */
export const CHECKSUM_OFFSET = 9;
/** Names that guests know QEMU's tables by; some drivers look for them. */
const OEM = { id: "BOCHS ", table: "BXPC    ", creator: "BXPC" };

/** What every table begins with. */
export const AcpiHeader = struct("little", ACPI_HEADER_BYTES, {
  signature: bytes(4),
  length: u32,
  revision: u8,
  checksum: u8,
  oemId: bytes(6),
  oemTableId: bytes(8),
  oemRevision: u32,
  creatorId: bytes(4),
  creatorRevision: u32,
});

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A table with its header. */
export function table(signature: string, revision: number, content: Uint8Array): Uint8Array {
  const header = AcpiHeader.toBytes({
    signature: ascii(signature),
    length: ACPI_HEADER_BYTES + content.length,
    revision,
    checksum: 0,
    oemId: ascii(OEM.id),
    oemTableId: ascii(OEM.table),
    oemRevision: 1,
    creatorId: ascii(OEM.creator),
    creatorRevision: 1,
  });
  return concatBytes([header, content]);
}

/** The table that firmware and operating system share; it has no checksum. */
export function facs(): Uint8Array {
  const content = new Uint8Array(64);
  content.set(ascii("FACS"));
  content[4] = content.length;
  return content;
}

const FadtContent = struct("little", 80, {
  facs: u32,
  dsdt: u32,
  interruptModel: u8,
  profile: u8,
  sci: u16,
  smiPort: u32,
  acpiEnable: u8,
  acpiDisable: u8,
  s4BiosRequest: u8,
  performanceControl: u8,
  pm1aEvent: u32,
  pm1bEvent: u32,
  pm1aControl: u32,
  pm1bControl: u32,
  pm2Control: u32,
  pmTimer: u32,
  gpe0: u32,
  gpe1: u32,
  pm1EventBytes: u8,
  pm1ControlBytes: u8,
  pm2ControlBytes: u8,
  pmTimerBytes: u8,
  gpe0Bytes: u8,
  gpe1Bytes: u8,
  gpe1Base: u8,
  cstControl: u8,
  c2LatencyUs: u16,
  c3LatencyUs: u16,
  flushSize: u16,
  flushStride: u16,
  dutyOffset: u8,
  dutyWidth: u8,
  dayAlarm: u8,
  monthAlarm: u8,
  century: u8,
  bootFlags: u16,
  reserved: u8,
  flags: u32,
});

/** Offsets of the addresses in a FADT. */
export const FADT_FACS_OFFSET: number = ACPI_HEADER_BYTES + FadtContent.offsetOf.facs;
export const FADT_DSDT_OFFSET: number = ACPI_HEADER_BYTES + FadtContent.offsetOf.dsdt;

const FadtFlag = { Wbinvd: 1 << 0, C1: 1 << 2, NoSleepButton: 1 << 5, RtcWakesS4: 1 << 7, PlatformClock: 1 << 15 };
const NO_C_STATE_US = 0xfff;
const MULTIPLE_APIC = 1;

/** Where the fixed hardware is. */
export interface FixedHardware {
  /** Where PIIX4's registers are: 0 as long as firmware has not said. */
  readonly pmBase: number;
  readonly gpe0Port: number;
  readonly sci: number;
  readonly smiPort: number;
  readonly acpiEnable: number;
  readonly acpiDisable: number;
  /** The CMOS byte that holds the century. */
  readonly centuryIndex: number;
}

/** The table of fixed hardware. `facsAt` and `dsdtAt` are offsets that firmware makes addresses of. */
export function fadt(hardware: FixedHardware, facsAt: number, dsdtAt: number): Uint8Array {
  const { pmBase } = hardware;
  const content = FadtContent.toBytes({
    facs: facsAt,
    dsdt: dsdtAt,
    interruptModel: MULTIPLE_APIC,
    profile: 0,
    sci: hardware.sci,
    smiPort: hardware.smiPort,
    acpiEnable: hardware.acpiEnable,
    acpiDisable: hardware.acpiDisable,
    s4BiosRequest: 0,
    performanceControl: 0,
    pm1aEvent: pmBase,
    pm1bEvent: 0,
    pm1aControl: pmBase + 4,
    pm1bControl: 0,
    pm2Control: 0,
    pmTimer: pmBase + 8,
    gpe0: hardware.gpe0Port,
    gpe1: 0,
    pm1EventBytes: 4,
    pm1ControlBytes: 2,
    pm2ControlBytes: 0,
    pmTimerBytes: 4,
    gpe0Bytes: 4,
    gpe1Bytes: 0,
    gpe1Base: 0,
    cstControl: 0,
    c2LatencyUs: NO_C_STATE_US,
    c3LatencyUs: NO_C_STATE_US,
    flushSize: 0,
    flushStride: 0,
    dutyOffset: 0,
    dutyWidth: 0,
    dayAlarm: 0,
    monthAlarm: 0,
    century: hardware.centuryIndex,
    bootFlags: 0,
    reserved: 0,
    flags: FadtFlag.Wbinvd | FadtFlag.C1 | FadtFlag.NoSleepButton | FadtFlag.RtcWakesS4 | FadtFlag.PlatformClock,
  });
  return table("FACP", 1, content);
}

const LOCAL_APIC = 0xfee0_0000;
const IO_APIC = 0xfec0_0000;
const ACTIVE_HIGH_LEVEL = 0x0d;
/** Interrupts that PCI and power management use: level-triggered, whatever ISA says. */
const LEVEL_INTERRUPTS = [5, 9, 10, 11];

/** The table of interrupt controllers, with `cpus` local ones. */
export function madt(cpus: number): Uint8Array {
  const parts: Uint8Array[] = [numbers([LOCAL_APIC, 4], [1, 4])];
  for (let id = 0; id < cpus; id++) parts.push(numbers([0, 1], [8, 1], [id, 1], [id, 1], [1, 4]));
  parts.push(numbers([1, 1], [12, 1], [0, 1], [0, 1], [IO_APIC, 4], [0, 4]));
  const override = (source: number, input: number, flags: number) =>
    numbers([2, 1], [10, 1], [0, 1], [source, 1], [input, 4], [flags, 2]);
  parts.push(override(0, 2, 0)); // the interval timer comes in at input 2
  for (const irq of LEVEL_INTERRUPTS) parts.push(override(irq, irq, ACTIVE_HIGH_LEVEL));
  const allCpus = 0xff;
  parts.push(numbers([4, 1], [6, 1], [allCpus, 1], [0, 2], [1, 1])); // LINT1 is the non-maskable interrupt
  return table("APIC", 1, concatBytes(parts));
}

/** The table of the event timer. */
export function hpetTable(): Uint8Array {
  const id = 0x8086_a201;
  const address = [[0, 4], [0xfed0_0000, 4], [0, 4]] as const; // a memory address of no particular width
  return table("HPET", 1, numbers([id, 4], ...address, [0, 1], [0, 2], [0, 1]));
}

/** Tells guests that one read of the power management timer is enough. */
export function waet(): Uint8Array {
  const timerNeedsOneRead = 2;
  return table("WAET", 1, numbers([timerNeedsOneRead, 4]));
}

/** The root table: offsets that firmware makes addresses of. */
export function rsdt(offsets: readonly number[]): Uint8Array {
  return table("RSDT", 1, numbers(...offsets.map((offset): [number, number] => [offset, 4])));
}

/** Where the first entry of a root table is. */
export const RSDT_ENTRIES_OFFSET = ACPI_HEADER_BYTES;
/** Where the root table's address is in the pointer. */
export const RSDP_ADDRESS_OFFSET = 16;
export const RSDP_CHECKSUM_OFFSET = 8;

/** The pointer that operating systems look for, of ACPI 1.0. */
export function rsdp(rsdtAt: number): Uint8Array {
  return concatBytes([ascii("RSD PTR \0"), ascii(OEM.id), numbers([0, 1], [rsdtAt, 4])]);
}

/** Little-endian numbers one after the other, each with its size in bytes. */
function numbers(...list: readonly (readonly [value: number, bytes: number])[]): Uint8Array {
  return Uint8Array.from(list.flatMap(([value, size]) => littleEndian(value, size)));
}
