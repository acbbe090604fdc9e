import { assertEquals } from "@std/assert";
import { chips } from "./testing.ts";
import { nsAtTick } from "./ticks.ts";
import { PIT_HZ, PitCounter } from "./pit_counter.ts";

const at = (ticks: number) => nsAtTick(ticks, PIT_HZ);

/** OUT over the first ticks after `count` was loaded in `mode`. */
function outputs(mode: number, count: number, ticks: number, gate: 0 | 1 = 1): string {
  const counter = new PitCounter(gate);
  counter.control(0x10 | (mode << 1), 0);
  counter.write(count, 0);
  if (mode === 1 || mode === 5) {
    counter.setGate(0, 0);
    counter.setGate(1, 0);
  }
  return Array.from({ length: ticks }, (_, tick) => counter.output(at(tick))).join("");
}

Deno.test("OUT follows the data sheet's diagrams", () => {
  assertEquals(outputs(0, 4, 8), "00001111"); // interrupt on terminal count
  assertEquals(outputs(1, 3, 6), "000111"); // one-shot
  assertEquals(outputs(2, 3, 9), "110110110"); // rate generator
  assertEquals(outputs(3, 4, 8), "11001100"); // square wave
  assertEquals(outputs(3, 5, 10), "1110011100"); // odd counts are high for one tick more
  assertEquals(outputs(4, 3, 6), "111011"); // software strobe
  assertEquals(outputs(5, 3, 6), "111011"); // hardware strobe
});

Deno.test("counts go down, in BCD as well, and a latch holds one", () => {
  const counter = new PitCounter(1);
  counter.control(0x30, 0);
  counter.write(0x34, 0);
  counter.write(0x12, 0);
  assertEquals(counter.count(at(0x34)), 0x1200);
  counter.latchCount(at(0x35));
  assertEquals([counter.read(at(0x100)), counter.read(at(0x100))], [0xff, 0x11]);
  counter.control(0x31, 0);
  counter.write(0x00, 0);
  counter.write(0x10, 0);
  assertEquals(counter.count(at(1)), 0x0999);
  assertEquals(counter.count(at(1001)), 0x9999);
});

Deno.test("a closed gate holds mode 0", () => {
  const counter = new PitCounter(1);
  counter.control(0x10, 0);
  counter.write(100, 0);
  counter.setGate(0, at(40));
  assertEquals(counter.count(at(1000)), 60);
  counter.setGate(1, at(1000));
  assertEquals(counter.count(at(1010)), 50);
});

Deno.test("the read-back command shows status and null count", async () => {
  const machine = await chips();
  machine.out(0x43, 0x36);
  machine.out(0x43, 0xe2); // status of counter 0
  assertEquals(machine.in(0x40), 0xf6); // OUT high, null count, both bytes, mode 3
  machine.out(0x40, 0x00);
  machine.out(0x40, 0x10);
  machine.out(0x43, 0xe2);
  assertEquals(machine.in(0x40), 0xb6);
});

Deno.test("counter 0 raises interrupt 0 at its rate", async () => {
  const machine = await chips();
  let edges = 0;
  machine.isa.irqs[0] = { set: (level) => edges += level };
  machine.out(0x43, 0x34);
  machine.out(0x40, 0xa9);
  machine.out(0x40, 0x04); // 1193: a millisecond
  const before = edges;
  machine.clock.advance(100_000_000);
  assertEquals(edges - before, 100);
});

for (const mode of [0, 4]) {
  Deno.test(`a one-shot in mode ${mode} ends in an edge, however late the host lets timers fire`, async () => {
    for (const lateNs of [0, 1000, 1e6, 99e6, 101e6, 5e9]) {
      const machine = await chips();
      let edges = 0;
      let before: 0 | 1 = 0;
      machine.isa.irqs[0] = {
        set: (level) => {
          if (level > before) edges++;
          before = level;
        },
      };
      machine.out(0x43, 0x30 | (mode << 1));
      machine.out(0x40, 0x22);
      machine.out(0x40, 0x12);
      edges = 0;
      machine.clock.restore(machine.clock.nowNs() + at(0x1222) + lateNs);
      machine.clock.advance(0);
      machine.clock.advance(1e6);
      assertEquals([lateNs, edges, before], [lateNs, 1, 1]);
    }
  });
}

Deno.test("the speaker port gates counter 2 and shows its output", async () => {
  const machine = await chips();
  machine.out(0x43, 0xb0);
  machine.out(0x42, 10);
  machine.out(0x42, 0);
  machine.out(0x61, 1);
  assertEquals(machine.in(0x61) & 0x23, 0x01);
  machine.clock.advance(at(11));
  assertEquals(machine.in(0x61) & 0x23, 0x21);
});
