/**
 * Devices that come and go at random: every type that users make, with properties that fit, that do not, and that nobody
 * meant, plugged in before the machine is finished and while it runs, under a guest that writes anywhere.
 *
 * What cannot be is refused by an error that is meant for it and leaves nothing behind; all devices that are there can be
 * saved and reset, and the machine can be taken down.
 *
 * @module
 */
import type { SeededRandom } from "../../base/random.ts";
import type { DeviceTypes } from "../../devices/bus/mod.ts";
import { type TestPc, testPc } from "../../machine/testing.ts";
import { pick } from "../support/pick.ts";
import { type Finding, type Seeds, trySeeds } from "./seeds.ts";

/** How it is run. */
export interface DeviceFuzz extends Seeds {
  /** Device types to try instead: those that are broken on purpose. */
  readonly types?: DeviceTypes;
}

const STEPS = 8;
const ACCESSES = 60;
const SIZES = [1 << 20, 1440 * 1024, 512, 0, 1_000_448];
const BUSES = ["ide.0", "ide.1", "pci.0", "isa.0", "floppy-bus.0", "nowhere"];
const VALUES = [
  ...["0", "1", "-1", "2", "4", "16", "255", "256", "65535", "4294967295", "18446744073709551615", "0x3f8", "1M"],
  ...["on", "off", "auto", "x", "", "02.0", "1f.7", "d0", "none", "lba", "report", "stop", "144", "512", "4096"],
  "abcdefghijklmnopqrstuvwxyz0123456789",
];
const VIDEO_MEMORY = "vgamem_mb";
/** What JavaScript throws by itself: nobody meant it to be read. */
const BUGS = ["Error", "TypeError", "RangeError", "ReferenceError", "SyntaxError", "AssertionFailure"];

/** Runs with seeds from `seed` on. */
export function fuzzDevices({ types, ...seeds }: DeviceFuzz): Promise<Finding[]> {
  return trySeeds(seeds, ({ random, told }) => run(random, types, told));
}

async function run(random: SeededRandom, types: DeviceTypes | undefined, told: string[]): Promise<void> {
  await using pc = await testPc({ ramBytes: 1 << 20, ...(types === undefined ? {} : { types }) });
  const { machine } = pc;
  for (const name of ["d0", "d1", "d2"]) {
    await machine.graph.open({ driver: "memory", "node-name": name, size: pick(random, SIZES) });
  }
  const isRunning = random.below(2) === 0;
  if (isRunning) {
    machine.complete();
    await machine.cont();
  }
  for (let step = 0; step < STEPS; step++) {
    // One that was asked to go may go meanwhile.
    const before = machine.devices.length;
    const was = await attempt(() => add(pc, random, isRunning, told));
    if (was === "refused" && machine.devices.length > before) {
      throw new Error("refused, and yet there is one more device");
    }
    if (random.below(4) === 0) {
      const { path } = pick(random, machine.devices);
      told.push(`unplug ${path}`);
      await attempt(() => machine.unplugDevice(path));
    }
    if (random.below(3) === 0) access(pc, random);
  }
  told.push("save");
  for (const device of machine.devices) {
    const problem = device.refusal(device.save());
    if (problem !== undefined) throw new Error(`its own state is refused: ${problem}`);
  }
  told.push("reset");
  await machine.reset();
}

/** Lets errors pass that are meant to be read. */
async function attempt(work: () => Promise<unknown>): Promise<"done" | "refused"> {
  try {
    await work();
    return "done";
  } catch (error) {
    if (BUGS.includes((error as Error).name)) throw error;
    return "refused";
  }
}

function add({ machine }: TestPc, random: SeededRandom, isRunning: boolean, told: string[]): Promise<unknown> {
  const { name: driver, properties: known } = pick(random, machine.types.list().filter((type) => type.userCreatable));
  // Hundreds of MiB of video memory take their time.
  const names = Object.keys(known).filter((name) => name !== VIDEO_MEMORY);
  const properties = Array.from({ length: random.below(3) }, (): [string, string] => [
    random.below(15) === 0 || names.length === 0 ? "x" : pick(random, names),
    pick(random, VALUES),
  ]);
  if (names.includes("drive") && random.below(4) > 0) properties.push(["drive", pick(random, ["d0", "d1", "d2"])]);
  if (VIDEO_MEMORY in known) properties.push([VIDEO_MEMORY, pick(random, ["1", "x"])]);
  told.push(`${driver}: ${properties.map((pair) => pair.join("=")).join(",")}`);
  const bus = random.below(6) === 0 ? pick(random, BUSES) : undefined;
  const id = random.below(2) === 0 ? `i${random.below(4)}` : undefined;
  return machine.addDevice({ driver, id, bus, properties, hotplug: isRunning && random.below(2) === 0 });
}

/** A guest that writes anywhere. */
function access({ machine, qtest }: TestPc, random: SeededRandom): void {
  const ports = machine.ports.ranges.filter(({ region }) => region.name !== "io");
  for (let n = 0; n < ACCESSES; n++) {
    const { start, end } = pick(random, ports);
    const width = pick(random, [1, 2, 4] as const);
    const port = start + random.below(Math.min(64, end - start));
    if (random.below(2) === 0) qtest.out(port, random.uint32() % 2 ** (8 * width), width);
    else qtest.in(port, width);
  }
}
