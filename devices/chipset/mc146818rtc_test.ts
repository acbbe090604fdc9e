import { assertEquals } from "@std/assert";
import { type Chips, chips } from "./testing.ts";
import { cmosBytes, splitRam } from "./cmos_contents.ts";
import { GiB, MiB, NS_PER_S } from "../../base/units.ts";

const START_NS = Date.UTC(2024, 1, 28, 23, 59, 57) * 1e6;

function read(machine: Chips, index: number): number {
  machine.out(0x70, index);
  return machine.in(0x71);
}

function write(machine: Chips, index: number, value: number): void {
  machine.out(0x70, index);
  machine.out(0x71, value);
}

const time = (machine: Chips) => [0x32, 9, 8, 7, 4, 2, 0].map((index) => read(machine, index).toString(16)).join(" ");

Deno.test("the date goes on over a leap day", async () => {
  const machine = await chips({ startNs: START_NS });
  assertEquals(time(machine), "20 24 2 28 23 59 57");
  machine.clock.advance(3 * NS_PER_S);
  assertEquals(time(machine), "20 24 2 29 0 0 0");
  assertEquals(read(machine, 6), 5); // a Thursday
  write(machine, 0x0b, 0x06); // binary
  assertEquals(read(machine, 9), 24);
  write(machine, 0x0b, 0x00); // BCD, 12 hours
  assertEquals(read(machine, 4), 0x12);
});

Deno.test("software sets the time while the clock is held", async () => {
  const machine = await chips({ startNs: START_NS });
  write(machine, 0x0b, 0x82);
  for (
    const [index, value] of [[0, 0x58], [2, 0x59], [4, 0x23], [7, 0x31], [8, 0x12], [9, 0x99], [0x32, 0x19]] as const
  ) {
    write(machine, index, value);
  }
  machine.clock.advance(10 * NS_PER_S);
  assertEquals(time(machine), "19 99 12 31 23 59 58");
  write(machine, 0x0b, 0x02);
  machine.clock.advance(2 * NS_PER_S);
  assertEquals(time(machine), "20 0 1 1 0 0 0");
});

Deno.test("alarm, update and periodic interrupts come and are cleared by reading C", async () => {
  const machine = await chips({ startNs: START_NS });
  write(machine, 1, 0x00);
  write(machine, 3, 0x00);
  write(machine, 5, 0xff); // any hour
  write(machine, 0x0b, 0x22);
  machine.clock.advance(2.5 * NS_PER_S);
  assertEquals(machine.irqLevels[8], 0);
  machine.clock.advance(NS_PER_S);
  assertEquals(machine.irqLevels[8], 1);
  assertEquals(read(machine, 0x0c) & 0xb0, 0xb0);
  assertEquals(machine.irqLevels[8], 0);
  write(machine, 0x0b, 0x42);
  let edges = 0;
  machine.isa.irqs[8] = {
    set: (level) => {
      edges += level;
    },
  };
  machine.clock.advance(300_000); // away from the moments at which events fall due
  for (let i = 0; i < 1024; i++) {
    machine.clock.advance(NS_PER_S / 1024);
    read(machine, 0x0c);
  }
  assertEquals(edges, 1024);
});

Deno.test("update in progress is announced 244 us before the second ends", async () => {
  const machine = await chips({ startNs: START_NS });
  machine.clock.advance(999_000_000);
  assertEquals(read(machine, 0x0a), 0x26);
  machine.clock.advance(800_000);
  assertEquals(read(machine, 0x0a), 0xa6);
});

Deno.test("a snapshot's clock goes on from its own time", async () => {
  const machine = await chips({ startNs: START_NS });
  write(machine, 0x50, 0xa5);
  const saved = machine.rtc.save();
  const other = await chips({ startNs: START_NS });
  other.rtc.load(saved);
  assertEquals([read(other, 0x50), read(other, 7)], [0xa5, 0x28]);
});

Deno.test("CMOS holds what QEMU's board writes", () => {
  const bytes = new Map(cmosBytes({
    ...splitRam(5 * GiB),
    cpus: 2,
    bootOrder: "dc",
    disks: [{ cylinders: 203, heads: 16, sectors: 63 }, undefined, undefined, {
      cylinders: 16383,
      heads: 16,
      sectors: 63,
    }],
  }));
  // Read from QEMU 7.2 with -m 5G, a disk of 100 MiB, one of 10 GiB at index 3, -boot order=dc, two CPUs.
  const expected: [number, string][] = [
    [0x10, "00 00 f0 00"],
    [0x14, "06 80 02 ff ff 2f 00 cb 00 10 ff ff c8 cb 00 3f 00"],
    [0x30, "ff ff"],
    [0x34, "00 bf"],
    [0x38, "00 40"],
    [0x3d, "23"],
    [0x5b, "00 80 00"],
    [0x5f, "01"],
  ];
  for (const [first, text] of expected) {
    const found = text.split(" ").map((_, index) => (bytes.get(first + index) ?? 0).toString(16).padStart(2, "0"));
    assertEquals(found.join(" "), text, `from ${first.toString(16)}`);
  }
  const small = new Map(cmosBytes({ ...splitRam(8 * MiB), cpus: 1, bootOrder: "cad", floppies: ["144", "none"] }));
  assertEquals([0x10, 0x14, 0x17, 0x18, 0x34, 0x38, 0x3d].map((index) => small.get(index)), [
    0x40,
    0x07,
    0x00,
    0x1c,
    0x00,
    0x30,
    0x12,
  ]);
});
