/**
 * The routing tables, read as an operating system does.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { mpPointer, mpTable, pirTable } from "./routing_tables.ts";

const WIRES = [10, 10, 11, 11];

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
}

Deno.test("the PCI interrupt routing table has a row for each slot, and wires go round", () => {
  const table = pirTable(0x0c20);
  const view = new DataView(table.buffer);
  assertEquals(new TextDecoder().decode(table.subarray(0, 4)), "$PIR");
  assertEquals([view.getUint16(6, true), sum(table)], [table.length, 0]);
  const links = (slot: number) => [2, 5, 8, 11].map((at) => table[32 + (slot - 1) * 16 + at]);
  assertEquals(links(1), [0x60, 0x61, 0x62, 0x63]);
  assertEquals(links(3), [0x62, 0x63, 0x60, 0x61]);
  assertEquals([table[32 + 16 + 1], view.getUint16(32 + 3, true)], [2 << 3, 0x0c20]);
});

Deno.test("the MP table says where every interrupt comes in, once", () => {
  const table = mpTable(WIRES);
  const view = new DataView(table.buffer);
  assertEquals([view.getUint16(4, true), sum(table)], [table.length, 0]);
  const pointer = mpPointer(0xf0600);
  assertEquals([pointer.length, sum(pointer), new DataView(pointer.buffer).getUint32(4, true)], [16, 0, 0xf0600]);
  let at = 44;
  const isa: Record<number, number> = {};
  const pci: Record<string, number> = {};
  for (let left = view.getUint16(34, true); left > 0; left--) {
    const [kind, , , , bus, source, , input] = table.subarray(at, at + 8);
    if (kind === 3 && bus === 1) isa[source!] = input!;
    if (kind === 3 && bus === 0) pci[`${source! >> 2}.${"ABCD"[source! & 3]}`] = input!;
    at += kind === 0 ? 20 : 8;
  }
  assertEquals(at, table.length);
  assertEquals(isa, { 0: 2, 1: 1, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 12: 12, 13: 13, 14: 14, 15: 15 });
  assertEquals([pci["1.A"], pci["1.D"], pci["2.A"], pci["3.A"], pci["3.B"], pci["3.C"]], [10, 11, 10, 11, 11, 10]);
});
