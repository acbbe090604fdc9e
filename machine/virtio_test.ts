/**
 * virtio-blk in a machine: errors and what they do, requests in flight while the driver resets or the machine stops, is
 * saved and loaded, changes of the medium, and how data gets to guest RAM.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import "../base/host/preload.ts";
import type { IoVector } from "../base/io_vector.ts";
import { type BlockDriver, type BlockNode, createImage, ioError } from "../block/mod.ts";
import { testGraph } from "../block/testing.ts";
import type { SavedDevice } from "../devices/bus/mod.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { IdeGuest, VirtioBlkError, VirtioBlkGuest, type VirtioBlkOptions } from "./guest/mod.ts";
import { guestBus } from "./guest_bus.ts";
import { type TestDrive, type TestPc, testPc } from "./testing.ts";

const MiB = 1024 * 1024;
const AREA = { address: 0x20_0000, sizeBytes: 0x10_0000 };
const MODES: readonly (readonly [properties: string, driver: VirtioBlkOptions])[] = [
  ["", { interface: "legacy" }],
  ["", { wait: "messages", eventIndex: true, indirect: true }],
  ["packed=on", { packed: true, eventIndex: true }],
];

interface Setup extends AsyncDisposable {
  readonly pc: TestPc;
  readonly disk: VirtioBlkGuest;
}

async function plugged(drive: TestDrive, properties: string): Promise<TestPc> {
  const pc = await testPc({ drives: [drive] });
  const texts = `drive=d,${properties}`.split(",").filter((text) => text !== "");
  const pairs = texts.map((text) => text.split("=") as [string, string]);
  await pc.machine.addDevice({ driver: "virtio-blk-pci", id: "v", properties: pairs });
  return pc;
}

/** A machine that runs, with a disk of 1 MiB in which each sector is filled with its number. */
async function setUp(properties = "", driver: VirtioBlkOptions = {}): Promise<Setup> {
  const temp = await TempFolder.make();
  const file = await temp.write("a.raw", Uint8Array.from({ length: MiB }, (_, i) => i >> 9 & 0xff));
  const pc = await plugged({ name: "d", file, format: "raw" }, properties);
  await pc.machine.cont();
  const [disk] = await VirtioBlkGuest.detect(guestBus(pc.machine), { area: AREA, ...driver });
  return {
    pc,
    disk: disk!,
    async [Symbol.asyncDispose]() {
      await pc[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

function nodeOf({ machine }: TestPc): BlockNode {
  return machine.backends.find("d")!.node!;
}

/** Puts `replace` in the place of a driver's method; it is given the real one. */
function intercept<Name extends "read" | "write">(
  driver: BlockDriver,
  name: Name,
  replace: (at: number, data: IoVector, real: () => Promise<void>) => Promise<void>,
): void {
  const real = driver[name].bind(driver);
  driver[name] = (at: number, data: IoVector) => replace(at, data, () => real(at, data));
}

/** Requests of `driver` wait until the returned function is called. */
function hold(driver: BlockDriver, name: "read" | "write"): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  intercept(driver, name, (_at, _data, real) => promise.then(real));
  return resolve;
}

for (const [properties, driver] of MODES) {
  const name = `${properties} ${JSON.stringify(driver)}`;

  Deno.test(`a write without space stops the machine and is done when it goes on: ${name}`, async () => {
    await using at = await setUp(properties, driver);
    const { machine } = at.pc;
    const events: string[] = [];
    machine.events.on("BLOCK_IO_ERROR", ({ action, operation, nospace }) => {
      events.push(`${operation} ${action} ${nospace}`);
    });
    let full = true;
    intercept(nodeOf(at.pc).driver, "write", (_at, _data, real) => {
      return full ? Promise.reject(ioError("write", "ENOSPC")) : real();
    });
    const writing = at.disk.write(7, new Uint8Array(2048).fill(0x99));
    while (machine.runState !== "io-error") await guestBus(machine).pause();
    const saved = savedDevices(at.pc);
    full = false;
    // What a snapshot keeps is enough to go on from.
    for (const [path, state] of saved) machine.findDevice(path)!.load(state);
    await machine.cont();
    await writing;
    assertEquals(events, ["write stop true"]);
    assert((await at.disk.read(7, 4)).every((byte) => byte === 0x99));
  });

  Deno.test(`a reset by the driver lets requests in flight end unheard: ${name}`, async () => {
    await using at = await setUp(properties, driver);
    const bus = guestBus(at.pc.machine);
    const release = hold(nodeOf(at.pc).driver, "read");
    const stop = new AbortController();
    const reading = at.disk.read(3, 2, { signal: stop.signal });
    await bus.pause();
    await at.disk.transport.setStatus(0);
    assert(await at.disk.transport.status() !== 0);
    stop.abort(new Error("given up"));
    await assertRejects(() => reading, Error, "given up");
    // Messages, rings, headers and statuses lie before the data.
    const controlBytes = at.disk.dataAddress(0) - AREA.address;
    const before = await bus.readMemory(AREA.address, controlBytes);
    release();
    while (await at.disk.transport.status() !== 0) await bus.pause();
    assertEquals(await bus.readMemory(AREA.address, controlBytes), before);
    const [again] = await VirtioBlkGuest.detect(bus, { area: AREA, ...driver });
    assertEquals((await again!.read(9, 1))[0], 9);
  });

  Deno.test(`a machine that stops waits for requests, and their ends are in what is saved: ${name}`, async () => {
    await using at = await setUp(properties, driver);
    const { machine, qtest } = at.pc;
    const bus = guestBus(machine);
    await at.disk.read(0, 8);
    const release = hold(nodeOf(at.pc).driver, "read");
    const reading = at.disk.read(40, 64);
    await bus.pause();
    let stopped = false;
    const stopping = machine.stop().then(() => stopped = true);
    for (let i = 0; i < 5; i++) await bus.pause();
    assertEquals(stopped, false);
    release();
    await stopping;
    assertEquals((await reading)[0], 40);
    // Another machine, from what this one saved, finds ring and driver where they were.
    const saved = savedDevices(at.pc);
    const ram = qtest.read(0, 16 * MiB);
    await machine.reset();
    qtest.write(0, ram);
    for (const [path, state] of saved) machine.findDevice(path)!.load(state);
    for (let round = 0; round < 20; round++) assertEquals((await at.disk.read(100 + round, 16))[0], 100 + round);
  });
}

/** The states of the function, of what it carries, and of whom else it needs. */
function savedDevices({ machine }: TestPc): [string, SavedDevice][] {
  return machine.devices.map((device) => [device.path, structuredClone(device.save())]);
}

Deno.test("rerror and werror: reported, ignored", async () => {
  await using at = await setUp("werror=ignore,rerror=report");
  const { driver } = nodeOf(at.pc);
  for (const name of ["read", "write"] as const) intercept(driver, name, () => Promise.reject(ioError(name, "EIO")));
  await at.disk.write(3, new Uint8Array(512));
  const error = await assertRejects(() => at.disk.read(3, 1), VirtioBlkError);
  assertEquals(error.status, 1);
});

Deno.test("a new size is told by an interrupt, a new generation and the capacity", async () => {
  for (const driver of [{ wait: "messages" }, { interface: "legacy" }] as const) {
    await using at = await setUp("", driver);
    assertEquals((await at.disk.config()).sectors, 2048);
    const told = at.disk.configChange(AbortSignal.timeout(120_000));
    await at.pc.machine.backends.find("d")!.truncate(2 * MiB);
    await told;
    assertEquals((await at.disk.config()).sectors, 4096);
    await at.disk.write(4000, new Uint8Array(512).fill(3));
    assertEquals((await at.disk.read(4000, 1))[0], 3);
  }
});

Deno.test("the common structure reads byte by byte as it does register by register", async () => {
  await using at = await setUp("disable-legacy=on,num-queues=3");
  const { memory } = at.pc.machine;
  const base = (await at.disk.function.bars()).find(({ index }) => index === 4)!.address;
  for (const [offset, size] of [[0x04, 4], [0x10, 2], [0x12, 2], [0x14, 1], [0x18, 2], [0x20, 4], [0x28, 4]] as const) {
    let bytes = 0;
    for (let i = size - 1; i >= 0; i--) bytes = bytes * 256 + memory.readValue(base + offset + i, 1);
    assertEquals(bytes, memory.readValue(base + offset, size), `at ${offset}`);
  }
  assertEquals([memory.readValue(base + 0x12, 1), memory.readValue(base + 0x13, 1)], [3, 0]);
});

Deno.test("the write cache is the driver's to switch, and none for a driver that cannot flush", async () => {
  await using at = await setUp();
  const backend = at.pc.machine.backends.find("d")!;
  assertEquals([(await at.disk.config()).writeback, backend.writeCacheEnabled], [true, true]);
  await at.disk.setWriteback(false);
  assertEquals([(await at.disk.config()).writeback, backend.writeCacheEnabled], [false, false]);
  const bus = guestBus(at.pc.machine);
  const [plain] = await VirtioBlkGuest.detect(bus, { area: AREA, without: [9, 11] });
  assertEquals(backend.writeCacheEnabled, false);
  await plain!.reset();
  assertEquals(backend.writeCacheEnabled, true);
});

Deno.test("requests side by side become one, and each is counted", async () => {
  for (const [merging, requestsBelow] of [["on", 1], ["off", 4]] as const) {
    await using at = await setUp(`request-merging=${merging}`);
    const { stats } = at.pc.machine.backends.find("d")!;
    let below = 0;
    intercept(nodeOf(at.pc).driver, "read", (_at, _data, real) => {
      below++;
      return real();
    });
    const before = { ...stats.read };
    const order = [3, 1, 2, 0];
    const requests = order.map((i) => ({ kind: "read" as const, sector: 16 + 8 * i, lengthBytes: 4096 }));
    assertEquals([...await at.disk.transfer(requests)], [0, 0, 0, 0]);
    const bus = guestBus(at.pc.machine);
    for (const [slot, i] of order.entries()) {
      assertEquals((await bus.readMemory(at.disk.dataAddress(slot), 1))[0], 16 + 8 * i);
    }
    assertEquals(below, requestsBelow);
    assertEquals([stats.read.operations - before.operations, stats.read.bytes - before.bytes], [4, 16384]);
    assertEquals(stats.read.merged - before.merged, 4 - requestsBelow);
  }
});

for (const format of ["raw", "qcow2"] as const) {
  Deno.test(`data goes between guest RAM and a ${format} file without a copy`, async () => {
    await using temp = await TempFolder.make();
    const file = temp.file(`a.${format}`);
    await using graph = testGraph();
    await createImage(graph, { filename: file, format, size: 4 * MiB });
    await using pc = await plugged({ name: "d", file, format }, "");
    const [disk] = await VirtioBlkGuest.detect(guestBus(pc.machine), { area: AREA });
    const sizes = Array.from({ length: 8 }, (_, i) => ({ sector: i * 128, lengthBytes: 32768 }));
    await disk!.transfer(sizes.map((one) => ({ kind: "write", ...one })));
    const ram = pc.machine.ram.slice(0, 1).buffer;
    let direct = 0;
    const protocol = nodeOf(pc).child("file")!.driver;
    for (const name of ["read", "write"] as const) {
      intercept(protocol, name, (_at, data, real) => {
        for (const slice of data.slices) if (slice.buffer === ram) direct += slice.length;
        return real();
      });
    }
    const copied = await countCopies(async () => {
      for (const kind of ["write", "read"] as const) {
        const statuses = await disk!.transfer(sizes.map((one) => ({ kind, ...one })));
        assert(statuses.every((status) => status === 0));
      }
    });
    assertEquals(direct, 2 * 8 * 32768);
    // What is left is the driver's own: headers, rings.
    assert(copied < 16384, `${copied} bytes were copied`);
  });
}

for (const format of ["raw", "qcow2"] as const) {
  Deno.test(`an IDE disk's DMA goes between guest RAM and a ${format} file without a copy`, async () => {
    await using temp = await TempFolder.make();
    const file = temp.file(`a.${format}`);
    await using graph = testGraph();
    await createImage(graph, { filename: file, format, size: 4 * MiB });
    const at = { interface: "ide", media: "disk", bus: 0, unit: 0 } as const;
    await using pc = await testPc({ drives: [{ name: "d", file, format, at }] });
    const disk = (await IdeGuest.detect(guestBus(pc.machine))).disk(0, 0);
    const data = Uint8Array.from({ length: 131072 }, (_, i) => i * 7 + (i >> 8));
    await disk.writeDma(0, data);
    const ram = pc.machine.ram.slice(0, 1).buffer;
    const direct = { read: 0, write: 0 };
    for (const name of ["read", "write"] as const) {
      intercept(nodeOf(pc).child("file")!.driver, name, (_at, data, real) => {
        for (const slice of data.slices) if (slice.buffer === ram) direct[name] += slice.length;
        return real();
      });
    }
    const copied = await countCopies(async () => {
      await disk.fetchDma(0, 256);
      // Over what is there, and where nothing is yet.
      await disk.storeDma(0, 256);
      await disk.storeDma(2048, 256);
    });
    assertEquals(direct, { read: 131072, write: 2 * 131072 });
    // What is left is the driver's own: tables of regions.
    assert(copied < 4096, `${copied} bytes were copied`);
    assertEquals(await disk.readDma(2048, 256), data);
  });
}

/** Bytes that typed arrays are copied by `set` and `slice` while `work` runs. */
async function countCopies(work: () => Promise<void>): Promise<number> {
  const { prototype } = Uint8Array;
  const { set, slice } = prototype;
  let copied = 0;
  prototype.set = function (source, offset) {
    copied += source.length;
    return set.call(this, source, offset);
  };
  prototype.slice = function (start, end) {
    const made = slice.call(this, start, end);
    copied += made.length;
    return made;
  };
  try {
    await work();
  } finally {
    Object.assign(prototype, { set, slice });
  }
  return copied;
}
