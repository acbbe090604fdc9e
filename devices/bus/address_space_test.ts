import { assertEquals } from "@std/assert";
import { AddressSpace, type IoHandlers, MemoryRegion, PlainRam, portRegion, PortSpace } from "./mod.ts";

/** Registers that note each access down, and read as the numbers of their bytes. */
function recorder(options: Partial<IoHandlers> = {}): { log: string[]; handlers: IoHandlers } {
  const log: string[] = [];
  const handlers: IoHandlers = {
    read(offset, size) {
      log.push(`r${size}@${offset}`);
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + ((offset + i) & 0xff);
      return value;
    },
    write: (offset, size, value) => void log.push(`w${size}@${offset}=${value.toString(16)}`),
    ...options,
  };
  return { log, handlers };
}

function space(handlers: IoHandlers, at = 0x100, size = 16): PortSpace {
  const root = portRegion();
  root.add(MemoryRegion.io("registers", size, handlers), at);
  return new PortSpace(root);
}

Deno.test("ports where nothing is read as ones, and writes to them are lost", () => {
  const ports = new PortSpace(portRegion());
  assertEquals(ports.readValue(0x500, 1), 0xff);
  assertEquals(ports.readValue(0x500, 2), 0xffff);
  assertEquals(ports.readValue(0x501, 4), 0xffffffff);
  ports.writeValue(0xffff, 1, 5);
});

Deno.test("an access is one call where handlers take its size", () => {
  const { log, handlers } = recorder();
  const ports = space(handlers);
  assertEquals(ports.readValue(0x104, 4), 0x07060504);
  ports.writeValue(0x102, 2, 0xbeef);
  assertEquals(log, ["r4@4", "w2@2=beef"]);
});

Deno.test("an access is cut into what handlers take", () => {
  const { log, handlers } = recorder({ accessSizes: { min: 1, max: 1 } });
  const ports = space(handlers);
  assertEquals(ports.readValue(0x100, 4), 0x03020100);
  ports.writeValue(0x100, 2, 0x1234);
  assertEquals(log, ["r1@0", "r1@1", "r1@2", "r1@3", "w1@0=34", "w1@1=12"]);
});

Deno.test("an access is widened to what handlers take", () => {
  const { log, handlers } = recorder({ accessSizes: { min: 4, max: 4 } });
  const ports = space(handlers);
  assertEquals(ports.readValue(0x100, 1), 0x00);
  assertEquals(log, ["r4@0"]);
});

Deno.test("a size that is not valid finds nothing", () => {
  const { log, handlers } = recorder({ validSizes: { min: 1, max: 1 } });
  const ports = space(handlers);
  // Register by register, as the bus does for a device that takes bytes only.
  assertEquals(ports.readValue(0x100, 2), 0x0100);
  const words = recorder({ validSizes: { min: 2, max: 4 } });
  assertEquals(space(words.handlers).readValue(0x100, 1), 0xff);
  assertEquals(words.log, []);
  assertEquals(log, ["r1@0", "r1@1"]);
});

Deno.test("an access that is not aligned is cut, unless the device takes it", () => {
  const { log, handlers } = recorder();
  assertEquals(space(handlers).readValue(0x101, 4), 0x04030201);
  assertEquals(log, ["r1@1", "r2@2", "r1@4"]);
  const able = recorder({
    accessSizes: { min: 1, max: 4, unaligned: true },
    validSizes: { min: 1, max: 4, unaligned: true },
  });
  assertEquals(space(able.handlers).readValue(0x101, 4), 0x04030201);
  assertEquals(able.log, ["r4@1"]);
});

Deno.test("an access goes to the device that its first byte belongs to", () => {
  const { log, handlers } = recorder({ accessSizes: { min: 1, max: 1 } });
  space(handlers, 0x60, 1).readValue(0x60, 4);
  assertEquals(log, ["r1@0", "r1@1", "r1@2", "r1@3"]);
});

Deno.test("a big-endian device sees bytes turned round", () => {
  const { log, handlers } = recorder({ endian: "big" });
  const ports = space(handlers);
  assertEquals(ports.readValue(0x100, 4), 0x00010203);
  ports.writeValue(0x100, 2, 0x1234);
  assertEquals(log, ["r4@0", "w2@0=3412"]);
});

Deno.test("a read across RAM, a hole, ROM and registers says that not all was there", () => {
  const root = MemoryRegion.container("system", 1n << 64n);
  const ram = new PlainRam(4096);
  ram.slice(0, 4096).fill(0xaa);
  root.add(MemoryRegion.ram("ram", ram), 0);
  root.add(MemoryRegion.rom("rom", new PlainRam(new Uint8Array([1, 2, 3, 4]))), 0x1004);
  root.add(MemoryRegion.io("io", 4, recorder().handlers), 0x1008);
  const memory = new AddressSpace("memory", root);
  const bytes = new Uint8Array(16);
  assertEquals(memory.read(0xffc, bytes), false);
  assertEquals([...bytes], [0xaa, 0xaa, 0xaa, 0xaa, 0, 0, 0, 0, 1, 2, 3, 4, 0, 1, 2, 3]);
  assertEquals(memory.read(0xff0, bytes), true);
  memory.write(0x1004, new Uint8Array([9, 9]));
  assertEquals(memory.readValue(0x1004, 4), 0x04030201);
});

Deno.test("a slice is RAM itself, or a copy where it is not all RAM", () => {
  const root = MemoryRegion.container("system", 1n << 64n);
  const ram = new PlainRam(4096);
  root.add(MemoryRegion.ram("ram", ram), 0x10000);
  const memory = new AddressSpace("memory", root);
  memory.slice(0x10010, 4).set([1, 2, 3, 4]);
  assertEquals([...ram.slice(0x10, 4)], [1, 2, 3, 4]);
  const copy = memory.slice(0x10ffe, 4);
  copy.fill(7);
  assertEquals([...ram.slice(0xffe, 2)], [0, 0]);
  assertEquals(memory.slice(2 ** 52, 8).length, 8);
});
