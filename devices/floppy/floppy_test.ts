import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../base/random.ts";
import { BlockBackend, BlockGraph } from "../../block/mod.ts";
import { testMachine } from "../bus/testing.ts";
import { floppy } from "./floppy_drive.ts";
import { driveKindFor, formatIn } from "./geometry.ts";
import { isaFdc } from "./isa_fdc.ts";
import { FloppyRig, sectorBytes } from "./testing/rig.ts";

const MOTOR_ON = 0x1c;
const AT = 0x2_0000;

Deno.test("a size says which drive and which format", () => {
  // As QEMU 7.2 chose for an empty file of this many kilobytes, by its `info qtree`.
  const kinds = {
    2880: "288",
    1440: "144",
    1722: "144",
    1920: "144",
    1200: "120",
    1476: "120",
    720: "144",
  };
  for (const [kilobytes, kind] of Object.entries({ ...kinds, 830: "144", 360: "120", 410: "120", 160: "120" })) {
    assertEquals(driveKindFor(Number(kilobytes) * 1024), kind, kilobytes);
  }
  assertEquals(driveKindFor(1000 * 1024), undefined);
  assertEquals(formatIn("288", 1440 * 1024).sectors, 18);
  assertEquals(formatIn("144", 12345).sectors, 18);
  assertEquals(formatIn("120", 1440 * 1024).sectors, 18); // 5.25 inch, 80 tracks of 18 sectors
});

async function typeOf(values: Parameters<typeof isaFdc.create>[1], kilobytes?: number, own?: "144"): Promise<string> {
  const machine = testMachine();
  const graph = new BlockGraph({ clocks: machine.clocks, random: machine.random, trace: machine.trace });
  const backend = new BlockBackend({ graph, name: "f" });
  if (kilobytes !== undefined) {
    await backend.insertMedium(await graph.open({ driver: "memory", size: kilobytes * 1024 }));
  }
  const controller = isaFdc.create(machine, values);
  await controller.realize(machine.isa);
  const drive = floppy.create(machine, { drive: backend, ...(own === undefined ? {} : { "drive-type": own }) });
  await drive.realize(controller.floppyBus);
  const settled = drive.properties["drive-type"];
  await backend[Symbol.asyncDispose]();
  await graph[Symbol.asyncDispose]();
  return settled;
}

Deno.test("a drive's type: its own, its unit's, its medium's, the fallback", async () => {
  assertEquals(await typeOf({}), "288");
  assertEquals(await typeOf({ fallback: "144" }), "144");
  assertEquals(await typeOf({ fallback: "144" }, 1200), "120");
  assertEquals(await typeOf({ fdtypeA: "288" }, 1200), "288");
  assertEquals(await typeOf({ fdtypeA: "288" }, 1200, "144"), "144");
});

Deno.test("FORMAT TRACK fills the sectors that it names, in whatever order", async () => {
  await using rig = await FloppyRig.start([{ kilobytes: 720 }]);
  const { machine } = rig;
  machine.out(0x3f2, MOTOR_ON);
  machine.out(0x3f7, 2);
  await rig.command(0x0f, 0, 3);
  const fields = [9, 1, 8, 2, 7, 3, 6, 4].flatMap((sector) => [3, 1, sector, 2]); // all but sector 5
  machine.ram.write(AT, Uint8Array.from(fields));
  rig.programDma(AT, fields.length, "from-memory");
  await rig.command(0x4d, 4, 2, 8, 0x54, 0xe5);
  assertEquals(rig.result().slice(0, 3), [0x04, 0, 0]);
  const first = (3 * 2 + 1) * 9;
  assertEquals(await rig.onDisk(0, first), new Uint8Array(512).fill(0xe5));
  assertEquals(await rig.onDisk(0, first + 4), sectorBytes(first + 4));
  assertEquals(await rig.onDisk(0, first + 8), new Uint8Array(512).fill(0xe5));
  assertEquals(await rig.onDisk(0, first + 9), sectorBytes(first + 9));
});

Deno.test("scans find the sector that is equal, lower or higher, and say when there is none", async () => {
  await using rig = await FloppyRig.start([{ kilobytes: 1440 }]);
  const { machine } = rig;
  machine.out(0x3f2, MOTOR_ON);
  const scan = async (code: number, wanted: Uint8Array, sectors: number) => {
    const memory = new Uint8Array(512 * sectors);
    for (let at = 0; at < sectors; at++) memory.set(wanted, at * 512);
    machine.ram.write(AT, memory);
    rig.programDma(AT, memory.length, "from-memory");
    await rig.command(code, 0, 0, 0, 1, 2, sectors, 0x1b, 1);
    const [st0, , st2, , , sector] = rig.result();
    return [st0! & 0xc0, st2, sector];
  };
  assertEquals(await scan(0x51, sectorBytes(2), 5), [0, 0x08, 3]);
  assertEquals(await scan(0x51, new Uint8Array(512).fill(0xff), 5), [0, 0x08, 1]); // FFh is any byte
  assertEquals(await scan(0x51, new Uint8Array(512).fill(1), 5), [0, 0x04, 1]);
  assertEquals(await scan(0x5d, new Uint8Array(512), 5), [0, 0, 1]);
  assertEquals(await scan(0x59, new Uint8Array(512), 5), [0, 0x04, 1]);
});

Deno.test("a protected disk refuses to be written and formatted", async () => {
  await using rig = await FloppyRig.start([{}]);
  await rig.backends[0]!.insertMedium(await rig.graph.open({ driver: "memory", size: 1440 * 1024, "read-only": true }));
  rig.machine.out(0x3f2, MOTOR_ON);
  await rig.command(0x04, 0);
  assertEquals(rig.result(), [0x78]);
  rig.programDma(AT, 512, "from-memory");
  await rig.command(0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
  assertEquals(rig.result(), [0x40, 0x02, 0, 0, 0, 1, 2]);
  await rig.command(0x4d, 0, 2, 18, 0x54, 0xe5);
  assertEquals(rig.result().slice(0, 3), [0x40, 0x02, 0]);
});

Deno.test("the change line: set by a change, cleared by a step with a disk in", async () => {
  await using rig = await FloppyRig.start([{ kilobytes: 1440 }]);
  const { machine } = rig;
  machine.out(0x3f2, MOTOR_ON);
  const changed = () => (machine.in(0x3f7) & 0x80) !== 0;
  await rig.command(0x0f, 0, 1);
  assertEquals(changed(), false);
  await rig.backends[0]!.removeMedium();
  assertEquals(changed(), true);
  await rig.command(0x0f, 0, 2);
  assertEquals(changed(), true);
  await rig.insert(0, 720);
  assertEquals(changed(), true);
  await rig.command(0x0f, 0, 3);
  assertEquals(changed(), false);
});

Deno.test("DMA that software lets go later, and terminal counts inside a sector", async () => {
  await using rig = await FloppyRig.start([{ kilobytes: 1440 }]);
  const { machine } = rig;
  machine.out(0x3f2, MOTOR_ON);
  await rig.command(0x46, 0, 0, 0, 2, 2, 18, 0x1b, 0xff);
  assertEquals(machine.in(0x3f4), 0x10);
  rig.programDma(AT, 700, "to-memory");
  await rig.fdc.stop();
  assertEquals(rig.result(), [0, 0, 0, 0, 0, 3, 2]);
  const memory = new Uint8Array(701);
  machine.ram.read(AT, memory);
  assertEquals(memory.subarray(0, 512), sectorBytes(1));
  assertEquals(memory.subarray(512, 700), sectorBytes(2).subarray(0, 188));
  assertEquals(memory[700], 0);
  machine.ram.write(AT, new Uint8Array(100).fill(7));
  rig.programDma(AT, 100, "from-memory");
  await rig.command(0x45, 0, 0, 0, 4, 2, 18, 0x1b, 0xff);
  rig.result();
  const written = new Uint8Array(512);
  written.fill(7, 0, 100);
  assertEquals(await rig.onDisk(0, 3), written);
});

Deno.test("a snapshot in the middle of programmed I/O goes on elsewhere", async () => {
  await using rig = await FloppyRig.start([{ kilobytes: 1440 }]);
  rig.machine.out(0x3f2, MOTOR_ON);
  await rig.command(0x03, 0xaf, 0x03);
  await rig.command(0x46, 0, 0, 0, 1, 2, 1, 0x1b, 0xff);
  const read = (from: FloppyRig, count: number) => Array.from({ length: count }, () => from.machine.in(0x3f5));
  const before = read(rig, 300);
  await using other = await FloppyRig.start([{ kilobytes: 1440 }]);
  for (const [index, device] of [rig.fdc, ...rig.drives].entries()) {
    [other.fdc, ...other.drives][index]!.load(device.save());
  }
  assertEquals([...before, ...read(other, 212)], [...sectorBytes(0)]);
  assertEquals(other.result().slice(0, 3), [0x20, 0, 0]);
});

for (const seed of [1, 2, 3]) {
  Deno.test(`nonsense from the guest ends, and a reset mends it, seed ${seed}`, async () => {
    await using rig = await FloppyRig.start([{ kilobytes: 360 }, { kilobytes: 2880, readOnly: true }]);
    const { machine } = rig;
    const random = new SeededRandom(seed);
    for (let step = 0; step < 3000; step++) {
      const port = random.below(4) === 0 ? random.below(16) : 0x3f0 + random.below(8);
      if (random.below(3) === 0) machine.in(port);
      else machine.out(port, random.below(3) === 0 ? random.below(32) : random.below(256));
      if (random.below(40) === 0) machine.out(0x3f2, MOTOR_ON | random.below(4));
      if (random.below(50) === 0) await rig.fdc.stop();
    }
    await rig.fdc.stop();
    rig.fdc.load(rig.fdc.save());
    for (const device of [rig.dma, rig.fdc, ...rig.drives]) await device.reset();
    machine.out(0x3f2, MOTOR_ON);
    machine.out(0x3f7, 1);
    rig.programDma(AT, 512, "to-memory");
    await rig.command(0x46, 0, 39, 1, 9, 2, 9, 0x1b, 0xff);
    assertEquals(rig.result().slice(0, 3), [0x24, 0, 0]);
  });
}
