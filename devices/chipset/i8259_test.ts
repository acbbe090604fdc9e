import { assertEquals } from "@std/assert";
import { type Chips, chips } from "./testing.ts";

/** ICW1 to ICW4 as PC firmware writes them: vectors 8-F and 70-77. */
async function initialized(): Promise<Chips> {
  const machine = await chips();
  for (const [port, value] of [[0x20, 0x11], [0x21, 0x08], [0x21, 0x04], [0x21, 0x01]] as const) {
    machine.out(port, value);
  }
  for (const [port, value] of [[0xa0, 0x11], [0xa1, 0x70], [0xa1, 0x02], [0xa1, 0x01]] as const) {
    machine.out(port, value);
  }
  return machine;
}

function edge(machine: Chips, irq: number): void {
  const line = irq < 8 ? machine.pic.input(irq) : machine.pic2.input(irq - 8);
  line.set(1);
  line.set(0);
}

Deno.test("a request becomes a vector, and the next one waits for the end of interrupt", async () => {
  const machine = await initialized();
  edge(machine, 3);
  assertEquals(machine.interrupt(), 1);
  assertEquals(machine.in(0x20), 0x08); // IRR
  assertEquals(machine.pic.acknowledge(), 0x0b);
  machine.out(0x20, 0x0b);
  assertEquals(machine.in(0x20), 0x08); // ISR
  edge(machine, 4);
  assertEquals(machine.interrupt(), 0, "a lower priority waits");
  edge(machine, 1);
  assertEquals(machine.interrupt(), 1, "a higher one does not");
  assertEquals(machine.pic.acknowledge(), 0x09);
  machine.out(0x20, 0x20);
  assertEquals(machine.in(0x20), 0x08, "the end of interrupt is that of the highest priority");
  machine.out(0x20, 0x63); // specific EOI of 3
  assertEquals(machine.interrupt(), 1);
  assertEquals(machine.pic.acknowledge(), 0x0c);
});

Deno.test("the second controller's requests come through input 2", async () => {
  const machine = await initialized();
  edge(machine, 14);
  assertEquals(machine.interrupt(), 1);
  assertEquals(machine.pic.acknowledge(), 0x76);
  machine.out(0x20, 0x0b);
  machine.out(0xa0, 0x0b);
  assertEquals([machine.in(0x20), machine.in(0xa0)], [0x04, 0x40]);
  machine.out(0xa0, 0x20);
  machine.out(0x20, 0x20);
  assertEquals([machine.in(0x20), machine.in(0xa0)], [0, 0]);
});

Deno.test("a request that goes away before it is acknowledged ends as interrupt 7", async () => {
  const machine = await initialized();
  machine.out(0x4d0, 0x20); // input 5 by level
  machine.pic.input(5).set(1);
  machine.pic.input(5).set(0);
  assertEquals(machine.interrupt(), 0);
  assertEquals(machine.pic.acknowledge(), 0x0f);
  assertEquals(machine.pic.state.isr, 0);
});

Deno.test("a level-triggered input asks again until its line falls", async () => {
  const machine = await initialized();
  machine.out(0x4d1, 0x08); // interrupt 11
  machine.pic2.input(3).set(1);
  assertEquals(machine.pic.acknowledge(), 0x73);
  machine.out(0xa0, 0x20);
  machine.out(0x20, 0x20);
  assertEquals(machine.interrupt(), 1);
  machine.pic2.input(3).set(0);
  machine.pic2.input(3).set(0);
  assertEquals(machine.pic2.state.irr, 0);
});

Deno.test("rotation on EOI makes the served input the last", async () => {
  const machine = await initialized();
  edge(machine, 4);
  machine.pic.acknowledge();
  machine.out(0x20, 0xa0); // rotate on non-specific EOI: [8259A] figure 8
  edge(machine, 4);
  edge(machine, 6);
  assertEquals(machine.pic.acknowledge(), 0x0e);
});

Deno.test("the special mask lets lower priorities through", async () => {
  const machine = await initialized();
  edge(machine, 2 + 1);
  machine.pic.acknowledge();
  machine.out(0x21, 0x08);
  machine.out(0x20, 0x68); // set special mask
  edge(machine, 6);
  assertEquals(machine.interrupt(), 1);
});

Deno.test("a poll acknowledges and names the input", async () => {
  const machine = await initialized();
  edge(machine, 6);
  machine.out(0x20, 0x0c);
  assertEquals(machine.in(0x20), 0x86);
  assertEquals(machine.pic.state.isr, 0x40);
  machine.out(0x20, 0x0c);
  assertEquals(machine.in(0x20), 0x00);
});

Deno.test("a saved controller goes on where it was", async () => {
  const machine = await initialized();
  edge(machine, 5);
  const saved = machine.pic.save();
  const other = await chips();
  other.pic.load(saved);
  assertEquals(other.interrupt(), 1);
  assertEquals(other.pic.acknowledge(), 0x0d);
});
