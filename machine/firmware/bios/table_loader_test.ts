/**
 * The script of the tables, carried out: what it asks for is done, and a script that makes no sense writes nothing.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../../base/random.ts";
import { MiB } from "../../../base/units.ts";
import { testMachine } from "../../../devices/bus/testing.ts";
import { loadTables } from "./table_loader.ts";
import { TableMemory } from "./table_memory.ts";

const RAM_BYTES = 4 * MiB;
const KINDS = { allocate: 1, pointer: 2, checksum: 3, unknown: 4 } as const;

/** A command of 128 bytes: its number, one or two names, and values at offsets of 1 or 4 bytes. */
function command(
  kind: number,
  names: Readonly<Record<number, string>>,
  words: Readonly<Record<number, number>> = {},
  byteValues: Readonly<Record<number, number>> = {},
): Uint8Array {
  const bytes = new Uint8Array(128);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, kind, true);
  for (const [at, name] of Object.entries(names)) bytes.set(new TextEncoder().encode(name), Number(at));
  for (const [at, value] of Object.entries(words)) view.setUint32(Number(at), value, true);
  for (const [at, value] of Object.entries(byteValues)) view.setUint8(Number(at), value);
  return bytes;
}

const allocate = (name: string, alignment: number, zone: number) =>
  command(KINDS.allocate, { 4: name }, { 60: alignment }, { 64: zone });

function install(script: readonly Uint8Array[], others: Readonly<Record<string, Uint8Array>>) {
  const machine = testMachine({ ramBytes: RAM_BYTES });
  const room = new TableMemory(machine.memory, RAM_BYTES);
  room.clear();
  const whole = new Uint8Array(script.length * 128 + 256);
  for (const [index, bytes] of script.entries()) whole.set(bytes, index * 128);
  const files: Record<string, Uint8Array> = { "etc/table-loader": whole, ...others };
  const problem = loadTables((name) => files[name], room, machine.memory);
  const read = (at: number, length: number) => machine.memory.slice(at, length).slice();
  return { problem, room, read };
}

Deno.test("files are placed, addresses and checksums are filled in", () => {
  const { problem, room, read } = install([
    allocate("root", 16, 2),
    allocate("other root", 64, 2),
    allocate("tables", 4096, 1),
    command(KINDS.pointer, { 4: "root", 60: "tables" }, { 116: 4 }, { 120: 4 }),
    command(KINDS.pointer, { 4: "tables", 60: "tables" }, { 116: 8 }, { 120: 8 }),
    command(KINDS.unknown, { 4: "root", 60: "tables" }),
    command(KINDS.checksum, { 4: "root" }, { 60: 1, 64: 0, 68: 12 }),
  ], {
    "root": Uint8Array.of(1, 0, 0, 0, 0x10, 0, 0, 0, 9, 9, 9, 9),
    "other root": Uint8Array.of(7),
    "tables": new Uint8Array(6000).fill(0x55).fill(0, 8, 16),
  });
  const tables = RAM_BYTES - 2 * 4096;
  assertEquals([problem, room.ramEnd], [undefined, tables]);
  const root = read(0xf0000, 12);
  assertEquals(new DataView(root.buffer).getUint32(4, true), tables + 0x10);
  assertEquals(root.reduce((sum, byte) => (sum + byte) & 0xff, 0), 0);
  assertEquals(read(0xf0040, 1), Uint8Array.of(7));
  assertEquals(new DataView(read(tables, 16).buffer).getBigUint64(8, true), BigInt(tables));
  assertEquals(read(tables + 16, 5984), new Uint8Array(5984).fill(0x55));
});

for (
  const [name, script, words] of [
    ["a file that is not there", [allocate("none", 16, 1)], /there is no file none/],
    ["an alignment that is none", [allocate("a", 24, 1)], /multiples of 24/],
    ["more than the F segment has", [allocate("big", 16, 2)], /no room for the 40000 bytes of big/],
    ["more than RAM is kept for", [allocate("huge", 16, 1)], /no room for the 200000 bytes of huge/],
    [
      "an address beyond the end",
      [allocate("a", 16, 1), command(KINDS.pointer, { 4: "a", 60: "a" }, { 116: 97 }, { 120: 4 })],
      /byte 101 of a is beyond its end/,
    ],
    ["an address of what was not placed", [command(KINDS.pointer, { 4: "a", 60: "b" })], /b is not in memory/],
    [
      "a sum beyond the end",
      [allocate("a", 16, 1), command(KINDS.checksum, { 4: "a" }, { 60: 0, 64: 50, 68: 51 })],
      /byte 101 of a is beyond its end/,
    ],
  ] as const
) {
  Deno.test(`a script that names ${name} is refused, and memory is left alone`, () => {
    const files = { a: new Uint8Array(100).fill(1), big: new Uint8Array(40_000), huge: new Uint8Array(200_000) };
    const { problem, room, read } = install(script, files);
    assertEquals(words.test(problem ?? ""), true, problem);
    assertEquals(room.ramEnd, RAM_BYTES);
    const untouched = (at: number, length: number) => read(at, length).every((byte) => byte === 0);
    assertEquals([untouched(MiB, RAM_BYTES - MiB), untouched(0xf0000, 0x8000)], [true, true]);
  });
}

Deno.test("random scripts end, and nothing is thrown", () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 100; round++) {
    const script = Array.from({ length: 1 + random.below(12) }, () => {
      const bytes = command(1 + random.below(4), { 4: "ab"[random.below(2)]!, 60: "ab"[random.below(2)]! });
      for (const at of [60, 64, 68, 116, 120]) if (random.below(2) === 0) bytes[at] = random.below(256);
      return bytes;
    });
    const { room } = install(script, { a: new Uint8Array(100), b: new Uint8Array(3) });
    assertEquals(room.ramEnd <= RAM_BYTES && room.ramEnd >= RAM_BYTES - 160 * 1024, true);
  }
});

Deno.test("without a kernel there is room for tables of megabytes", () => {
  const machine = testMachine({ ramBytes: 8 * MiB });
  const room = new TableMemory(machine.memory, 8 * MiB, { hasKernel: false });
  room.clear();
  const [script, tables] = [new Uint8Array(256), new Uint8Array(3 * MiB).fill(7)];
  script.set(allocate("tables", 64, 1));
  const files: Record<string, Uint8Array> = { "etc/table-loader": script, tables };
  assertEquals([loadTables((name) => files[name], room, machine.memory), room.ramEnd], [undefined, 5 * MiB]);
  assertEquals([machine.memory.readValue(5 * MiB, 1), machine.memory.readValue(8 * MiB - 1, 1)], [7, 7]);
});
