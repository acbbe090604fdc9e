import { assert, assertEquals, assertRejects } from "@std/assert";
import { SeededRandom } from "../../base/random.ts";
import { PropertyError } from "../bus/mod.ts";
import { isaDebugcon } from "./isa_debugcon.ts";
import { isaSerial } from "./isa_serial.ts";
import { pciSerial } from "./pci_serial.ts";
import { portsMachine, TestLine } from "./testing.ts";

const COM1 = 0x3f8;
const [DATA, IER, IIR, FCR, LSR, MCR] = [COM1, COM1 + 1, COM1 + 2, COM1 + 2, COM1 + 5, COM1 + 4];
const LCR = COM1 + 3;

Deno.test("what the guest sends goes out in one piece in the next turn", async () => {
  await using pc = await portsMachine();
  for (const char of "hello") pc.out(DATA, char.charCodeAt(0));
  assertEquals(pc.line1.text, "");
  await Promise.resolve();
  assertEquals(pc.line1.text, "hello");
  assertEquals([pc.line2.text, pc.in(LSR)], ["", 0x60]);
});

Deno.test("a character device that takes nothing makes the transmitter full, and taking again interrupts", async () => {
  await using pc = await portsMachine();
  pc.line1.takes = 10;
  pc.out(IER, 2);
  for (let i = 0; i < 5000; i++) pc.out(DATA, i & 0xff);
  assertEquals([pc.in(LSR), pc.irqLevels[4]], [0, 0]);
  await Promise.resolve();
  assertEquals([pc.line1.heard.length, pc.in(LSR) & 0x20], [10, 0x20]);
  pc.in(IIR);
  for (let i = 0; i < 5000; i++) pc.out(DATA, i & 0xff);
  await Promise.resolve();
  assertEquals([pc.in(LSR), pc.in(IIR), pc.irqLevels[4]], [0, 1, 0]);
  pc.line1.takes = Infinity;
  pc.line1.frontend!.writable?.();
  assertEquals([pc.irqLevels[4], pc.in(IIR), pc.in(LSR)], [1, 2, 0x60]);
  // Two times as much as there is room for, and the ten between: nothing else was lost, or changed its order.
  const first = Array.from({ length: 4096 }, (_, i) => i & 0xff);
  const second = Array.from({ length: 10 }, (_, i) => i);
  assertEquals(pc.line1.heard, [...first, ...second]);
});

Deno.test("input waits where the guest does not read it, with FIFOs and without", async () => {
  await using pc = await portsMachine();
  pc.out(IER, 1);
  assertEquals([pc.line1.say(1, 2, 3), pc.irqLevels[4], pc.line1.say(2)], [1, 1, 0]);
  const before = pc.line1.invitations;
  assertEquals([pc.in(DATA), pc.irqLevels[4], pc.line1.invitations > before], [1, 0, true]);
  pc.out(FCR, 0x81);
  assertEquals(pc.line1.say(...Array(20).keys()), 16);
  assertEquals([pc.in(IIR), Array.from({ length: 16 }, () => pc.in(DATA))], [0xc4, [...Array(16).keys()]]);
  assertEquals([pc.in(LSR), pc.irqLevels[4]], [0x60, 0]);
});

Deno.test("bytes below the trigger interrupt after four characters at the line's speed", async () => {
  await using pc = await portsMachine();
  // 9600 baud, 8 data bits, one stop bit: a character takes 10 / 9600 s.
  for (const [port, value] of [[LCR, 0x83], [DATA, 12], [IER, 0], [LCR, 3], [FCR, 0xc1], [IER, 1]] as const) {
    pc.out(port, value);
  }
  pc.line1.say(0x41, 0x42);
  const fourCharactersNs = 4 * 10 / 9600 * 1e9;
  pc.clock.advance(fourCharactersNs - 1000);
  assertEquals([pc.irqLevels[4], pc.in(IIR)], [0, 0xc1]);
  pc.clock.advance(2000);
  assertEquals([pc.irqLevels[4], pc.in(IIR), pc.in(DATA), pc.in(IIR)], [1, 0xcc, 0x41, 0xc1]);
  pc.clock.advance(fourCharactersNs + 1000);
  assertEquals([pc.in(IIR), pc.in(DATA), pc.irqLevels[4]], [0xcc, 0x42, 0]);
  pc.clock.advance(fourCharactersNs * 2);
  assertEquals(pc.in(IIR), 0xc1);
});

Deno.test("a break is a zero with its bit in the line status", async () => {
  await using pc = await portsMachine();
  pc.out(FCR, 1);
  pc.out(IER, 5);
  pc.line1.frontend!.event?.("break");
  assertEquals([pc.in(IIR), pc.in(LSR), pc.in(LSR), pc.in(DATA), pc.in(LSR)], [0xc6, 0x71, 0x61, 0, 0x60]);
});

Deno.test("in loopback the line is cut both ways", async () => {
  await using pc = await portsMachine();
  pc.out(MCR, 0x10);
  assertEquals(pc.line1.say(1), 0);
  pc.out(DATA, 0x41);
  await Promise.resolve();
  assertEquals([pc.line1.heard, pc.in(DATA)], [[], 0x41]);
  const before = pc.line1.invitations;
  pc.out(MCR, 0);
  assert(pc.line1.invitations > before);
});

Deno.test("ports that share an interrupt hold it together", async () => {
  await using pc = await portsMachine();
  const com3 = isaSerial.create(pc, { chardev: new TestLine() });
  await com3.realize(pc.isa);
  await com3.reset();
  assertEquals([com3.properties.index, com3.properties.iobase, com3.properties.irq], [2, 0x3e8, 4]);
  pc.out(COM1 + 1, 2);
  pc.out(0x3e9, 2);
  assertEquals(pc.irqLevels[4], 1);
  pc.in(COM1 + 2);
  assertEquals(pc.irqLevels[4], 1);
  await com3.unrealize();
  assertEquals([pc.irqLevels[4], pc.in(0x3ed)], [0, 0xff]);
});

Deno.test("the other end is told speed and format", async () => {
  await using pc = await portsMachine();
  const set = (divisor: number, format: number) => {
    pc.out(LCR, 0x80);
    pc.out(DATA, divisor & 0xff);
    pc.out(IER, divisor >> 8);
    pc.out(LCR, format);
  };
  set(12, 0x03);
  assertEquals(pc.line1.line, { baud: 9600, dataBits: 8, parity: "none", stopBits: 1 });
  set(0x180, 0x1e);
  assertEquals(pc.line1.line, { baud: 300, dataBits: 7, parity: "even", stopBits: 2 });
  // Without a divisor there is no speed.
  set(0, 0x08);
  assertEquals(pc.line1.line?.baud, 115200 / 0x100);
});

Deno.test("a debug console says what is written to its port, and what it was told to say it reads as", async () => {
  await using pc = await portsMachine();
  for (const char of "log") pc.out(0xe9, char.charCodeAt(0));
  pc.out(0xe9, 0x7a21, 2);
  await Promise.resolve();
  assertEquals(pc.debug.text, "log!");
  const line = new TestLine();
  const other = isaDebugcon.create(pc, { iobase: 0x402, readback: 0x123, chardev: line });
  await other.realize(pc.isa);
  pc.out(0x402, 0x41);
  assertEquals(pc.in(0x402), 0x23);
  // What was written last gets out, though the device goes.
  await other.unrealize();
  assertEquals([line.text, pc.in(0x402)], ["A", 0xff]);
  const refused = isaDebugcon.create(pc, {}).realize(pc.isa);
  await assertRejects(() => refused, PropertyError, "Can't create debugcon device, empty char device");
});

Deno.test("a serial port on PCI: registers in its BAR, its interrupt on its pin, and its chip's state in a snapshot", async () => {
  await using pc = await portsMachine();
  const line = new TestLine();
  const port = pciSerial.create(pc, { chardev: line });
  await port.realize(pc.pci);
  await port.reset();
  assertEquals([port.readConfig(0, 4), port.readConfig(8, 4)], [0x0002_1b36, 0x0700_0201]);
  port.writeConfig(0x10, 4, 0xffff_ffff);
  assertEquals(port.readConfig(0x10, 4), 0xffff_fff9);
  port.writeConfig(0x10, 4, 0xc001);
  port.writeConfig(4, 2, 1);
  pc.out(0xc001, 1);
  assertEquals([port.interruptLevel, line.say(0x41), port.interruptLevel], [0, 1, 1]);
  const saved = structuredClone(port.uart.save());
  assertEquals([pc.in(0xc002), pc.in(0xc000), port.interruptLevel], [0xc4 & 0x0f, 0x41, 0]);
  port.uart.load(saved);
  assertEquals(pc.in(0xc000), 0x41);
  pc.out(0xc000, 0x42);
  await port.unrealize();
  assertEquals([line.text, pc.in(0xc005)], ["B", 0xff]);
});

Deno.test("a port without a character device sends into the void", async () => {
  await using pc = await portsMachine();
  const com3 = isaSerial.create(pc, { index: 2 });
  await com3.realize(pc.isa);
  pc.out(0x3e8, 0x41);
  assertEquals(pc.in(0x3ed), 0x60);
  await com3.unrealize();
});

Deno.test("what cannot be is refused in QEMU's words", async () => {
  await using pc = await portsMachine();
  const make = (values: Parameters<typeof isaSerial.create>[1]) => isaSerial.create(pc, values).realize(pc.isa);
  await assertRejects(
    () => make({ index: 4, chardev: new TestLine() }),
    PropertyError,
    "Max. supported number of ISA serial ports is 4.",
  );
  await assertRejects(() => make({ irq: 16, chardev: new TestLine() }), PropertyError, "there is no ISA interrupt 16");
});

Deno.test("a snapshot keeps bytes on both ways, and the timeout", async () => {
  await using pc = await portsMachine();
  pc.line1.takes = 0;
  pc.out(FCR, 0xc1);
  pc.out(IER, 1);
  pc.line1.say(1, 2, 3);
  pc.out(DATA, 0x55);
  const saved = structuredClone(pc.com1.uart.save());
  await using other = await portsMachine();
  other.com1.uart.load(saved);
  await Promise.resolve();
  assertEquals(other.line1.heard, [0x55]);
  other.clock.advance(1e9);
  assertEquals([other.in(IIR), other.in(DATA), other.in(DATA), other.in(DATA)], [0xcc, 1, 2, 3]);
});

for (const seed of [1, 2, 3]) {
  Deno.test(`random accesses, seed ${seed}`, async () => {
    await using pc = await portsMachine();
    const random = new SeededRandom(seed);
    const sizes = [1, 2, 4] as const;
    for (let i = 0; i < 20_000; i++) {
      const port = [0x3f8, 0x2f8, 0x378][random.below(3)]! + random.below(8);
      const size = sizes[random.below(3)]!;
      if (random.below(2) === 0) pc.out(port, random.uint32(), size);
      else pc.in(port, size);
      if (random.below(20) === 0) pc.line1.say(...Array(random.below(30)).keys());
      if (random.below(50) === 0) pc.line1.frontend!.event?.("break");
      if (random.below(50) === 0) pc.line1.takes = random.below(3) === 0 ? Infinity : random.below(100);
      if (random.below(40) === 0) pc.clock.advance(random.below(20_000_000));
      if (random.below(100) === 0) await Promise.resolve();
    }
    await using other = await portsMachine();
    other.line1.takes = 0;
    other.com1.uart.load(structuredClone(pc.com1.uart.save()));
    assertEquals(other.com1.uart.save(), pc.com1.uart.save());
    for (const device of [pc.com1, pc.com2, pc.lpt1]) await device.reset();
    assertEquals([pc.in(IIR), pc.in(IER), pc.in(0x379)], [1, 0, 0xd9]);
  });
}
