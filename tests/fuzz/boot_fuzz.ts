/**
 * The built-in firmware before media that mean harm: boot records and catalogs of CDs, partition tables, floppies and
 * disks of any size, kernels whose headers lie.
 *
 * A kernel is refused, or its pieces lie apart inside of RAM. Nothing that is booted or read afterwards throws, every call
 * ends, no byte behind RAM is touched, and the firmware still serves after a reset.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import type { SeededRandom } from "../../base/random.ts";
import { MiB } from "../../base/units.ts";
import { BlockBackend, BlockGraph } from "../../block/mod.ts";
import { MemoryRegion } from "../../devices/bus/mod.ts";
import { type TestMachine, testMachine } from "../../devices/bus/testing.ts";
import { Vga } from "../../devices/vga/mod.ts";
import { MachineError } from "../../machine/mod.ts";
import { BuiltInBios } from "../../machine/firmware/bios/bios.ts";
import { FRAME_BYTES } from "../../machine/firmware/bios/call.ts";
import { OWN_SERVICE } from "../../machine/firmware/bios/rom.ts";
import { callFirmware, FRAME_AT } from "../../machine/firmware/bios/testing.ts";
import { layOutLinux, type LinuxImage } from "../../machine/firmware/linux.ts";
import { unpackKernel } from "../../machine/firmware/linux_unpack.ts";
import { buildIso } from "../../machine/media/mod.ts";
import { pick } from "../support/pick.ts";
import { type Finding, type Seeds, trySeeds } from "./seeds.ts";

/** How it is run. */
export interface BootFuzz extends Seeds {
  /** Breaks the machine on purpose. */
  readonly plant?: (machine: TestMachine) => void;
}

const RAM_BYTES = 4 * MiB;
const GUARD_BYTES = MiB;
const CALLS = 40;
const FUNCTIONS = [0x00, 0x02, 0x02, 0x03, 0x04, 0x08, 0x15, 0x41, 0x42, 0x43, 0x44, 0x47, 0x48, 0x4a, 0x4b, 0x4d];
const UNITS = [0, 1, 0x80, 0x81, 0xe0, 0xef];
/** Where a CD's descriptors lie, in bytes. */
const BOOT_RECORD_AT = 17 * 2048;
const SIZES = [1, 511, 512, 513, 2048, 40_000, 160 * 1024, 360 * 1024, 720 * 1024, 1440 * 1024, 2 * MiB + 512];
/** A field of a header: where, and how wide. */
type Field = readonly [at: number, bytes: 1 | 2 | 4];
const KERNEL_FIELDS: readonly Field[] = [
  [0x1f1, 1],
  [0x211, 1],
  [0x206, 2],
  [0x236, 2],
  ...[0x202, 0x214, 0x218, 0x22c, 0x248, 0x24c, 0x258, 0x25c, 0x260].map((at): Field => [at, 4]),
];
const NUMBERS = [0, 1, 4, 0x20, 0x0fff, 0x1000, 0x7c0, 0xffff, 0x10_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** Runs with seeds from `seed` on. */
export function fuzzBoots({ plant, ...seeds }: BootFuzz): Promise<Finding[]> {
  return trySeeds(seeds, ({ random, told }) => run(random, told, plant));
}

async function run(
  random: SeededRandom,
  told: string[],
  plant: BootFuzz["plant"],
): Promise<string | undefined> {
  const kernel = random.below(3) === 0 ? await harmfulKernel(random, told) : undefined;
  const overlap = kernel === undefined ? undefined : problemOf(kernel);
  if (overlap !== undefined) return overlap;
  const machine = testMachine({ ramBytes: RAM_BYTES });
  let touched: string | undefined;
  machine.systemMemory.add(
    MemoryRegion.io("guard", GUARD_BYTES, {
      read: (offset) => (touched ??= `read at RAM's end + ${offset}`, 0),
      write: (offset) => void (touched ??= `written at RAM's end + ${offset}`),
    }),
    RAM_BYTES,
    1,
  );
  plant?.(machine);
  await using graph = new BlockGraph({ clocks: machine.clocks, random: machine.random, trace: machine.trace });
  const plug = async (name: string, content: Uint8Array) => {
    const backend = new BlockBackend({ graph, name });
    const node = await graph.open({ driver: "memory", size: content.length });
    await backend.insertMedium(node);
    await graph.release(node);
    await backend.node!.write(0, IoVector.of(content));
    return backend;
  };
  await using cd = await plug("cd", harmfulCd(random, told));
  await using floppy = await plug("floppy", harmfulDisk(random, told, "floppy"));
  await using disk = await plug("disk", harmfulDisk(random, told, "disk"));
  await new Vga(machine, {}, {}).realize(machine.pci);
  const order = pick(random, ["d", "a", "c", "dac", "cad", "", "zn", "dddd"]);
  const bios = new BuiltInBios(machine, {
    lowRamBytes: RAM_BYTES,
    highRamBytes: 0,
    bootOrder: () => order,
    bootMenu: false,
    strictBoot: random.below(2) === 0,
    disks: () => [{ kind: "floppy", backend: floppy }, { kind: "disk", backend: disk }, { kind: "cd", backend: cd }],
    toSerial: false,
    kernel,
    optionRoms: [],
    files: () => undefined,
  });
  await bios.realize(machine.isa);
  await callFirmware(machine, frameFor(OWN_SERVICE.powerOn));
  await callFirmware(machine, frameFor(0x19));
  for (let i = 0; i < CALLS; i++) {
    const frame = new Uint8Array(FRAME_BYTES);
    random.fill(frame);
    new DataView(frame.buffer).setUint16(FRAME_AT.number, 0x13, true);
    frame[FRAME_AT.ax + 1] = pick(random, FUNCTIONS);
    frame[FRAME_AT.dx] = pick(random, UNITS);
    if (random.below(4) === 0) frame[FRAME_AT.ax] = random.below(4);
    if (random.below(2) === 0) frame[FRAME_AT.cx] = 1 + random.below(40);
    await callFirmware(machine, frame);
    // What boots next may be emulated by what is read then.
    if (random.below(20) === 0) await callFirmware(machine, frameFor(pick(random, [0x18, 0x19])));
  }
  await bios.reset();
  await callFirmware(machine, frameFor(OWN_SERVICE.powerOn));
  const size = await callFirmware(machine, frameFor(0x12));
  const kib = size === "sleeps" ? undefined : new DataView(size.buffer).getUint16(FRAME_AT.ax, true);
  return touched ?? (kib === 639 ? undefined : `int 12h gives ${kib} after a reset`);
}

function frameFor(interrupt: number): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES);
  new DataView(frame.buffer).setUint16(FRAME_AT.number, interrupt, true);
  return frame;
}

/** A CD that boots, but for some bytes of what leads there, and perhaps its end. */
function harmfulCd(random: SeededRandom, told: string[]): Uint8Array {
  const sector = new Uint8Array(4096);
  random.fill(sector);
  const disc = buildIso({ "boot/sector": sector, "a.txt": "text\n" }, { label: "CD", boot: "boot/sector" }).slice();
  const view = new DataView(disc.buffer);
  const catalogAt = view.getUint32(BOOT_RECORD_AT + 71, true) * 2048;
  for (let n = random.below(5); n > 0; n--) {
    const fields: readonly Field[] = [
      ...[32, 33, 33, 33, random.below(64)].map((at): Field => [catalogAt + at, 1]),
      ...[34, 38].map((at): Field => [catalogAt + at, 2]),
      ...[catalogAt + 40, BOOT_RECORD_AT + 71].map((at): Field => [at, 4]),
      [BOOT_RECORD_AT + random.below(80), 1],
    ];
    const [at, bytes] = pick(random, fields);
    const value = at === catalogAt + 33 ? random.below(6) : number(random);
    put(view, at, bytes, value);
    told.push(`CD ${at}: ${value}`);
  }
  if (random.below(4) > 0) return disc;
  const length = 1 + random.below(disc.length);
  told.push(`a CD of ${length} bytes`);
  return disc.subarray(0, length);
}

/** A disk of any size with a boot sector and a partition table. */
function harmfulDisk(random: SeededRandom, told: string[], name: string): Uint8Array {
  const bytes = new Uint8Array(pick(random, SIZES));
  told.push(`${name} of ${bytes.length} bytes`);
  random.fill(bytes.subarray(0, 512));
  if (bytes.length >= 512) bytes.set([0x55, 0xaa], 510);
  return bytes;
}

/** A small kernel, laid out if it is not refused. */
async function harmfulKernel(random: SeededRandom, told: string[]): Promise<LinuxImage | undefined> {
  const image = new Uint8Array(5 * 512 + random.below(20_000));
  const view = new DataView(image.buffer);
  const sound: readonly (readonly [...Field, value: number])[] = [
    [0x1f1, 1, 4],
    [0x202, 4, 0x5372_6448],
    [0x206, 2, 0x20c],
    [0x211, 1, 1],
    [0x22c, 4, 0x7fff_ffff],
    [0x258, 4, 0x10_0000],
    [0x260, 4, 0x10_0000],
  ];
  for (const [at, bytes, value] of sound) put(view, at, bytes, value);
  for (let n = random.below(4); n > 0; n--) {
    const [at, bytes] = pick(random, KERNEL_FIELDS);
    const value = number(random);
    put(view, at, bytes, value);
    told.push(`kernel ${at.toString(16)}h: ${value.toString(16)}h`);
  }
  const kernel = random.below(5) === 0 ? image.slice(0, random.below(image.length)) : image;
  const initrd = random.below(2) === 0
    ? {}
    : { initrd: new Uint8Array(pick(random, [0, 1, 70_000, 3 * MiB, 5 * MiB])) };
  try {
    const unpacked = await unpackKernel(kernel);
    const files = { kernelName: "k", kernel, commandLine: "a ".repeat(random.below(400)), ...initrd, unpacked };
    return layOutLinux(files, RAM_BYTES, { longMode: false });
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    told.push(error.message);
    return undefined;
  }
}

/** Pieces that lie outside of RAM, or one over the other. */
function problemOf(kernel: LinuxImage): string | undefined {
  const pieces = (["setup", "kernel", "commandLine", "initrd"] as const)
    .map((name) => ({ name, at: kernel[`${name}Address`], end: kernel[`${name}Address`] + kernel[name].length }))
    .filter(({ at, end }) => end > at)
    .sort((a, b) => a.at - b.at);
  for (const [index, { name, at, end }] of pieces.entries()) {
    if (!Number.isInteger(at) || at < 0 || end > RAM_BYTES) return `${name} lies at ${at} to ${end}`;
    const next = pieces[index + 1];
    if (next !== undefined && next.at < end) return `${name} and ${next.name} overlap`;
  }
  return undefined;
}

function number(random: SeededRandom): number {
  return random.below(3) === 0 ? random.uint32() : pick(random, NUMBERS);
}

function put(view: DataView, at: number, bytes: 1 | 2 | 4, value: number): void {
  if (bytes === 1) view.setUint8(at, value & 0xff);
  else if (bytes === 2) view.setUint16(at, value & 0xffff, true);
  else view.setUint32(at, value >>> 0, true);
}
