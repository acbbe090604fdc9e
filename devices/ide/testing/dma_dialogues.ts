/**
 * Dialogues with the bus master of PIIX3: its registers, scatter-gather tables, short and long ones, and the CD's DMA.
 *
 * @module
 */
import { type Dialogue, DISK_BYTES, type Medium } from "./ata_dialogues.ts";
import { dump, hex, Probe, type Taskfile } from "./probe.ts";

const MiB = 1024 * 1024;
const disk: Medium = { kind: "ide-hd", index: 0, sizeBytes: DISK_BYTES };
const BMDMA = 0xc000;
const TABLE = 0x20000;
const DATA = 0x40000;

function dialogue(name: string, media: readonly Medium[], steps: (probe: Probe) => Promise<void>, channel: 0 | 1 = 0) {
  return {
    name,
    media,
    async run(bus) {
      const probe = new Probe(bus, channel);
      await bus.out32(0xcf8, 0x80000920);
      await bus.out32(0xcfc, BMDMA);
      await bus.out32(0xcf8, 0x80000904);
      await bus.out32(0xcfc, 0x5);
      await steps(probe);
      return probe.lines;
    },
  } satisfies Dialogue;
}

type Region = readonly [address: number, bytes: number];

/** Writes a table; the last entry carries the end mark unless `endless`. */
async function table(probe: Probe, regions: readonly Region[], endless = false): Promise<void> {
  const bytes = new Uint8Array(regions.length * 8);
  const view = new DataView(bytes.buffer);
  regions.forEach(([address, length], i) => {
    view.setUint32(i * 8, address, true);
    view.setUint32(i * 8 + 4, (length & 0xffff) | (i === regions.length - 1 && !endless ? 0x80000000 : 0), true);
  });
  await probe.bus.writeMemory(TABLE, bytes);
}

function port(probe: Probe, register: number): number {
  return BMDMA + (probe.line === 15 ? 8 : 0) + register;
}

async function masterRegisters(probe: Probe): Promise<string> {
  const command = hex(await probe.bus.in8(port(probe, 0)));
  return `bm=${command}/${hex(await probe.bus.in8(port(probe, 2)))} ${await probe.registers()}`;
}

/** Runs a DMA command: the drive first, then the bus master; `toMemory` as bit 3. */
async function transfer(
  probe: Probe,
  label: string,
  command: number,
  file: Taskfile,
  regions: readonly Region[],
  toMemory: boolean,
  packet?: readonly number[],
): Promise<void> {
  const { bus } = probe;
  await table(probe, regions);
  await bus.out8(port(probe, 0), 0);
  await bus.out8(port(probe, 2), 0x06);
  await bus.out32(port(probe, 4), TABLE);
  await probe.issue(command, file);
  if (packet !== undefined) {
    await probe.idle();
    const cdb = new Uint8Array(12);
    cdb.set(packet);
    await bus.outs16(probe.base, cdb);
  } else await probe.idle(); // A disk that waits for the bus master is not busy.
  const before = await masterRegisters(probe);
  await bus.out8(port(probe, 0), toMemory ? 0x09 : 0x01);
  await settle(probe);
  const after = await masterRegisters(probe);
  await bus.out8(port(probe, 0), 0);
  await bus.out8(port(probe, 2), 0x04);
  const status = await probe.in(7);
  probe.log(`${label}: ${before} | ${after} | ${hex(status)} ${await masterRegisters(probe)}`);
}

/** Waits for the interrupt, or for the active bit to go; gives up on transfers that stand still. */
async function settle(probe: Probe): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const status = await probe.bus.in8(port(probe, 2));
    if ((status & 1) === 0 || (status & 4) !== 0) return;
    await probe.bus.pause();
  }
}

async function clear(probe: Probe, bytes: number): Promise<void> {
  await probe.bus.writeMemory(DATA, new Uint8Array(bytes).fill(0xee));
}

async function memory(probe: Probe, bytes: number): Promise<void> {
  probe.log(`  memory ${dump(await probe.bus.readMemory(DATA, bytes))}`);
}

const READ = 0xc8;
const WRITE = 0xca;

export const DMA_DIALOGUES: readonly Dialogue[] = [
  dialogue("bus master registers", [disk], async (probe) => {
    const { bus } = probe;
    const at = port(probe, 0);
    const show = async (label: string) => {
      let text = "";
      for (let i = 0; i < 16; i++) text += hex(await bus.in8(at + i));
      probe.log(`${label}: ${text}`);
    };
    await show("reset");
    for (const value of [0xff, 0x00, 0x08, 0x01, 0x09, 0x00]) {
      await bus.out8(at, value);
      await show(`command ${hex(value)}`);
    }
    for (const value of [0xff, 0x60, 0x00, 0x06, 0x20, 0x99]) {
      await bus.out8(at + 2, value);
      await show(`status ${hex(value)}`);
    }
    await bus.out32(at + 4, 0xffffffff);
    await show("table");
    await bus.out8(at + 5, 0x12);
    await show("table by byte");
    await bus.out16(at + 6, 0x3456);
    await show("table by word");
    await bus.out8(at + 1, 0xff);
    await bus.out8(at + 3, 0xff);
    await show("reserved");
    probe.log(`wide: ${hex(await bus.in16(at), 4)} ${hex(await bus.in32(at), 8)} ${hex(await bus.in16(at + 2), 4)}`);
    probe.log(`wide table: ${hex(await bus.in16(at + 4), 4)} ${hex(await bus.in32(at + 4), 8)}`);
    await bus.out32(at, 0xffffffff);
    await show("32 bits to the command");
    await bus.out16(at + 2, 0x6060);
    await show("16 bits to the status");
  }),
  dialogue("PCI configuration", [disk], async (probe) => {
    const { bus } = probe;
    const read = async (offset: number) => {
      await bus.out32(0xcf8, 0x80000900 | offset);
      return await bus.in32(0xcfc);
    };
    const dumpAll = async (label: string) => {
      for (let row = 0; row < 256; row += 32) {
        let text = "";
        for (let i = 0; i < 32; i += 4) text += hex(await read(row + i), 8) + " ";
        probe.log(`${label} ${hex(row)}: ${text}`);
      }
    };
    await dumpAll("reset");
    for (let offset = 0; offset < 256; offset += 4) {
      await bus.out32(0xcf8, 0x80000900 | offset);
      await bus.out32(0xcfc, 0xffffffff);
    }
    await dumpAll("ones");
    for (let offset = 0; offset < 256; offset += 4) {
      await bus.out32(0xcf8, 0x80000900 | offset);
      await bus.out32(0xcfc, 0);
    }
    await dumpAll("zeroes");
  }),
  dialogue("DMA reads", [disk], async (probe) => {
    await clear(probe, 8192);
    await transfer(probe, "READ DMA 1", READ, { count: 1, lba: 3 }, [[DATA, 512]], true);
    await memory(probe, 512);
    await transfer(probe, "READ DMA 4 in pieces", READ, { count: 4, lba: 3 }, [
      [DATA, 512],
      [DATA + 1024, 2],
      [DATA + 1026, 1022],
      [DATA + 4096, 512],
    ], true);
    await memory(probe, 8192);
    await transfer(probe, "READ DMA EXT", 0x25, { count: 2, lba: 5, ext: true }, [[DATA, 1024]], true);
    await memory(probe, 1024);
    await transfer(probe, "READ DMA without retry", 0xc9, { count: 2, lba: 7 }, [[DATA, 1024]], true);
    await transfer(probe, "256 sectors", READ, { count: 0, lba: 0 }, [[DATA, 0], [DATA + 65536, 0]], true);
    await transfer(probe, "CHS", READ, { count: 1, lba: 0x000102, device: 0xa1 }, [[DATA, 512]], true);
    await clear(probe, 4096);
    await transfer(probe, "a table that is too short", READ, { count: 4, lba: 3 }, [[DATA, 1024]], true);
    await memory(probe, 4096);
    await probe.softReset();
    await transfer(probe, "a table that ends within a sector", READ, { count: 4, lba: 3 }, [[DATA, 1000]], true);
    await memory(probe, 4096);
    await probe.softReset();
    await clear(probe, 4096);
    await transfer(probe, "a table that is too long", READ, { count: 1, lba: 3 }, [[DATA, 2048]], true);
    await memory(probe, 4096);
    await transfer(probe, "across the end", READ, { count: 2, lba: DISK_BYTES / 512 - 1 }, [[DATA, 1024]], true);
    await transfer(probe, "beyond the end", READ, { count: 1, lba: DISK_BYTES / 512 }, [[DATA, 1024]], true);
    await transfer(probe, "the wrong way", READ, { count: 1, lba: 9 }, [[DATA, 512]], false);
    await memory(probe, 512);
    await probe.softReset();
    await transfer(probe, "no memory there", READ, { count: 1, lba: 3 }, [[0xf0000000, 512]], true);
    await transfer(probe, "no command", 0xe7, {}, [[DATA, 512]], true);
    await transfer(probe, "PIO command", 0x20, { count: 1, lba: 0 }, [[DATA, 512]], true);
    await probe.softReset();
  }),
  dialogue("DMA writes", [disk], async (probe) => {
    await probe.bus.writeMemory(DATA, Uint8Array.from({ length: 4096 }, (_, i) => (i * 3 + (i >> 8)) & 0xff));
    await transfer(probe, "WRITE DMA 1", WRITE, { count: 1, lba: 40 }, [[DATA, 512]], false);
    await transfer(
      probe,
      "WRITE DMA 3 in pieces",
      WRITE,
      { count: 3, lba: 42 },
      [[DATA, 1024], [DATA + 2048, 512]],
      false,
    );
    await transfer(probe, "WRITE DMA EXT", 0x35, { count: 1, lba: 46, ext: true }, [[DATA + 512, 512]], false);
    await transfer(probe, "WRITE DMA without retry", 0xcb, { count: 1, lba: 47 }, [[DATA + 1024, 512]], false);
    await transfer(probe, "WRITE DMA FUA EXT", 0x3d, { count: 1, lba: 48, ext: true }, [[DATA + 1024, 512]], false);
    await transfer(probe, "too short", WRITE, { count: 4, lba: 50 }, [[DATA, 1024]], false);
    await probe.softReset();
    await transfer(probe, "beyond the end", WRITE, { count: 1, lba: DISK_BYTES / 512 }, [[DATA, 1024]], false);
    await transfer(probe, "read back", READ, { count: 16, lba: 40 }, [[DATA, 8192]], true);
    await memory(probe, 8192);
  }),
  dialogue("DMA TRIM", [{ ...disk, drive: "discard=unmap" }], async (probe) => {
    const ranges = async (list: readonly (readonly [number, number])[]) => {
      const bytes = new Uint8Array(1024);
      list.forEach(([lba, count], i) => {
        const view = new DataView(bytes.buffer, i * 8);
        view.setUint32(0, lba, true);
        view.setUint16(4, Math.floor(lba / 2 ** 32), true);
        view.setUint16(6, count, true);
      });
      await probe.bus.writeMemory(DATA, bytes);
    };
    const trim = (label: string, count = 1) =>
      transfer(probe, label, 0x06, { features: 1, count, lba: 0, ext: true }, [[DATA, count * 512]], false);
    await ranges([[8, 4], [20, 8]]);
    await trim("TRIM two ranges");
    await ranges([[0, 0]]);
    await trim("TRIM nothing");
    await ranges([[DISK_BYTES / 512 - 4, 8]]);
    await trim("TRIM across the end");
    await ranges([[2 ** 40, 8]]);
    await trim("TRIM beyond");
    await ranges([[100, 65535]]);
    await trim("TRIM 65535 sectors", 2);
    await transfer(probe, "read back", READ, { count: 32, lba: 0 }, [[DATA, 16384]], true);
    await memory(probe, 16384);
  }),
  dialogue("DMA by the CD", [{ kind: "ide-cd", index: 2, sizeBytes: MiB }], async (probe) => {
    const packet = (label: string, cdb: readonly number[], regions: readonly Region[]) =>
      transfer(probe, label, 0xa0, { features: 1, count: 0, lba: 0xfffe00, device: 0xa0 }, regions, true, cdb);
    await clear(probe, 8192);
    await packet("READ(10) 2", [0x28, 0, 0, 0, 0, 3, 0, 0, 2], [[DATA, 4096]]);
    await memory(probe, 8192);
    await packet("READ(10) in pieces", [0x28, 0, 0, 0, 0, 9, 0, 0, 2], [[DATA, 100], [DATA + 4096, 3996]]);
    await memory(probe, 8192);
    await packet("READ(10) too short", [0x28, 0, 0, 0, 0, 5, 0, 0, 2], [[DATA, 2048]]);
    await probe.softReset();
    await packet("READ(10) too long", [0x28, 0, 0, 0, 0, 5, 0, 0, 1], [[DATA, 8192]]);
    await packet("READ(10) beyond", [0x28, 0, 0, 0, 2, 5, 0, 0, 1], [[DATA, 8192]]);
    await probe.sense();
    await packet("READ CD raw", [0xbe, 0, 0, 0, 0, 3, 0, 0, 2, 0xf8], [[DATA, 4704]]);
    await memory(probe, 8192);
    await clear(probe, 64);
    await packet("INQUIRY", [0x12, 0, 0, 0, 36], [[DATA, 64]]);
    await memory(probe, 64);
    await packet("INQUIRY, 10 bytes of room", [0x12, 0, 0, 0, 36], [[DATA, 10]]);
    await probe.softReset();
    await packet("TEST UNIT READY", [0], [[DATA, 64]]);
    await packet("an unknown code", [0xff], [[DATA, 64]]);
    await probe.softReset();
  }, 1),
];
