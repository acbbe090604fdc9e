/**
 * A machine's state out of an image that means harm: bytes that are damaged or cut, and states that are whole by their
 * sums while numbers, lists and names in them are anything.
 *
 * It is refused with a `MachineError` and nothing has changed, or it is taken up. Then nothing that a guest does with
 * what was loaded throws or goes on for ever, the machine can be saved and loaded once more, and after a reset it is
 * sound.
 *
 * @module
 */
import { concatBytes } from "../../base/bytes.ts";
import type { SeededRandom } from "../../base/random.ts";
import { IoVector } from "../../base/io_vector.ts";
import { nextTurn } from "../../base/turn.ts";
import { MiB } from "../../base/units.ts";
import type { DeviceTypes, SavedDevice } from "../../devices/bus/mod.ts";
import { guestBus, type Machine, MachineError } from "../../machine/mod.ts";
import { FloppyGuest, IdeGuest, VirtioBlkGuest } from "../../machine/guest/mod.ts";
import { Header, Kind, PAGE_BYTES, putSectionHead, SectionHeader } from "../../machine/snapshot/format.ts";
import { checkMachineState, takeUpState } from "../../machine/snapshot/reader.ts";
import { decodeState, encodeState } from "../../machine/snapshot/state_text.ts";
import { writeMachineState } from "../../machine/snapshot/writer.ts";
import { type TestPc, testPc } from "../../machine/testing.ts";
import { type Finding, type Seeds, trySeeds } from "./seeds.ts";
import { patienceOf } from "./turns.ts";
import { damageValue } from "./value_mutations.ts";

/** How it is run. */
export interface StateFuzz extends Seeds {
  /** Device types to try instead: those that are broken on purpose. */
  readonly types?: DeviceTypes;
}

const RAM_BYTES = 2 * MiB;
const DISK_BYTES = MiB;
const AREA = { address: 0x10_0000, sizeBytes: 0x8_0000 };
const ACCESSES = 300;

/** Runs with seeds from `seed` on. */
export function fuzzStates({ types, ...seeds }: StateFuzz): Promise<Finding[]> {
  return trySeeds(seeds, ({ random, told }) => run(random, types, told));
}

/** A pc with one of everything that has a state. */
async function fullPc(types: DeviceTypes | undefined): Promise<TestPc> {
  const pc = await testPc({ ramBytes: RAM_BYTES, ...(types === undefined ? {} : { types }) });
  const { machine } = pc;
  const { graph } = machine;
  for (
    const [driver, name, bus] of [
      ["ide-hd", "disk0", "ide.0"],
      ["ide-cd", "disk1", "ide.1"],
      ["floppy", "disk2"],
      ["virtio-blk-pci", "disk3"],
      ["VGA"],
      ["pci-serial"],
    ] as const
  ) {
    const node = name === undefined
      ? undefined
      : await graph.open({ driver: "memory", "node-name": name, size: driver === "floppy" ? 1440 * 1024 : DISK_BYTES });
    const properties: [string, string][] = driver === "VGA"
      ? [["vgamem_mb", "1"]]
      : name === undefined
      ? []
      : [["drive", name]];
    await machine.addDevice({ driver, id: driver, bus, properties });
    if (node !== undefined) await graph.release(node);
  }
  return pc;
}

async function run(random: SeededRandom, types: DeviceTypes | undefined, told: string[]): Promise<string | undefined> {
  await using pc = await fullPc(types);
  const { machine } = pc;
  await machine.cont();
  if (random.below(2) === 0) await drive(machine);
  else use(pc, random);
  await machine.stop();
  const sound = await saved(machine);
  const harmful = random.below(5) === 0 ? damageBytes(random, sound, told) : rebuild(random, sound, told);
  const before = await saved(machine);
  try {
    const checked = await checkMachineState(machine, sourceOf(harmful), "a");
    await takeUpState(machine, sourceOf(harmful), checked);
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    told.push(error.message);
    return equal(await saved(machine), before) ? undefined : `refused, and yet changed: ${error.message}`;
  }
  told.push("loaded");
  await machine.cont();
  use(pc, random);
  await nextTurn();
  await machine.stop();
  // What came of it is a state like any other.
  const after = await saved(machine);
  const checked = await checkMachineState(machine, sourceOf(after), "b");
  await takeUpState(machine, sourceOf(after), checked);
  await machine.reset();
  await machine.cont();
  return await soundAfterReset(machine);
}

/** Drivers find their disks, so that rings are set up and commands have been given. */
async function drive(machine: Machine): Promise<void> {
  const bus = guestBus(machine);
  const ide = await IdeGuest.detect(bus, { area: AREA });
  await ide.disk(0, 0).read(0, 1);
  await ide.cd(1, 0).read(0, 1);
  const [disk] = await VirtioBlkGuest.detect(bus, { area: AREA, depth: 1 });
  await disk!.read(0, 1);
  const floppy = new FloppyGuest(bus);
  await floppy.reset();
  await floppy.senseInterrupt();
}

/** What a guest and a user may do: accesses to all that is claimed, and time goes on. */
function use({ machine, qtest }: TestPc, random: SeededRandom): void {
  const ports = machine.ports.ranges.filter(({ region }) => region.name !== "io");
  for (let step = 0; step < ACCESSES; step++) {
    const width = ([1, 2, 4] as const)[random.below(3)]!;
    const range = ports[random.below(ports.length)]!;
    const port = range.start + random.below(Math.min(64, range.end - range.start));
    if (random.below(2) === 0) qtest.out(port, random.uint32() % 2 ** (8 * width), width);
    else qtest.in(port, width);
    const memory = [0xfec0_0000, 0xfed0_0000, 0xa_0000][random.below(3)]!;
    if (random.below(10) === 0) {
      qtest.writeValue(memory + random.below(0x400), random.uint32() % 2 ** (8 * width), width);
    }
    if (random.below(10) === 0) qtest.readValue(memory + random.below(0x400), width);
    if (random.below(20) === 0) qtest.clockStep(random.below(10_000_000));
  }
}

async function saved(machine: Machine): Promise<Uint8Array> {
  let bytes = new Uint8Array(0);
  const length = await writeMachineState(machine, {
    write: async (at, from) => {
      const end = at + from.length;
      if (end > bytes.length) {
        const larger = new Uint8Array(2 * end);
        larger.set(bytes);
        bytes = larger;
      }
      from.copyTo(bytes, at);
    },
  });
  return bytes.subarray(0, length);
}

function sourceOf(bytes: Uint8Array) {
  return {
    sizeBytes: bytes.length,
    read: async (at: number, into: IoVector) => into.copyFrom(bytes.subarray(at, at + into.length)),
  };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Bits flipped, or the end gone. */
function damageBytes(random: SeededRandom, sound: Uint8Array, told: string[]): Uint8Array {
  const bytes = sound.slice();
  for (let i = 1 + random.below(3); i > 0; i--) {
    const at = random.below(random.below(2) === 0 ? Math.min(bytes.length, 512) : bytes.length);
    bytes[at]! ^= 1 << random.below(8);
    told.push(`bit at ${at}`);
  }
  if (random.below(3) > 0) return bytes;
  const length = random.below(bytes.length);
  told.push(`${length} of ${bytes.length} bytes`);
  return bytes.subarray(0, length);
}

/** All sections anew with right sums, some of them with other content, twice, or left out. */
function rebuild(random: SeededRandom, sound: Uint8Array, told: string[]): Uint8Array {
  const parts: Uint8Array[] = [sound.subarray(0, Header.sizeBytes)];
  const sections: { kind: number; address: number; payload: Uint8Array }[] = [];
  for (let at = Header.sizeBytes; at < sound.length;) {
    const { kind, lengthBytes, address } = SectionHeader.decode(sound.subarray(at));
    at += SectionHeader.sizeBytes;
    sections.push({ kind, address, payload: sound.slice(at, at + lengthBytes) });
    at += lengthBytes;
  }
  const devices = sections.filter(({ kind }) => kind === Kind.device);
  // One thing at a time gets past what checks there are more often than many.
  for (let i = random.below(4) === 0 ? 2 : 1; i > 0; i--) {
    const others = sections.filter(({ kind }) => kind !== Kind.device);
    const section = random.below(12) === 0
      ? others[random.below(others.length)]!
      : devices[random.below(devices.length)]!;
    if (section.kind === Kind.device || section.kind === Kind.machine) {
      const value = decodeState(section.payload) as { path?: string; saved?: SavedDevice };
      const what = value.path?.replace(/^.*\//, "") ?? "machine";
      const inside = value.saved !== undefined && random.below(20) > 0 ? value.saved : value;
      for (let n = random.below(4) === 0 ? 2 : 1; n > 0; n--) told.push(`${what}: ${damageValue(random, inside)}`);
      section.payload = encodeState(value);
    } else {
      told.push(`section ${section.kind}`);
      const what = random.below(4);
      if (what === 0) section.address += [PAGE_BYTES, MiB, -MiB, 2 ** 40][random.below(4)]!;
      else if (what === 1) section.payload = section.payload.subarray(0, random.below(section.payload.length + 1));
      else if (what === 2) sections.splice(random.below(sections.length), 0, section);
      else section.kind = random.below(8);
    }
  }
  for (const { kind, address, payload } of sections) {
    const head = new Uint8Array(SectionHeader.sizeBytes);
    putSectionHead(head, kind, Math.max(0, address), payload);
    parts.push(head, payload);
  }
  return concatBytes(parts);
}

/** What drivers that keep the rules find. */
async function soundAfterReset(machine: Machine): Promise<string | undefined> {
  const bus = guestBus(machine);
  const signal = patienceOf(bus);
  const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i * 5 & 0xff);
  const ide = await IdeGuest.detect(bus, { area: AREA, signal });
  await ide.disk(0, 0).writeDma(9, bytes, { signal });
  if (!equal(await ide.disk(0, 0).read(9, 2, { signal }), bytes)) return "an IDE disk reads what was not written";
  // The mad guest may have ejected it.
  if (machine.findDevice("virtio-blk-pci") !== undefined) {
    const [disk] = await VirtioBlkGuest.detect(bus, { area: AREA, depth: 1 });
    if (disk === undefined) return "no virtio disk is found after the reset";
    await disk.write(64, bytes, { signal });
    if (!equal(await disk.read(64, 2, { signal }), bytes)) return "a virtio disk reads what was not written";
  }
  return problemOfChips(machine);
}

/** What does not answer after a reset as it must. */
function problemOfChips({ ports }: Machine): string | undefined {
  // The keyboard controller's self test.
  ports.writeValue(0x64, 1, 0xaa);
  const answer = ports.readValue(0x60, 1);
  return answer === 0x55 ? undefined : `the keyboard controller's self test says ${answer.toString(16)}h`;
}
