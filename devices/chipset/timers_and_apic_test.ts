import { assert, assertEquals } from "@std/assert";
import { chips } from "./testing.ts";
import type { ApicMessage } from "./ioapic.ts";

const HPET = 0xfed0_0000;
const IOAPIC = 0xfec0_0000;

Deno.test("HPET: the counter runs while enabled, capabilities are QEMU's", async () => {
  const { memory, clock } = await chips();
  assertEquals([memory.readValue(HPET, 4), memory.readValue(HPET + 4, 4)], [0x8086_a201, 10_000_000]);
  assertEquals([memory.readValue(HPET + 0x100, 4), memory.readValue(HPET + 0x104, 4)], [0x30, 4]);
  clock.advance(1000);
  assertEquals(memory.readValue(HPET + 0xf0, 4), 0);
  memory.writeValue(HPET + 0x10, 4, 1);
  clock.advance(1000);
  assertEquals(memory.readValue(HPET + 0xf0, 4), 100);
  memory.writeValue(HPET + 0x10, 4, 0);
  clock.advance(1000);
  assertEquals(memory.readValue(HPET + 0xf0, 4), 100);
});

Deno.test("HPET: legacy replacement takes interrupt 0, periodically", async () => {
  const { memory, clock, isa } = await chips();
  let edges = 0;
  isa.irqs[0] = { set: (level) => edges += level };
  memory.writeValue(HPET + 0x100, 4, 0x4c); // enabled, periodic, set value
  memory.writeValue(HPET + 0x108, 4, 100_000); // 1 ms
  memory.writeValue(HPET + 0x10c, 4, 0);
  memory.writeValue(HPET + 0x10, 4, 3);
  const before = edges;
  clock.advance(10_000_000);
  assertEquals(edges - before, 10);
});

Deno.test("HPET: a timer that is late by almost a period goes on with the next one, while time flows", async () => {
  for (let lateNs = 999_900; lateNs <= 1_000_000; lateNs += 10) {
    const { memory, clock, isa } = await chips();
    let edges = 0;
    isa.irqs[0] = { set: (level) => edges += level };
    memory.writeValue(HPET + 0x100, 4, 0x14c); // enabled, periodic, set value, 32 bits
    memory.writeValue(HPET + 0x108, 4, 100_000); // 1 ms
    memory.writeValue(HPET + 0x10, 4, 3);
    const before = edges;
    // Each look at the clock is 30 ns, three counts, after the one before.
    const nowNs = clock.nowNs.bind(clock);
    let looks = 0;
    clock.nowNs = () => nowNs() + lateNs + 30 * looks++;
    clock.advance(1_000_000);
    clock.nowNs = nowNs;
    clock.advance(10_000_000);
    assert(edges - before >= 9, `late by ${lateNs} ns: ${edges - before} edges`);
  }
});

Deno.test("HPET: a level interrupt stays until its status is cleared", async () => {
  const machine = await chips();
  const { memory, clock, hpet } = machine;
  let level = 0;
  hpet.connect({ set: (value) => level = value }, 2, "sysbus-irq");
  memory.writeValue(HPET + 0x120, 4, 0x406); // route 2, enabled, level
  memory.writeValue(HPET + 0x128, 4, 50);
  memory.writeValue(HPET + 0x12c, 4, 0);
  memory.writeValue(HPET + 0x10, 4, 1);
  const saved = hpet.save();
  clock.advance(500);
  assertEquals([level, memory.readValue(HPET + 0x20, 4)], [1, 2]);
  memory.writeValue(HPET + 0x20, 4, 2);
  assertEquals([level, memory.readValue(HPET + 0x20, 4)], [0, 0]);
  const other = await chips();
  other.hpet.load(saved);
  other.clock.advance(500);
  assertEquals(other.memory.readValue(HPET + 0x20, 4), 2);
});

Deno.test("I/O APIC: identity, entries, edge and level delivery", async () => {
  const { memory, ioapic } = await chips();
  const messages: ApicMessage[] = [];
  ioapic.deliver = (message) => void messages.push(message);
  const read = (register: number) => {
    memory.writeValue(IOAPIC, 4, register);
    return memory.readValue(IOAPIC + 0x10, 4);
  };
  const write = (register: number, value: number) => {
    memory.writeValue(IOAPIC, 4, register);
    memory.writeValue(IOAPIC + 0x10, 4, value);
  };
  assertEquals(read(1), 0x0017_0020);
  assertEquals(read(0x10), 0x0001_0000);
  ioapic.input(1).set(1);
  ioapic.input(1).set(0);
  write(0x12, 0x31);
  assertEquals(messages, [], "a masked edge is lost");
  ioapic.input(1).set(1);
  assertEquals(messages.map(({ vector, triggerMode }) => [vector, triggerMode]), [[0x31, "edge"]]);
  write(0x10 + 2 * 11, 0x8000 | 0x59);
  write(0x11 + 2 * 11, 0x0300_0000);
  ioapic.input(11).set(1);
  assertEquals(messages.at(-1), {
    destination: 3,
    destinationMode: "physical",
    deliveryMode: 0,
    vector: 0x59,
    triggerMode: "level",
  });
  assertEquals(read(0x10 + 2 * 11), 0xc059);
  memory.writeValue(IOAPIC + 0x40, 4, 0x59);
  assertEquals(messages.length, 3, "still high, so delivered again");
  ioapic.input(11).set(0);
  ioapic.endOfInterrupt(0x59);
  assertEquals(messages.length, 3);
  assertEquals(read(0x10 + 2 * 11), 0x8059);
});
