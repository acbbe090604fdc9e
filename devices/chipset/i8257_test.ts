import { assertEquals } from "@std/assert";
import { chips } from "./testing.ts";

const TO = "to-memory";

Deno.test("channel 2 takes a sector to memory, as a floppy read does", async () => {
  const machine = await chips();
  const { dma } = machine;
  const sector = Uint8Array.from({ length: 512 }, (_, index) => index & 0xff);
  for (const [port, value] of [[0x0a, 6], [0x0c, 0], [0x0b, 0x46], [4, 0x00], [4, 0xfe], [0x81, 0x01]] as const) {
    machine.out(port, value);
  }
  machine.out(5, 0xff);
  machine.out(5, 0x01);
  assertEquals(dma.transfer(2, sector, TO), 0, "masked");
  machine.out(0x0a, 2);
  assertEquals(dma.remainingBytes(2), 512);
  assertEquals(dma.transfer(2, sector.subarray(0, 300), TO), 300);
  assertEquals(dma.transfer(2, sector.subarray(300), TO), 212);
  const found = new Uint8Array(512);
  machine.ram.read(0x1fe00, found);
  assertEquals(found, sector);
  assertEquals(machine.in(0x08), 0x04, "terminal count");
  assertEquals(machine.in(0x08), 0x00, "which reading clears");
  assertEquals(dma.isReady(2), false);
});

Deno.test("addresses wrap within their 64 KiB, and autoinitialize begins again", async () => {
  const machine = await chips();
  machine.out(0x0b, 0x56);
  for (const value of [0xff, 0xff]) machine.out(4, value);
  for (const value of [0x01, 0x00]) machine.out(5, value);
  machine.out(0x81, 0x02);
  machine.out(0x0a, 2);
  assertEquals(machine.dma.transfer(2, Uint8Array.of(0x11, 0x22), TO), 2);
  assertEquals([machine.memory.readValue(0x2ffff, 1), machine.memory.readValue(0x20000, 1)], [0x11, 0x22]);
  assertEquals(machine.dma.isReady(2), true);
  assertEquals(machine.dma.remainingBytes(2), 2);
});

Deno.test("channels of the second controller count words", async () => {
  const machine = await chips();
  machine.memory.write(0x40000, Uint8Array.of(1, 2, 3, 4));
  machine.out(0xd6, 0x49); // channel 5, from memory
  for (const value of [0x00, 0x00]) machine.out(0xc4, value);
  for (const value of [0x01, 0x00]) machine.out(0xc6, value);
  machine.out(0x8b, 0x05);
  machine.out(0xd4, 1);
  const buffer = new Uint8Array(4);
  assertEquals(machine.dma2.transfer(5, buffer, "from-memory"), 4);
  assertEquals(buffer, Uint8Array.of(1, 2, 3, 4));
});
