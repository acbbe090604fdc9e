import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { AssertionFailure } from "./assert.ts";
import { RegisterFile, registerTable } from "./registers.ts";

const TABLE = registerTable({
  id: { offset: 0, size: 2, access: "ro", reset: 0x8086, section: "x 1" },
  command: { offset: 4, size: 2, access: "rw", mask: 0x0507, section: "x 2" },
  status: { offset: 6, size: 2, access: "rw1c", mask: 0xf900, reset: 0x0280, section: "x 3" },
  doorbell: { offset: 8, size: 4, access: "wo", section: "x 4" },
  base: { offset: 12, size: 4, access: "rw", mask: 0xfffffff0, reset: 1, section: "x 5" },
});

Deno.test("reset values, gaps and access rules are the table's", () => {
  const file = new RegisterFile(TABLE);
  assertEquals(file.read(0, 4), 0x8086);
  file.write(0, 2, 0xffff);
  assertEquals(file.get("id"), 0x8086);
  assertEquals(file.write(4, 2, 0xffff), ["command"]);
  assertEquals(file.read(4, 2), 0x0507);
  file.set("status", 0xf980);
  file.write(6, 2, 0x8180);
  assertEquals(file.get("status"), 0x7880);
  file.write(8, 4, 0xdeadbeef);
  assertEquals([file.get("doorbell"), file.read(8, 4)], [0xdeadbeef, 0]);
  file.write(12, 4, 0xffffffff);
  assertEquals(file.read(12, 4), 0xfffffff1);
  assertEquals(file.read(100, 4), 0);
  assertEquals(file.write(100, 4, 1), []);
  file.reset();
  assertEquals(file.save(), { id: 0x8086, command: 0, status: 0x0280, doorbell: 0, base: 1 });
});

Deno.test("one access may cover parts of two registers", () => {
  const file = new RegisterFile(TABLE);
  file.set("status", 0xffff);
  assertEquals(file.write(5, 2, 0x0005), ["command", "status"]);
  assertEquals(file.get("command"), 0x0500);
  assertEquals(file.write(4, 4, 0x0100_0002), ["command", "status"]);
  assertEquals([file.get("command"), file.get("status")], [0x0002, 0xfeff]);
  assertEquals(file.read(5, 2), 0xff00);
  assertEquals(file.at(7), "status");
  assertEquals(file.at(2), undefined);
});

Deno.test("a register may have bits of both kinds, as PCI bridges do", () => {
  const file = new RegisterFile(registerTable({
    mixed: { offset: 0, size: 1, access: "rw", mask: 0x0f, clearMask: 0xc0, section: "x" },
  }));
  file.set("mixed", 0xc5);
  file.write(0, 1, 0x4a);
  assertEquals(file.get("mixed"), 0x8a);
});

Deno.test("tables that overlap or overflow are refused", () => {
  const row = { offset: 0, size: 2, access: "rw", section: "x" } as const;
  assertThrows(() => registerTable({ a: row, b: { ...row, offset: 1 } }), AssertionFailure, "overlap");
  assertThrows(() => registerTable({ a: { ...row, reset: 0x10000 } }), AssertionFailure, "too narrow");
});

Deno.test("restore brings back what save gave, after any writes", () => {
  const write = fc.record({ offset: fc.nat(20), size: fc.constantFrom(1, 2, 4), value: fc.nat(0xffffffff) });
  fc.assert(fc.property(fc.array(write), fc.array(write), (before, after) => {
    const file = new RegisterFile(TABLE);
    for (const { offset, size, value } of before) file.write(offset, size as 1 | 2 | 4, value);
    const state = file.save();
    for (const { offset, size, value } of after) file.write(offset, size as 1 | 2 | 4, value);
    file.restore(state);
    assertEquals(file.save(), state);
  }));
});
