/**
 * Dialogues with a hard disk, command by command: what a guest does, in steps whose answers real QEMU has recorded.
 *
 * The disk has 64 MiB; sector n begins with the bytes of `sectorPattern(n)`.
 *
 * @module
 */
import { dump, hex, Probe, type ProbeBus } from "./probe.ts";

/** A disk or CD that a dialogue runs over. */
export interface Medium {
  readonly kind: "ide-hd" | "ide-cd";
  /** 0 to 3: channel * 2 + unit. */
  readonly index: number;
  /** Bytes; absent: an empty CD drive. */
  readonly sizeBytes?: number;
  /** As written after `-device ide-hd,...`. */
  readonly properties?: string;
  /** Further keys of `-drive`. */
  readonly drive?: string;
}

/** A recorded conversation. */
export interface Dialogue {
  readonly name: string;
  readonly media: readonly Medium[];
  run(bus: ProbeBus): Promise<string[]>;
}

const MiB = 1024 * 1024;
export const DISK_BYTES = 64 * MiB;
const SECTORS = DISK_BYTES / 512;

/** The content of sector `lba` (512 bytes) of every medium. */
export function sectorPattern(lba: number): Uint8Array {
  const bytes = new Uint8Array(512);
  for (let i = 0; i < 512; i++) bytes[i] = (lba * 7 + i * 13 + (i >> 5) * 3) & 0xff;
  new DataView(bytes.buffer).setUint32(0, lba);
  return bytes;
}

/** Only the first and last 64 KiB and a few sectors between carry the pattern; the rest is zeroes. */
export function patternedSectors(sizeBytes: number): number[] {
  const total = sizeBytes / 512;
  const wanted = new Set<number>();
  for (let i = 0; i < 128 && i < total; i++) wanted.add(i).add(total - 1 - i);
  return [...wanted].sort((a, b) => a - b);
}

const disk: Medium = { kind: "ide-hd", index: 0, sizeBytes: DISK_BYTES };

function dialogue(name: string, media: readonly Medium[], steps: (probe: Probe) => Promise<void>): Dialogue {
  return {
    name,
    media,
    async run(bus) {
      const probe = new Probe(bus);
      await steps(probe);
      return probe.lines;
    },
  };
}

async function identify(probe: Probe): Promise<void> {
  await probe.issue(0xec, { device: 0xa0 });
  const bytes = await probe.dataIn("IDENTIFY");
  if (bytes === undefined) return;
  for (let at = 0; at < 512; at += 32) probe.log(`${at / 2}: ${dump(bytes.subarray(at, at + 32))}`);
}

function identifies(name: string, properties: string, sizeBytes = DISK_BYTES): Dialogue {
  return dialogue(`identify ${name}`, [{ ...disk, sizeBytes, properties }], identify);
}

/** Issues each of the 256 codes after a soft reset. */
export async function everyCommand(probe: Probe, device: number, features: number): Promise<void> {
  const outcomes: [string, string][] = [];
  for (let code = 0; code < 256; code++) {
    await probe.softReset();
    await probe.out(6, device);
    await probe.in(7);
    const outcome = await probe.outcome(() => probe.plain("", code, { features, count: 1, lba: 0x302, device }));
    outcomes.push([hex(code), outcome]);
  }
  probe.logGroups(outcomes);
}

export const ATA_DIALOGUES: readonly Dialogue[] = [
  identifies("default", ""),
  identifies("200 GiB", "", 200 * 1024 * MiB),
  identifies("odd size", "", 1234567936),
  identifies("write cache off", "write-cache=off"),
  identifies(
    "names",
    "serial=abc,model=MYMODEL,ver=9.9,wwn=0x5000c50015ea71aa,rotation_rate=1,discard_granularity=0",
  ),
  identifies("large blocks", "physical_block_size=4096,min_io_size=4096,opt_io_size=65536,rotation_rate=7200"),
  identifies("geometry", "cyls=100,heads=8,secs=32"),
  identifies(
    "long names",
    "model=01234567890123456789012345678901234567890123,serial=012345678901234567890123,ver=0123456789",
  ),
  dialogue("every command code", [disk], (probe) => everyCommand(probe, 0xe0, 0x11)),
  dialogue("every command code to an absent slave", [disk], (probe) => everyCommand(probe, 0xf0, 0x11)),
  dialogue("reset and selection", [disk], resetAndSelection),
  dialogue("reset and selection, two disks", [disk, { ...disk, index: 1 }], resetAndSelection),
  dialogue("reset and selection, slave only", [{ ...disk, index: 1 }], resetAndSelection),
  dialogue("reset and selection, CD as slave", [disk, { kind: "ide-cd", index: 1, sizeBytes: MiB }], resetAndSelection),
  dialogue("reset and selection, no drive", [], resetAndSelection),
  dialogue("reads", [disk], reads),
  dialogue("writes", [disk], writes),
  dialogue("settings", [disk], settings),
  dialogue("SMART", [disk], smart),
  dialogue("TRIM", [disk], trim),
];

async function resetAndSelection(probe: Probe): Promise<void> {
  const { bus } = probe;
  const step = async (label: string) => {
    await probe.idle();
    await probe.show(label);
  };
  await step("power on");
  await probe.out(6, 0xb0);
  await step("select 1");
  await probe.plain("VERIFY to 1", 0x40, { device: 0xb0 });
  await probe.out(6, 0xa0);
  await step("select 0");
  await probe.plain("VERIFY to 0", 0x40, { device: 0xa0 });
  await probe.plain("EXECUTE DEVICE DIAGNOSTIC to 1", 0x90, { device: 0xf0 });
  await probe.plain("EXECUTE DEVICE DIAGNOSTIC to 0", 0x90, { device: 0xe0 });
  await bus.out8(probe.control, 0x02);
  await probe.plain("nIEN", 0x40, { device: 0xa0 });
  await bus.out8(probe.control, 0x00);
  await step("nIEN off");
  await probe.in(7);
  await bus.out8(probe.control, 0x0c);
  await step("SRST set");
  await probe.out(2, 0x05);
  await probe.out(6, 0xbf);
  await step("registers written");
  await bus.out8(probe.control, 0x08);
  await step("SRST clear");
  await probe.in(7);
  await probe.out(6, 0xb0);
  await step("select 1");
  await probe.plain("DEVICE RESET 1", 0x08, { device: 0xb0 });
  await probe.plain("DEVICE RESET 0", 0x08, { device: 0xa0 });
  for (
    const [register, value] of [[1, 0x11], [1, 0x22], [2, 0x12], [2, 0x34], [3, 1], [3, 2], [5, 3], [5, 4]] as const
  ) {
    await probe.out(register, value);
  }
  await step("written twice");
  await bus.out8(probe.control, 0x80);
  await step("HOB");
  await probe.out(3, 0x77);
  await step("HOB ends at a write");
  await probe.out(7, 0x20);
  await probe.idle();
  probe.log(`wide: ${hex(await bus.in16(probe.base + 6), 4)} ${hex(await bus.in32(probe.base + 4), 8)}`);
  await bus.out16(probe.base + 2, 0x4321);
  await step("16 bits to register 2");
}

async function reads(probe: Probe): Promise<void> {
  await probe.issue(0x20, { count: 1, lba: 0 });
  await probe.dataIn("READ SECTOR(S)");
  await probe.issue(0x20, { count: 3, lba: 126 });
  for (let i = 0; i < 4; i++) await probe.dataIn(`READ SECTOR(S) 3, part ${i}`);
  await probe.issue(0x21, { count: 1, lba: SECTORS - 1 });
  await probe.dataIn("READ SECTOR(S) without retry, last");
  await probe.issue(0x20, { count: 2, lba: SECTORS - 1 });
  for (let i = 0; i < 2; i++) await probe.dataIn(`across the end, part ${i}`);
  await probe.issue(0x20, { count: 1, lba: SECTORS });
  await probe.dataIn("beyond the end");
  await probe.issue(0x20, { count: 1, lba: 0xfffffff });
  await probe.dataIn("far beyond the end");
  await probe.issue(0x24, { count: 1, lba: 5, ext: true });
  await probe.dataIn("READ SECTOR(S) EXT");
  await probe.issue(0x24, { count: 1, lba: 2 ** 40, ext: true });
  await probe.dataIn("READ SECTOR(S) EXT, beyond");
  await probe.issue(0x20, { count: 1, lba: 1, device: 0xa0 });
  await probe.dataIn("CHS 0/0/1");
  await probe.issue(0x20, { count: 2, lba: 0x00003f, device: 0xa0 });
  for (let i = 0; i < 2; i++) await probe.dataIn(`CHS 0/0/63, 2, part ${i}`);
  await probe.issue(0x20, { count: 1, lba: 0x00013f, device: 0xaf });
  await probe.dataIn("CHS 1/15/63");
  await probe.issue(0x20, { count: 1, lba: 0xffff3f, device: 0xaf });
  await probe.dataIn("CHS 65535/15/63");
  await probe.issue(0x20, { count: 1, lba: 0, device: 0xa0 });
  await probe.dataIn("CHS sector 0");
  await probe.plain("SET MULTIPLE MODE 4", 0xc6, { count: 4 });
  await probe.issue(0xc4, { count: 6, lba: 2 });
  await probe.dataIn("READ MULTIPLE 6, part 0", 2048);
  await probe.dataIn("READ MULTIPLE 6, part 1", 1024);
  await probe.issue(0x29, { count: 5, lba: 0, ext: true });
  await probe.dataIn("READ MULTIPLE EXT 5, part 0", 2048);
  await probe.dataIn("READ MULTIPLE EXT 5, part 1", 512);
  await probe.plain("SET MULTIPLE MODE 0", 0xc6, { count: 0 });
  await probe.plain("READ MULTIPLE when it is off", 0xc4, { count: 6, lba: 2 });
  await probe.plain("SET MULTIPLE MODE 3", 0xc6, { count: 3 });
  await probe.plain("SET MULTIPLE MODE 32", 0xc6, { count: 32 });
  await probe.plain("SET MULTIPLE MODE 16", 0xc6, { count: 16 });
  await identify(probe);
  await probe.issue(0x20, { count: 1, lba: 7 });
  await probe.idle();
  await probe.in(7);
  probe.log(`8 bits of the data port: ${hex(await probe.in(0))}`);
  probe.log(`32 bits of the data port: ${hex(await probe.bus.in32(probe.base), 8)}`);
  probe.log(`16 bits of the data port: ${hex(await probe.bus.in16(probe.base), 4)}`);
  await probe.plain("a command while data waits", 0xe7, {});
  await probe.softReset();
  await probe.show("reset in the middle");
  await probe.plain("READ VERIFY", 0x40, { count: 4, lba: 3 });
  await probe.plain("READ VERIFY across the end", 0x40, { count: 4, lba: SECTORS - 1 });
  await probe.plain("READ VERIFY EXT", 0x42, { count: 4, lba: 3, ext: true });
  await probe.plain("SEEK", 0x70, { count: 4, lba: 3 });
  await probe.plain("SEEK beyond", 0x70, { count: 4, lba: SECTORS });
  await probe.plain("READ NATIVE MAX ADDRESS", 0xf8, { count: 4, lba: 3 });
  await probe.plain("READ NATIVE MAX ADDRESS EXT", 0x27, { count: 4, lba: 3, ext: true });
  await probe.bus.out8(probe.control, 0x80);
  await probe.show("its high bytes");
  await probe.plain("READ NATIVE MAX ADDRESS in CHS", 0xf8, { count: 4, lba: 3, device: 0xa0 });
  await probe.plain("RECALIBRATE", 0x10, { count: 4, lba: 0x123456 });
  await probe.plain("RECALIBRATE 1f", 0x1f, { count: 4, lba: 0x123456 });
}

async function writes(probe: Probe): Promise<void> {
  const block = (seed: number, length = 512) => Uint8Array.from({ length }, (_, i) => (seed + i * 5) & 0xff);
  await probe.issue(0x30, { count: 1, lba: 100 });
  await probe.dataOut("WRITE SECTOR(S)", block(1));
  await probe.issue(0x31, { count: 2, lba: 101 });
  for (let i = 0; i < 3; i++) await probe.dataOut(`WRITE SECTOR(S) 2, part ${i}`, block(2 + i));
  await probe.issue(0x34, { count: 1, lba: 103, ext: true });
  await probe.dataOut("WRITE SECTOR(S) EXT", block(9));
  await probe.issue(0x3c, { count: 1, lba: 104 });
  await probe.dataOut("WRITE VERIFY", block(10));
  await probe.issue(0x20, { count: 6, lba: 99 });
  for (let i = 0; i < 6; i++) await probe.dataIn(`read back ${i}`);
  await probe.plain("SET MULTIPLE MODE 2", 0xc6, { count: 2 });
  await probe.issue(0xc5, { count: 3, lba: 120 });
  await probe.dataOut("WRITE MULTIPLE 3, part 0", block(20, 1024));
  await probe.dataOut("WRITE MULTIPLE 3, part 1", block(21, 512));
  await probe.issue(0x39, { count: 2, lba: 123, ext: true });
  await probe.dataOut("WRITE MULTIPLE EXT 2", block(22, 1024));
  await probe.issue(0xce, { count: 2, lba: 123, ext: true });
  await probe.dataOut("WRITE MULTIPLE FUA EXT", block(22, 1024));
  await probe.softReset();
  await probe.issue(0x20, { count: 6, lba: 119 });
  for (let i = 0; i < 6; i++) await probe.dataIn(`read back ${i}`);
  await probe.issue(0x30, { count: 2, lba: SECTORS - 1 });
  for (let i = 0; i < 2; i++) await probe.dataOut(`across the end, part ${i}`, block(30 + i));
  await probe.issue(0x30, { count: 1, lba: SECTORS + 5 });
  await probe.dataOut("beyond the end", block(31));
  await probe.issue(0x30, { count: 1, lba: 50 });
  await probe.idle();
  await probe.bus.outs16(probe.base, block(3, 256));
  await probe.softReset();
  await probe.show("reset in the middle");
  await probe.issue(0x20, { count: 1, lba: 50 });
  await probe.dataIn("not written");
  await probe.issue(0x30, { count: 1, lba: 51 });
  await probe.idle();
  await probe.out(0, 0xab);
  await probe.bus.out32(probe.base, 0x44332211);
  for (let i = 0; i < 253; i++) await probe.bus.out16(probe.base, 0x5500 + i);
  await probe.show("after 514 bytes in three widths");
  await probe.bus.out16(probe.base, 0x6666);
  await probe.idle();
  await probe.show("one more word");
  await probe.issue(0x20, { count: 1, lba: 51 });
  await probe.dataIn("what was written");
  await probe.softReset();
  await probe.plain("FLUSH CACHE", 0xe7, {});
  await probe.plain("FLUSH CACHE EXT", 0xea, {});
}

/** SET FEATURES with each of the 256 subcommands. */
export async function everyFeature(probe: Probe, device: number): Promise<void> {
  const outcomes: [string, string][] = [];
  for (let features = 0; features < 256; features++) {
    const outcome = await probe.outcome(() => probe.plain("", 0xef, { features, count: 0, lba: 0, device }));
    outcomes.push([hex(features), outcome]);
  }
  probe.logGroups(outcomes);
}

async function settings(probe: Probe): Promise<void> {
  await everyFeature(probe, 0xe0);
  const modes: [string, string][] = [];
  for (let mode = 0; mode < 256; mode++) {
    await probe.issue(0xef, { features: 0x03, count: mode, lba: 0 });
    await probe.idle();
    modes.push([hex(mode), `transfer mode: ${hex(await probe.in(7))}`]);
  }
  probe.logGroups(modes);
  await identify(probe);
  await probe.plain("transfer mode PIO 3", 0xef, { features: 0x03, count: 0x0b });
  await identify(probe);
  await probe.plain("transfer mode MDMA 2", 0xef, { features: 0x03, count: 0x22 });
  await identify(probe);
  await probe.plain("transfer mode UDMA 2", 0xef, { features: 0x03, count: 0x42 });
  await identify(probe);
  await probe.plain("INITIALIZE DEVICE PARAMETERS 4/32", 0x91, { count: 32, device: 0xa3 });
  await identify(probe);
  await probe.issue(0x20, { count: 2, lba: 0x000020, device: 0xa3 });
  for (let i = 0; i < 2; i++) await probe.dataIn(`CHS 0/3/32 of 4 heads, part ${i}`);
  await probe.softReset();
  await probe.issue(0x20, { count: 2, lba: 0x000020, device: 0xa3 });
  for (let i = 0; i < 2; i++) await probe.dataIn(`the same after SRST, part ${i}`);
  await probe.plain("SET MULTIPLE MODE 2", 0xc6, { count: 2 });
  await probe.softReset();
  await probe.issue(0xc4, { count: 3, lba: 0 });
  await probe.dataIn("READ MULTIPLE after SRST", 1024);
  await probe.softReset();
  await identify(probe);
  for (const code of [0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]) {
    await probe.plain(`power ${hex(code)}`, code, { count: 0x10 });
  }
  await probe.issue(0x20, { count: 1, lba: 0 });
  await probe.dataIn("READ after SLEEP");
  for (const code of [0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xb1, 0xf9, 0x37]) {
    await probe.plain(`other ${hex(code)}`, code, { count: 1, features: 0 });
  }
}

async function smart(probe: Probe): Promise<void> {
  const key = 0xc24f00;
  const plain = (name: string, features: number, extra: { count?: number; lba?: number } = {}) =>
    probe.plain(`SMART ${name}`, 0xb0, { features, count: 0, lba: key, ...extra });
  const data = async (name: string, features: number, extra: { count?: number; lba?: number } = {}) => {
    await probe.issue(0xb0, { features, count: 1, lba: key, ...extra });
    const bytes = await probe.dataIn(`SMART ${name}`);
    if (bytes === undefined) return;
    for (let at = 0; at < 512; at += 64) {
      const row = bytes.subarray(at, at + 64);
      if (row.some((byte) => byte !== 0)) probe.log(`  ${at}: ${dump(row)}`);
    }
  };
  await plain("without its key", 0xd8, { lba: 0 });
  await data("READ DATA first of all", 0xd0);
  for (let features = 0xd0; features < 0x100; features++) {
    if (![0xd0, 0xd1, 0xd4, 0xd5, 0xd6, 0xd9].includes(features)) await plain(hex(features), features);
  }
  await plain("attribute autosave on", 0xd2, { count: 0xf1 });
  await plain("attribute autosave odd", 0xd2, { count: 0x77 });
  await plain("attribute autosave off", 0xd2, { count: 0x00 });
  await data("READ DATA", 0xd0);
  await plain("attribute autosave on again", 0xd2, { count: 0xf1 });
  await data("READ DATA with autosave", 0xd0);
  await plain("attribute autosave off again", 0xd2, { count: 0x00 });
  await plain("attribute autosave by LBA", 0xd2, { lba: key + 0xf1 });
  await data("READ DATA with autosave by LBA", 0xd0);
  await plain("attribute autosave by LBA, odd", 0xd2, { lba: key + 0x77 });
  await plain("attribute autosave off again", 0xd2, { count: 0x00 });
  await data("READ THRESHOLDS", 0xd1);
  await plain("RETURN STATUS", 0xda);
  for (const log of [0, 1, 2, 3, 6, 7, 9, 0x80]) await data(`READ LOG ${hex(log)}`, 0xd5, { lba: key + log });
  await data("READ LOG 6, 0 sectors", 0xd5, { lba: key + 6, count: 0 });
  await data("WRITE LOG", 0xd6, { lba: key + 0x80 });
  for (const test of [0, 1, 2, 0x7f, 0x81, 0x82, 0x83, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) {
    await plain(`EXECUTE OFF-LINE ${hex(test)}`, 0xd4, { lba: key + test });
  }
  await data("READ DATA after tests", 0xd0);
  await data("READ LOG 6 after tests", 0xd5, { lba: key + 6 });
  await plain("DISABLE", 0xd9);
  await identify(probe);
  await data("READ DATA when disabled", 0xd0);
  await plain("RETURN STATUS when disabled", 0xda);
  await plain("ENABLE", 0xd8);
  await data("READ DATA when enabled", 0xd0);
  await probe.issue(0x2f, { count: 1, lba: 0, ext: true });
  await probe.dataIn("READ LOG EXT");
}

async function trim(probe: Probe): Promise<void> {
  const setUp = "DATA SET MANAGEMENT";
  await probe.plain(`${setUp} without TRIM`, 0x06, { features: 0, count: 1, lba: 0, ext: true });
  await probe.issue(0x06, { features: 1, count: 1, lba: 0, ext: true });
  await probe.idle();
  await probe.show(`${setUp} waits for the bus master`);
}
