/**
 * The SMBIOS tables of a machine, and the entry point by which a guest finds them, as firmware is handed them: without
 * the address and the checksums, which it fills in.
 *
 * Source: [DSP0134] 5.2.1 "SMBIOS 2.1 (32-bit) Entry Point", 5.2.2 "SMBIOS 3.0 (64-bit) Entry Point"; QEMU's
 * docs/specs/fw_cfg.rst.
 *
 * @module
 */
import { concatBytes } from "../../../base/bytes.ts";
import { OptionError } from "../../../base/option_error.ts";
import { bytes, string, struct, u16, u32, u64big, u8 } from "../../../base/struct.ts";
import { GiB } from "../../../base/units.ts";
import type { Structure } from "./structure.ts";
import {
  baseboard,
  biosInformation,
  bootInformation,
  chassis,
  endOfTable,
  memoryArray,
  memoryDevice,
  memoryRange,
  oemStrings,
  onboardDevice,
  port,
  processor,
  type SmbiosNames,
  type SmbiosRange,
  systemInformation,
} from "./structures.ts";
import type { SmbiosWishes } from "./wishes.ts";

/** What fw_cfg calls the two. */
export const SMBIOS_FILES = { entryPoint: "etc/smbios/smbios-anchor", tables: "etc/smbios/smbios-tables" } as const;

const MODULE_BYTES = 16 * GiB;
const MAX_TABLES_BYTES = 0xffff; // the length in the older entry point has 16 bits

/** What there is to describe. */
export interface SmbiosMachine {
  readonly names: SmbiosNames;
  /** 16 bytes, as a UUID is written. */
  readonly uuid: Uint8Array;
  /** One CPU in each socket. */
  readonly sockets: readonly { readonly cores: number; readonly threads: number }[];
  /** EAX of CPUID function 1, and EDX above it. */
  readonly processorId: bigint;
  readonly ramBytes: number;
  /** Where RAM is. */
  readonly ranges: readonly SmbiosRange[];
  /** Device and function of the PCI device with that id, for `designation`. @throws {OptionError} there is none */
  pciPlace(id: string, designation: string | undefined): number;
}

/** The two files' bytes. */
export interface SmbiosFiles {
  readonly entryPoint: Uint8Array;
  readonly tables: Uint8Array;
}

/** Makes both. @throws {OptionError} what is wanted has no place in them */
export function smbiosFiles(machine: SmbiosMachine, wishes: SmbiosWishes): SmbiosFiles {
  const given = wishes.structures ?? [];
  const types = new Set(given.map((structure) => structure[0]));
  const made = structuresOf(machine, wishes).flatMap((structure) =>
    types.has(structure.type) ? [] : [structure.toBytes()]
  );
  const structures = [...given, ...made];
  const tables = concatBytes(structures);
  if (wishes.entryPointBits === 64) return { entryPoint: entryPoint64(tables.length), tables };
  if (tables.length > MAX_TABLES_BYTES) {
    throw new OptionError(`SMBIOS 2.1 table length ${tables.length} exceeds ${MAX_TABLES_BYTES}`);
  }
  const longest = Math.max(...structures.map(({ length }) => length));
  return { entryPoint: entryPoint32(tables.length, structures.length, longest), tables };
}

/** All that the board makes, by type. */
function structuresOf(machine: SmbiosMachine, wishes: SmbiosWishes): Structure[] {
  const { names, sockets, processorId: id, ramBytes } = machine;
  const wideCounts = wishes.entryPointBits === 64;
  const modules = moduleSizes(ramBytes);
  return [
    ...wishes.bios === undefined ? [] : [biosInformation(wishes.bios)],
    systemInformation(wishes.system ?? {}, names, machine.uuid),
    ...wishes.baseboard === undefined ? [] : [baseboard(wishes.baseboard, names)],
    chassis(wishes.chassis ?? {}, names),
    ...sockets.map((counts, number) => processor(wishes.processor ?? {}, names, { ...counts, number, id, wideCounts })),
    ...(wishes.ports ?? []).map(port),
    ...wishes.strings === undefined ? [] : [oemStrings(wishes.strings)],
    memoryArray(ramBytes, modules.length),
    ...modules.map((sizeBytes, index) => memoryDevice(wishes.memory ?? {}, names, index, sizeBytes)),
    ...machine.ranges.map(memoryRange),
    bootInformation(),
    ...(wishes.onboardDevices ?? []).map((wish, index) => {
      const { pcidev, designation } = wish;
      return onboardDevice(wish, index, pcidev === undefined ? 0 : machine.pciPlace(pcidev, designation));
    }),
    endOfTable(),
  ];
}

function moduleSizes(ramBytes: number): number[] {
  const count = Math.ceil(ramBytes / MODULE_BYTES);
  return Array.from({ length: count }, (_, index) => Math.min(MODULE_BYTES, ramBytes - index * MODULE_BYTES));
}

const EntryPoint32 = struct("little", 31, {
  anchor: string(4),
  checksum: u8,
  lengthBytes: u8,
  majorVersion: u8,
  minorVersion: u8,
  longestBytes: u16,
  revision: u8,
  reserved: bytes(5),
  intermediateAnchor: string(5),
  intermediateChecksum: u8,
  tablesBytes: u16,
  address: u32,
  count: u16,
  decimalVersion: u8,
});

function entryPoint32(tablesBytes: number, count: number, longestBytes: number): Uint8Array {
  return EntryPoint32.toBytes({
    anchor: "_SM_",
    checksum: 0,
    lengthBytes: EntryPoint32.sizeBytes,
    majorVersion: 2,
    minorVersion: 8,
    longestBytes,
    revision: 0,
    reserved: new Uint8Array(5),
    intermediateAnchor: "_DMI_",
    intermediateChecksum: 0,
    tablesBytes,
    address: 0,
    count,
    decimalVersion: 0x28,
  });
}

const EntryPoint64 = struct("little", 24, {
  anchor: string(5),
  checksum: u8,
  lengthBytes: u8,
  majorVersion: u8,
  minorVersion: u8,
  documentRevision: u8,
  revision: u8,
  reserved: u8,
  maxTablesBytes: u32,
  address: u64big,
});

function entryPoint64(tablesBytes: number): Uint8Array {
  return EntryPoint64.toBytes({
    anchor: "_SM3_",
    checksum: 0,
    lengthBytes: EntryPoint64.sizeBytes,
    majorVersion: 3,
    minorVersion: 0,
    documentRevision: 0,
    revision: 1,
    reserved: 0,
    maxTablesBytes: tablesBytes,
    address: 0n,
  });
}
