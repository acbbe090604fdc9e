import { assertEquals } from "@std/assert";
import { qtestSession } from "./qtest_session.ts";
import { testPc } from "./testing.ts";

Deno.test("a dialogue as qtest's documentation has it", async () => {
  await using pc = await testPc();
  const sent: string[] = [];
  using session = qtestSession(pc.machine, (line) => void sent.push(line));
  const dialogue: readonly (readonly [command: string, ...answers: string[]])[] = [
    ["endianness", "OK little"],
    ["outl 0xcf8 0x80000000", "OK"],
    ["inl 0xcfc", "OK 0x12378086"],
    ["inw 0xcfc", "OK 0x8086"],
    ["inb 0xcfc", "OK 0x0086"],
    ["writeq 0x1000 0x1122334455667788", "OK"],
    ["readl 0x1004", "OK 0x0000000011223344"],
    ["readb 0x1000", "OK 0x0000000000000088"],
    ["readq 0x1000", "OK 0x1122334455667788"],
    ["write 0x2000 4 0x01020304", "OK"],
    ["read 0x2000 6", "OK 0x010203040000"],
    ["memset 0x2001 2 0xff", "OK"],
    ["b64read 0x2000 4", "OK Af//BA=="],
    ["b64write 0x3000 3 AQID", "OK"],
    ["read 0x3000 3", "OK 0x010203"],
    ["clock_step 1000", "OK 1000"],
    ["clock_set 5000", "OK 5000"],
    ["irq_intercept_in ioapic", "OK"],
    ["irq_intercept_in ioapic", "FAIL IRQ intercept already enabled"],
    ["outb 0x1f6 0xa0", "OK"],
    ["bogus", "FAIL Unknown command 'bogus'"],
    ["inb", "FAIL Bad number ''"],
    ["read 0 0xfffffffffff", "FAIL Length '0xfffffffffff' is too large"],
    ["readb 0xffffffffffffffff", "FAIL Number '0xffffffffffffffff' is too large"],
    ["write 0 1 zz", "FAIL Bad data"],
    ["", ...[]],
  ];
  for (const [command, ...answers] of dialogue) {
    session.receive(command);
    assertEquals(sent.splice(0), answers, command);
  }
});

Deno.test("an intercepted interrupt is told before the answer of the command that raised it", async () => {
  await using pc = await testPc();
  const sent: string[] = [];
  using session = qtestSession(pc.machine, (line) => void sent.push(line));
  session.receive("irq_intercept_in /machine/i440fx/ioapic");
  // Counter 0 as a rate generator: its output, GSI 0 by way of the HPET, is an edge at each period.
  for (const line of ["outb 0x43 0x34", "outb 0x40 0x10", "outb 0x40 0x00"]) session.receive(line);
  sent.splice(0);
  session.receive("clock_step 1000000");
  assertEquals(sent.includes("IRQ raise 0"), true);
  assertEquals(sent.at(-1), "OK 1000000");
});
