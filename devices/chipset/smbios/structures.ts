/**
 * The SMBIOS structures that describe a board, each from what is wanted and what there is.
 *
 * Names, handles and defaults are those that guests see on QEMU 7.2's machines.
 *
 * Source: [DSP0134] 7.1 "BIOS Information" to 7.5 "Processor Information", 7.9 "Port Connector Information", 7.12
 * "OEM Strings", 7.17 "Physical Memory Array", 7.18 "Memory Device", 7.20 "Memory Array Mapped Address", 7.33 "System
 * Boot Information", 7.42 "Onboard Devices Extended Information", 7.45 "End-of-Table".
 *
 * @module
 */
import { KiB, MiB, TiB } from "../../../base/units.ts";
import { Structure } from "./structure.ts";
import type {
  SmbiosBaseboard,
  SmbiosBios,
  SmbiosChassis,
  SmbiosMemory,
  SmbiosOnboardDevice,
  SmbiosPort,
  SmbiosProcessor,
  SmbiosSystem,
} from "./wishes.ts";

/** What the machine is called where the user gives no other names. */
export interface SmbiosNames {
  readonly manufacturer: string;
  readonly product: string;
  readonly version: string;
}

/** Numbers of the types of structures. */
export const SmbiosType = {
  Bios: 0,
  System: 1,
  Baseboard: 2,
  Chassis: 3,
  Processor: 4,
  Port: 8,
  Strings: 11,
  MemoryArray: 16,
  MemoryDevice: 17,
  MemoryRange: 19,
  Boot: 32,
  OnboardDevice: 41,
  End: 127,
} as const;

const CHASSIS_HANDLE = 0x300;
const STRINGS_HANDLE = 0xe00;
const MEMORY_ARRAY_HANDLE = 0x1000;
const NO_ERROR_HANDLE = 0xfffe;
const UNKNOWN_WORD = 0xffff;

const BIOS_SEGMENT = 0xe800;
const CHARACTERISTICS_UNKNOWN = 1n << 3n;
const FOR_TARGETED_CONTENT = 1 << 2;
const UEFI = 1 << 3;
const VIRTUAL_MACHINE = 1 << 4;

const OTHER = 1;
const UNKNOWN = 2;
const SAFE = 3;
const POWER_SWITCH = 6;

/** What a CPU runs at unless the user says otherwise. */
export const SMBIOS_CPU_MHZ = 2000;
/** A size in MiB that goes to the field of its own from here on. */
const LARGE_MODULE_MIB = 0x7fff;

export function biosInformation({ vendor, version, date, release, uefi }: SmbiosBios): Structure {
  return new Structure(SmbiosType.Bios, 0)
    .text(vendor).text(version)
    .u16(BIOS_SEGMENT)
    .text(date)
    .u8(0) // 64 KiB of ROM
    .u64(CHARACTERISTICS_UNKNOWN)
    .u8(0, FOR_TARGETED_CONTENT | VIRTUAL_MACHINE | (uefi ? UEFI : 0))
    .u8(release?.major ?? 0, release?.minor ?? 0)
    .u8(0xff, 0xff); // no embedded controller
}

/** `uuid` as it is written: 16 bytes, of which the first three numbers are turned round here. */
export function systemInformation(wish: SmbiosSystem, names: SmbiosNames, uuid: Uint8Array): Structure {
  const id = [...uuid];
  return new Structure(SmbiosType.System, 0x100)
    .text(wish.manufacturer ?? names.manufacturer)
    .text(wish.product ?? names.product)
    .text(wish.version ?? names.version)
    .text(wish.serial)
    .u8(...id.slice(0, 4).reverse(), ...id.slice(4, 6).reverse(), ...id.slice(6, 8).reverse(), ...id.slice(8))
    .u8(POWER_SWITCH)
    .text(wish.sku).text(wish.family);
}

export function baseboard(wish: SmbiosBaseboard, names: SmbiosNames): Structure {
  const hosting = 0x01;
  const motherboard = 0x0a;
  return new Structure(SmbiosType.Baseboard, 0x200)
    .text(wish.manufacturer ?? names.manufacturer)
    .text(wish.product ?? names.product)
    .text(wish.version ?? names.version)
    .text(wish.serial).text(wish.asset)
    .u8(hosting)
    .text(wish.location)
    .u16(CHASSIS_HANDLE)
    .u8(motherboard, 0);
}

export function chassis(wish: SmbiosChassis, names: SmbiosNames): Structure {
  return new Structure(SmbiosType.Chassis, CHASSIS_HANDLE)
    .text(wish.manufacturer ?? names.manufacturer)
    .u8(OTHER)
    .text(wish.version ?? names.version)
    .text(wish.serial).text(wish.asset)
    .u8(SAFE, SAFE, SAFE, UNKNOWN) // boot-up, power supply, temperature; security
    .u32(0)
    .u8(0, 0, 0, 0) // height, power cords, contained elements and their length
    .text(wish.sku);
}

/** What a CPU has and its socket. */
export interface SmbiosSocket {
  readonly number: number;
  readonly cores: number;
  readonly threads: number;
  /** EAX of CPUID function 1, and EDX above it. */
  readonly id: bigint;
  /** Tables of version 3.0 count cores in 16 bits too. */
  readonly wideCounts: boolean;
}

export function processor(wish: SmbiosProcessor, names: SmbiosNames, socket: SmbiosSocket): Structure {
  const { number, cores, threads } = socket;
  const central = 3;
  const populatedAndEnabled = 0x41;
  const structure = new Structure(SmbiosType.Processor, 0x400 + number)
    .text(`${wish.sock_pfx ?? "CPU"}${number.toString(16).padStart(2)}`)
    .u8(central, OTHER)
    .text(wish.manufacturer ?? names.manufacturer)
    .u64(wish.id || socket.id)
    .text(wish.version ?? names.version)
    .u8(0) // voltage
    .u16(0, wish.maxSpeedMhz ?? SMBIOS_CPU_MHZ, wish.currentSpeedMhz ?? SMBIOS_CPU_MHZ)
    .u8(populatedAndEnabled, OTHER)
    .u16(UNKNOWN_WORD, UNKNOWN_WORD, UNKNOWN_WORD) // caches: no handles
    .text(wish.serial).text(wish.asset).text(wish.part)
    .u8(Math.min(cores, 0xff), Math.min(cores, 0xff), Math.min(threads, 0xff))
    .u16(UNKNOWN, OTHER); // characteristics, family
  return socket.wideCounts ? structure.u16(cores, cores, threads) : structure;
}

export function port(wish: SmbiosPort, index: number): Structure {
  const none = 0;
  return new Structure(SmbiosType.Port, index)
    .text(wish.internal_reference).u8(none)
    .text(wish.external_reference).u8(wish.connectorType)
    .u8(wish.portType);
}

/** Empty ones are counted and left out, as guests see them on QEMU. */
export function oemStrings(strings: readonly string[]): Structure {
  const structure = new Structure(SmbiosType.Strings, STRINGS_HANDLE).u8(strings.length);
  for (const text of strings) structure.addText(text);
  return structure;
}

export function memoryArray(ramBytes: number, modules: number): Structure {
  const systemBoard = 1;
  const systemMemory = 3;
  const correctsSeveralBits = 6;
  const large = ramBytes >= 2 * TiB;
  return new Structure(SmbiosType.MemoryArray, MEMORY_ARRAY_HANDLE)
    .u8(systemBoard, systemMemory, correctsSeveralBits)
    .u32(large ? 0x8000_0000 : Math.floor(ramBytes / KiB))
    .u16(NO_ERROR_HANDLE, modules)
    .u64(large ? BigInt(ramBytes) : 0n);
}

/** A module: its number, from 0, and its size. */
export function memoryDevice(wish: SmbiosMemory, names: SmbiosNames, index: number, sizeBytes: number): Structure {
  const dimm = 9;
  const ram = 7;
  const sizeMib = Math.ceil(sizeBytes / MiB);
  const speed = wish.speed ?? 0;
  return new Structure(SmbiosType.MemoryDevice, 0x1100 + index)
    .u16(MEMORY_ARRAY_HANDLE, NO_ERROR_HANDLE)
    .u16(UNKNOWN_WORD, UNKNOWN_WORD) // widths
    .u16(Math.min(sizeMib, LARGE_MODULE_MIB))
    .u8(dimm, 0)
    .text(`${wish.loc_pfx ?? "DIMM"} ${index}`)
    .text(wish.bank)
    .u8(ram)
    .u16(UNKNOWN, speed)
    .text(wish.manufacturer ?? names.manufacturer)
    .text(wish.serial).text(wish.asset).text(wish.part)
    .u8(0) // ranks
    .u32(sizeMib >= LARGE_MODULE_MIB ? sizeMib : 0)
    .u16(speed, 0, 0, 0); // as configured; voltages
}

/** A range of addresses. */
export interface SmbiosRange {
  readonly address: number;
  readonly lengthBytes: number;
}

export function memoryRange({ address, lengthBytes }: SmbiosRange, index: number): Structure {
  const last = address + lengthBytes - 1;
  const wide = last >= 4 * TiB;
  return new Structure(SmbiosType.MemoryRange, 0x1300 + index)
    .u32(wide ? 0xffff_ffff : Math.floor(address / KiB), wide ? 0xffff_ffff : Math.floor(last / KiB))
    .u16(MEMORY_ARRAY_HANDLE)
    .u8(1)
    .u64(wide ? BigInt(address) : 0n)
    .u64(wide ? BigInt(last) : 0n);
}

export function bootInformation(): Structure {
  return new Structure(SmbiosType.Boot, 0x2000)
    .u8(0, 0, 0, 0, 0, 0)
    .u8(0); // no errors
}

/** `place`: device and function of PCI, 0 where there is none. */
export function onboardDevice(wish: SmbiosOnboardDevice, index: number, place: number): Structure {
  const enabled = 0x80;
  return new Structure(SmbiosType.OnboardDevice, 0x2900 + index)
    .text(wish.designation)
    .u8(enabled | wish.kind, wish.instance)
    .u16(0) // segment
    .u8(0, place);
}

export function endOfTable(): Structure {
  return new Structure(SmbiosType.End, 0x7f00);
}
