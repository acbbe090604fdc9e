/**
 * The machine's SMBIOS tables, put into memory: where they lie and the checksums are filled in, and the firmware says of
 * itself what the user has not said of it (type 0).
 *
 * Source: [DSP0134] 5.2 "Entry point", 6.1 "Structure standards", 7.1 "BIOS Information".
 *
 * @module
 */
import type { AddressSpace } from "../../../devices/bus/mod.ts";
import type { TableMemory } from "./table_memory.ts";
import type { FirmwareFiles } from "./table_loader.ts";

const ENTRY_POINT = "etc/smbios/smbios-anchor";
const TABLES = "etc/smbios/smbios-tables";
const BIOS_TYPE = 0;
const HEADER_BYTES = 4;
/** Offsets in the entry point of 32 bits, and of 64. */
const AT32 = {
  checksum: 4,
  longest: 8,
  middle: 0x10,
  middleChecksum: 0x15,
  bytes: 0x16,
  address: 0x18,
  count: 0x1c,
} as const;
const AT64 = { checksum: 5, bytes: 0x0c, address: 0x10 } as const;
const ENTRY32_BYTES = 31;
const ENTRY64_BYTES = 24;
const MAX_BYTES32 = 0xffff;

/** Vendor, version, segment, date, size of the ROM, what it can (not told), that it is one of a virtual machine. */
const OWN_WORDS = ["moa", "built-in", "11/29/2026"];
const OWN_STRUCTURE = Uint8Array.of(
  ...[BIOS_TYPE, 24, 0, 0, 1, 2, 0x00, 0xf0, 3, 0],
  ...[0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0xff, 0xff],
  ...new TextEncoder().encode(`${OWN_WORDS.join("\0")}\0\0`),
);

/** Puts both files in place; nothing where there are none, or no room. */
export function placeSmbios(files: FirmwareFiles, room: TableMemory, memory: AddressSpace): void {
  const entryPoint = files(ENTRY_POINT)?.slice();
  const given = files(TABLES);
  if (entryPoint === undefined || given === undefined) return;
  const isOwn = !structureTypes(given).includes(BIOS_TYPE);
  const tables = isOwn ? Uint8Array.of(...OWN_STRUCTURE, ...given) : given;
  const name = new TextDecoder().decode(entryPoint.subarray(0, 5));
  const is64 = name === "_SM3_" && entryPoint.length >= ENTRY64_BYTES;
  const is32 = name.startsWith("_SM_") && entryPoint.length >= ENTRY32_BYTES && tables.length <= MAX_BYTES32;
  if (!is64 && !is32) return;
  const address = room.take("high", tables.length, 16);
  if (address === undefined) return;
  memory.write(address, tables);
  const view = new DataView(entryPoint.buffer);
  if (is64) {
    view.setUint32(AT64.bytes, tables.length, true);
    view.setBigUint64(AT64.address, BigInt(address), true);
    sumUp(entryPoint.subarray(0, ENTRY64_BYTES), AT64.checksum);
  } else {
    view.setUint16(AT32.bytes, tables.length, true);
    view.setUint32(AT32.address, address, true);
    if (isOwn) {
      view.setUint16(AT32.count, view.getUint16(AT32.count, true) + 1, true);
      view.setUint16(AT32.longest, Math.max(view.getUint16(AT32.longest, true), OWN_STRUCTURE.length), true);
    }
    sumUp(entryPoint.subarray(AT32.middle, ENTRY32_BYTES), AT32.middleChecksum - AT32.middle);
    sumUp(entryPoint.subarray(0, ENTRY32_BYTES), AT32.checksum);
  }
  room.place(entryPoint);
}

/** The types of all structures: each has its length, then texts up to two zeroes. */
function structureTypes(tables: Uint8Array): number[] {
  const types: number[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= tables.length && tables[at + 1]! >= HEADER_BYTES) {
    types.push(tables[at]!);
    at += tables[at + 1]!;
    while (at + 1 < tables.length && (tables[at] !== 0 || tables[at + 1] !== 0)) at++;
    at += 2;
  }
  return types;
}

/** Makes all bytes add up to zero, by the one at `at`. */
function sumUp(part: Uint8Array, at: number): void {
  part[at] = 0;
  part[at] = -part.reduce((sum, byte) => sum + byte, 0) & 0xff;
}
