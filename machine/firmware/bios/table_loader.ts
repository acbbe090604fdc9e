/**
 * The machine's own tables (ACPI), put into memory as the script `etc/table-loader` among the files of fw_cfg says:
 * files are placed, addresses in them made good, checksums computed.
 *
 * Left out: command 4, which tells the machine an address; no file of this machine's wants one.
 *
 * Source: QEMU's docs/specs/fw_cfg.rst; the layout of the commands as SeaBIOS reads them.
 *
 * @module
 */
import type { AddressSpace } from "../../../devices/bus/mod.ts";
import type { TableMemory } from "./table_memory.ts";

/** A file of fw_cfg by its name. */
export type FirmwareFiles = (name: string) => Uint8Array | undefined;

const SCRIPT = "etc/table-loader";
const COMMAND_BYTES = 128;
const NAME_BYTES = 56;
const COMMAND = { end: 0, allocate: 1, addPointer: 2, addChecksum: 3 } as const;
const FIRMWARE_SEGMENT = 2;
/** A script of the user's may say anything. */
const MAX_ALIGNMENT = 0x1_0000;

/** A file on its way into memory. */
interface Placed {
  readonly bytes: Uint8Array;
  readonly address: number;
}

/** A script that cannot be carried out. */
class BadScript extends Error {}

/** Carries the script out; why it cannot, in which case nothing is written and all of `room` is free. Without a script there is nothing to do. */
export function loadTables(files: FirmwareFiles, room: TableMemory, memory: AddressSpace): string | undefined {
  const script = files(SCRIPT);
  if (script === undefined) return undefined;
  const placed = new Map<string, Placed>();
  try {
    for (let at = 0; at + COMMAND_BYTES <= script.length; at += COMMAND_BYTES) {
      const command = new DataView(script.buffer, script.byteOffset + at, COMMAND_BYTES);
      if (command.getUint32(0, true) === COMMAND.end) break;
      carryOut(command, placed, files, room);
    }
  } catch (error) {
    if (!(error instanceof BadScript)) throw error;
    room.clear();
    return error.message;
  }
  for (const { bytes, address } of placed.values()) memory.write(address, bytes);
  return undefined;
}

function carryOut(command: DataView, placed: Map<string, Placed>, files: FirmwareFiles, room: TableMemory): void {
  const name = nameAt(command, 4);
  const find = (wanted: string) => placed.get(wanted) ?? refuse(`${wanted} is not in memory`);
  switch (command.getUint32(0, true)) {
    case COMMAND.allocate: {
      const content = files(name) ?? refuse(`there is no file ${name}`);
      const alignment = command.getUint32(60, true);
      const isPower = alignment > 0 && alignment <= MAX_ALIGNMENT && (alignment & (alignment - 1)) === 0;
      if (!isPower) refuse(`${name} wants to lie at multiples of ${alignment}`);
      const zone = command.getUint8(64) === FIRMWARE_SEGMENT ? "low" : "high";
      const address = room.take(zone, content.length, alignment) ??
        refuse(`there is no room for the ${content.length} bytes of ${name}`);
      placed.set(name, { bytes: content.slice(), address });
      return;
    }
    case COMMAND.addPointer: {
      const source = find(nameAt(command, 60));
      const size = command.getUint8(120);
      const field = part(name, find(name).bytes, command.getUint32(116, true), size);
      let sum = source.address;
      for (let i = 0; i < size; i++) {
        sum += field[i]!;
        field[i] = sum & 0xff;
        sum = Math.floor(sum / 256);
      }
      return;
    }
    case COMMAND.addChecksum: {
      const { bytes } = find(name);
      const field = part(name, bytes, command.getUint32(60, true), 1);
      const covered = part(name, bytes, command.getUint32(64, true), command.getUint32(68, true));
      field[0]! -= covered.reduce((sum, byte) => (sum + byte) & 0xff, 0);
    }
  }
}

function nameAt(command: DataView, at: number): string {
  const bytes = new Uint8Array(command.buffer, command.byteOffset + at, NAME_BYTES);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function part(name: string, bytes: Uint8Array, at: number, length: number): Uint8Array {
  if (at + length > bytes.length) refuse(`byte ${at + length} of ${name} is beyond its end`);
  return bytes.subarray(at, at + length);
}

function refuse(why: string): never {
  throw new BadScript(why);
}
