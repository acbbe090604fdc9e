/**
 * A virtio disk under a driver that is mad or means harm: random properties, random register writes, rings full of loops,
 * self-references, lengths and addresses that cannot be.
 *
 * Nothing throws, nothing goes on for ever, no byte outside of RAM is touched (registers stand guard behind it), and after
 * a reset a sound driver reads what it wrote.
 *
 * @module
 */
import type { SeededRandom } from "../../base/random.ts";
import { nextTurn } from "../../base/turn.ts";
import { type DeviceTypes, MemoryRegion } from "../../devices/bus/mod.ts";
import { guestBus, type Machine } from "../../machine/mod.ts";
import { assignPci, type GuestBar, type GuestBus, scanPci, VirtioBlkGuest } from "../../machine/guest/mod.ts";
import { testPc } from "../../machine/testing.ts";
import { pick } from "../support/pick.ts";
import { type Finding, type Seeds, trySeeds } from "./seeds.ts";
import { patienceOf } from "./turns.ts";

/** How it is run. */
export interface VirtioFuzz extends Seeds {
  /** Device types to try instead: those that are broken on purpose. */
  readonly types?: DeviceTypes;
}

const RAM_BYTES = 16 << 20;
const GUARD_BYTES = 1 << 20;
/** Where the mad driver has its rings and buffers: little room, so that they overlap. */
const RINGS = 0x20_0000;
const RINGS_BYTES = 0x8000;
const AREA = { address: 0x40_0000, sizeBytes: 0x10_0000 };
const STEPS = 160;
const BLK_BITS = 15;

const CHOICES: readonly (readonly string[])[] = [
  ["", "disable-modern=on", "disable-legacy=on"],
  ["", "packed=on"],
  ["", "num-queues=4"],
  ["queue-size=4", "queue-size=8", "queue-size=64"],
  ["", "event_idx=off"],
  ["", "indirect_desc=off", "config-wce=off"],
  ["", "request-merging=off"],
  ["", "modern-pio-notify=on", "page-per-vq=on"],
  ["", "vectors=0"],
  ["", "logical_block_size=4096,physical_block_size=4096"],
];

/** Runs with seeds from `seed` on. */
export function fuzzVirtio({ types, ...seeds }: VirtioFuzz): Promise<Finding[]> {
  return trySeeds(seeds, ({ random, told }) => {
    const properties = CHOICES.map((row) => pick(random, row)).filter((text) => text !== "").join(",");
    told.push(properties);
    return run(random, properties, types);
  });
}

async function run(
  random: SeededRandom,
  properties: string,
  types: DeviceTypes | undefined,
): Promise<string | undefined> {
  await using pc = await testPc({ ramBytes: RAM_BYTES, ...(types === undefined ? {} : { types }) });
  const { machine } = pc;
  const node = await machine.graph.open({ driver: "memory", "node-name": "disk", size: 1 << 20 });
  const texts = `drive=disk,id=v,${properties}`.split(",").filter((text) => text !== "" && !text.startsWith("id="));
  await machine.addDevice({
    driver: "virtio-blk-pci",
    id: "v",
    properties: texts.map((text) => text.split("=") as [string, string]),
  });
  await machine.graph.release(node);
  let touched: string | undefined;
  machine.memory.root.add(
    MemoryRegion.io("guard", GUARD_BYTES, {
      read: (offset) => (touched ??= `read at RAM's end + ${offset}`, 0),
      write: (offset) => void (touched ??= `written at RAM's end + ${offset}`),
    }),
    RAM_BYTES,
    1,
  );
  const bus = guestBus(machine);
  await new MadDriver(machine, bus, random).play();
  await machine.findDevice("v")!.stop();
  await machine.reset();
  return touched ?? await soundAfterReset(bus);
}

/** What a driver that keeps the rules finds. */
async function soundAfterReset(bus: GuestBus): Promise<string | undefined> {
  const [disk] = await VirtioBlkGuest.detect(bus, { area: AREA, depth: 1 });
  if (disk === undefined) return "no disk is found after the reset";
  const signal = patienceOf(bus);
  const bytes = Uint8Array.from({ length: 4096 }, (_, i) => i * 5 & 0xff);
  await disk.write(64, bytes, { signal });
  const back = await disk.read(64, 8, { signal });
  return back.every((byte, i) => byte === bytes[i]) ? undefined : "what was written after the reset is not read";
}

class MadDriver {
  readonly #machine: Machine;
  readonly #bus: GuestBus;
  readonly #random: SeededRandom;
  #bars: readonly GuestBar[] = [];

  constructor(machine: Machine, bus: GuestBus, random: SeededRandom) {
    this.#machine = machine;
    this.#bus = bus;
    this.#random = random;
  }

  async play(): Promise<void> {
    const random = this.#random;
    const functions = (await scanPci(this.#bus)).filter(({ vendor }) => vendor === 0x1af4);
    await assignPci(functions);
    const [fn] = functions;
    this.#bars = await fn!.bars();
    for (let step = 0; step < STEPS; step++) {
      switch (random.below(18)) {
        case 0:
          await this.#negotiate();
          break;
        case 1:
        case 2:
          await this.#setQueue();
          break;
        case 3:
        case 4:
        case 5:
          this.#scribble();
          break;
        case 6:
        case 7:
        case 8:
          await this.#kick();
          break;
        case 9:
          await this.#anyRegister();
          break;
        case 10:
          // Configuration space, but for what places the BARs: the sound driver finds them anew after a reset.
          await fn!.write(pick(random, [0x04, 0x40 + 4 * random.below(48)]), random.uint32());
          break;
        case 14:
        case 15:
        case 16:
        case 17:
          await this.#almostSound();
          break;
        case 11:
          await nextTurn();
          break;
        case 12:
          await this.#restore();
          break;
        default:
          await fn!.enable();
      }
    }
  }

  get #legacy(): number | undefined {
    return this.#bars.find(({ index, kind }) => index === 0 && kind === "io")?.address;
  }

  get #modern(): number | undefined {
    return this.#bars.find(({ index }) => index === 4)?.address;
  }

  /** As far as a driver gets: features, status. */
  async #negotiate(): Promise<void> {
    const random = this.#random;
    const base = this.#modern;
    if (base === undefined || (this.#legacy !== undefined && random.below(2) === 0)) {
      const ports = this.#legacy!;
      for (const status of [0, 1, 3]) await this.#bus.out8(ports + 18, status);
      await this.#bus.out32(
        ports + 4,
        random.below(4) === 0 ? random.uint32() : 0x3000_0000 | 1 << random.below(BLK_BITS),
      );
      await this.#bus.out8(ports + 18, 7);
      return;
    }
    for (const status of [0, 1, 3]) this.#write(base + 20, 1, status);
    for (const [half, set] of [[0, random.uint32()], [1, random.below(4) === 0 ? random.uint32() : 5]] as const) {
      this.#write(base + 8, 4, half);
      this.#write(base + 12, 4, set);
    }
    for (const status of [11, 15]) this.#write(base + 20, 1, status);
  }

  async #setQueue(): Promise<void> {
    const random = this.#random;
    const queue = random.below(5);
    const base = this.#modern;
    if (base === undefined || random.below(3) === 0) {
      if (this.#legacy === undefined) return;
      await this.#bus.out16(this.#legacy + 14, queue);
      await this.#bus.out32(this.#legacy + 8, random.below(6) === 0 ? random.uint32() : RINGS >> 12);
      return;
    }
    this.#write(base + 22, 2, queue);
    if (random.below(3) === 0) this.#write(base + 24, 2, random.below(3) === 0 ? random.uint32() : random.below(9));
    for (let area = 0; area < 3; area++) {
      const at = random.below(10) === 0 ? this.#address() : RINGS + (random.below(4) === 0 ? 0 : area * 0x800);
      this.#write(base + 32 + 8 * area, 4, at >>> 0);
      this.#write(base + 36 + 8 * area, 4, Math.floor(at / 2 ** 32));
    }
    this.#write(base + 28, 2, 1);
  }

  /** Fills rings with descriptors of all kinds, indices, and headers of requests. */
  #scribble(): void {
    const random = this.#random;
    for (let i = 0; i < 24; i++) {
      const at = RINGS + random.below(64) * 16;
      const address = this.#address();
      this.#write(at, 4, address >>> 0);
      this.#write(at + 4, 4, Math.floor(address / 2 ** 32));
      this.#write(
        at + 8,
        4,
        pick(random, [0, 1, 16, 16, 17, 32, 512, 513, 4096, 0x8000, 0xffff_ffff, random.uint32()]),
      );
      this.#write(at + 12, 2, pick(random, [0, 1, 1, 2, 2, 3, 4, 5, 7, 0x80, 0x8000, 0x8083, random.below(65536)]));
      this.#write(at + 14, 2, pick(random, [0, 1, 2, 3, 0x80, 0x81, 0x83, 0x8080, 0x8000, random.below(65536)]));
    }
    for (let i = 0; i < 8; i++) {
      const at = RINGS + 0x4000 + random.below(32) * 16;
      this.#write(at, 4, pick(random, [0, 0, 1, 1, 4, 8, 11, 13, 2, 0x8000_0000, random.uint32()]));
      this.#write(at + 8, 4, pick(random, [0, 8, 2040, 2048, random.uint32()]));
      this.#write(at + 12, 4, pick(random, [0, 0, 0, 1, random.uint32()]));
    }
    // The available ring of either layout: an index a little, or far, ahead.
    for (const ring of [RINGS + 0x40, RINGS + 0x80, RINGS + 0x400, RINGS + 0x800]) {
      if (random.below(3) === 0) continue;
      for (let i = 0; i < 8; i++) {
        this.#write(ring + 4 + 2 * i, 2, random.below(5) === 0 ? random.below(65536) : random.below(8));
      }
      this.#write(ring, 2, random.below(2));
      this.#write(ring + 2, 2, pick(random, [1, 2, 3, 7, random.below(65536)]));
    }
  }

  /** What a sound driver does, with up to two things wrong. */
  async #almostSound(): Promise<void> {
    const random = this.#random;
    const base = this.#modern;
    const size = 4;
    let packed = false;
    let available = RINGS + 16 * size;
    this.#clear();
    if (base === undefined) {
      const ports = this.#legacy!;
      for (const status of [0, 1, 3]) await this.#bus.out8(ports + 18, status);
      await this.#bus.out16(ports + 14, 0);
      available = RINGS + 16 * await this.#bus.in16(ports + 12);
      await this.#bus.out32(ports + 8, RINGS >> 12);
      await this.#bus.out8(ports + 18, 7);
    } else {
      packed = random.below(2) === 0;
      for (const status of [0, 1, 3]) this.#write(base + 20, 1, status);
      for (const [half, set] of [[0, random.below(2) << 29 | 0x7eff], [1, packed ? 5 : 1]] as const) {
        this.#write(base + 8, 4, half);
        this.#write(base + 12, 4, set);
      }
      this.#write(base + 20, 1, 11);
      this.#write(base + 22, 2, 0);
      this.#write(base + 24, 2, size);
      for (const [i, at] of [RINGS, available, RINGS + 0x1000].entries()) this.#write(base + 32 + 8 * i, 4, at);
      this.#write(base + 28, 2, 1);
      this.#write(base + 20, 1, 15);
    }
    const header = RINGS + 0x4000;
    this.#write(header, 4, pick(random, [0, 0, 1, 4, 8, 11, 13, 9]));
    this.#write(header + 8, 4, random.below(2100));
    const range = [random.below(2100), 0, random.below(40), random.below(2)];
    const into = random.below(2);
    const data = random.below(4) === 0 ? this.#address() : RINGS + 0x5000;
    range.forEach((value, i) => this.#write(RINGS + 0x5000 + 4 * i, 4, value));
    const lengths = [16, pick(random, [16, 20, 512, 1024, 4096, random.below(5000)]), 1];
    for (const [i, at] of [header, data, RINGS + 0x7000].entries()) {
      const flags = (i < 2 ? 1 : 0) | (i === 2 || (i === 1 && into === 1) ? 2 : 0) | (packed ? 0x80 : 0);
      this.#write(RINGS + 16 * i, 4, at >>> 0);
      this.#write(RINGS + 16 * i + 4, 4, Math.floor(at / 2 ** 32));
      this.#write(RINGS + 16 * i + 8, 4, lengths[i]!);
      this.#write(RINGS + 16 * i + 12, 2, packed ? 7 : flags);
      this.#write(RINGS + 16 * i + 14, 2, packed ? flags : i + 1);
    }
    if (!packed) this.#write(available + 2, 2, random.below(4) === 0 ? 4 : 1);
    for (let wrong = random.below(3); wrong > 0; wrong--) {
      this.#write(RINGS + 2 * random.below(48), 2, random.below(4) === 0 ? random.below(65536) : random.below(8));
    }
    await this.#kickAll();
  }

  #clear(): void {
    for (let at = RINGS; at < RINGS + 0x1100; at += 4) this.#write(at, 4, 0);
  }

  async #kickAll(): Promise<void> {
    const modern = this.#modern;
    if (modern !== undefined) this.#write(modern + 0x3000, 2, 0);
    if (this.#legacy !== undefined) await this.#bus.out16(this.#legacy + 16, 0);
  }

  async #kick(): Promise<void> {
    const queue = this.#random.below(6);
    const modern = this.#modern;
    if (modern !== undefined && this.#random.below(2) === 0) this.#write(modern + 0x3000 + 4 * queue, 2, queue);
    else if (this.#legacy !== undefined) await this.#bus.out16(this.#legacy + 16, queue);
  }

  async #anyRegister(): Promise<void> {
    const random = this.#random;
    const size = pick(random, [1, 2, 4] as const);
    const { kind, address, index } = pick(random, this.#bars);
    const at = random.below(kind === "io" ? 0x40 : 0x3100);
    // Messages go to RAM only: elsewhere the guard would take them for something else.
    const value = index === 1 && at % 16 < 8 ? (at % 16 < 4 ? RINGS + random.below(RINGS_BYTES) : 0) : random.uint32();
    if (kind === "memory") {
      const offset = index === 1 ? at % 0x100 & ~3 : at;
      this.#write(
        address + offset,
        index === 1 ? 4 : size,
        index === 1 && offset % 16 === 4
          ? 0
          : index === 1 && offset % 16 === 0
          ? RINGS + random.below(RINGS_BYTES)
          : value,
      );
      this.#machine.memory.readValue(address + offset, size);
    } else if (size === 1) await this.#bus.out8(address + at, value & 0xff);
    else if (size === 2) await this.#bus.out16(address + at, value & 0xffff);
    else await this.#bus.out32(address + at, value);
  }

  /** A snapshot of whatever state came of it, taken up again. */
  async #restore(): Promise<void> {
    const device = this.#machine.findDevice("v")!;
    for (const one of [device, ...device.buses.flatMap((bus) => [...bus.devices])]) {
      await one.stop();
      one.load(structuredClone(one.save()));
      one.resume();
    }
  }

  /** Addresses that lead somewhere, that lead back, and that lead nowhere. */
  #address(): number {
    const random = this.#random;
    return pick(random, [
      RINGS + random.below(RINGS_BYTES),
      RINGS + random.below(64) * 16,
      RINGS + 0x4000 + random.below(32) * 16,
      RINGS + 0x4000 + random.below(32) * 16,
      RAM_BYTES - 1 - random.below(64),
      RAM_BYTES + random.below(GUARD_BYTES),
      0xffff_fff0 + random.below(16),
      (this.#modern ?? 0xfee0_0000) + random.below(0x3100),
      0,
      random.uint32() * 2 ** 32 + random.uint32(),
    ]);
  }

  #write(address: number, size: 1 | 2 | 4, value: number): void {
    this.#machine.memory.writeValue(address, size, size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1));
  }
}
