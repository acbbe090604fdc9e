/**
 * The SMBIOS tables in memory, found and read as an operating system does.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { MiB } from "../../../base/units.ts";
import { testMachine } from "../../../devices/bus/testing.ts";
import { placeSmbios } from "./smbios.ts";
import { TableMemory } from "./table_memory.ts";

const RAM_BYTES = 4 * MiB;
/** A system (type 1) with two texts, and the end (127). */
const TABLES = Uint8Array.of(1, 6, 0, 1, 1, 2, ...new TextEncoder().encode("one\0two\0\0"), 127, 4, 0, 127, 0, 0);
/** What the user said of the firmware. */
const BIOS = Uint8Array.of(0, 5, 0, 0, 1, ...new TextEncoder().encode("theirs\0\0"));

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
}

function entry32(): Uint8Array {
  const bytes = new Uint8Array(31);
  bytes.set(new TextEncoder().encode("_SM_"));
  bytes.set([31, 2, 8, 20, 0], 5);
  bytes.set(new TextEncoder().encode("_DMI_"), 16);
  bytes[0x1c] = 2;
  return bytes;
}

function entry64(): Uint8Array {
  const bytes = new Uint8Array(24);
  bytes.set(new TextEncoder().encode("_SM3_"));
  bytes.set([24, 3, 0], 6);
  return bytes;
}

function placed(entryPoint: Uint8Array, tables: Uint8Array) {
  const machine = testMachine({ ramBytes: RAM_BYTES });
  const room = new TableMemory(machine.memory, RAM_BYTES);
  room.clear();
  const files: Record<string, Uint8Array> = {
    "etc/smbios/smbios-anchor": entryPoint,
    "etc/smbios/smbios-tables": tables,
  };
  placeSmbios((name) => files[name], room, machine.memory);
  const entry = machine.memory.slice(0xf0000, entryPoint.length).slice();
  return {
    entry,
    view: new DataView(entry.buffer),
    room,
    read: (at: number, n: number) => machine.memory.slice(at, n),
  };
}

Deno.test("the entry point of 32 bits leads to the tables, the firmware's own before them", () => {
  const { entry, view, room, read } = placed(entry32(), TABLES);
  assertEquals([sum(entry), sum(entry.subarray(16))], [0, 0]);
  const [bytes, address, count] = [view.getUint16(0x16, true), view.getUint32(0x18, true), view.getUint16(0x1c, true)];
  assertEquals([count, address >= room.ramEnd, address + bytes <= RAM_BYTES], [3, true, true]);
  const tables = read(address, bytes);
  assertEquals([tables[0], tables[1]], [0, 24]);
  const texts = new TextDecoder().decode(tables.subarray(24));
  assertEquals(texts.startsWith("moa\0built-in\0"), true);
  assertEquals(tables.subarray(bytes - TABLES.length), TABLES);
});

Deno.test("what the user says of the firmware stays; the entry point of 64 bits", () => {
  const whole = Uint8Array.of(...BIOS, ...TABLES);
  const { entry, view, read } = placed(entry64(), whole);
  assertEquals([sum(entry), view.getUint32(0x0c, true)], [0, whole.length]);
  assertEquals(read(Number(view.getBigUint64(0x10, true)), whole.length), whole);
});

Deno.test("files that are none, or too large, place nothing", () => {
  for (const [entry, tables] of [[new Uint8Array(3), TABLES], [entry32(), new Uint8Array(70_000)]] as const) {
    const { room, entry: found } = placed(entry, tables);
    assertEquals([room.ramEnd, found.every((byte) => byte === 0)], [RAM_BYTES, true]);
  }
});
