/**
 * A guest's floppy driver: reads, writes and formats by DMA or by programmed I/O, through the controller's ports.
 *
 * Linear sectors are turned into cylinder, head and sector by the geometry that {@link FloppyGuest.disk} is given. Waits
 * for the controller end by a signal.
 *
 * Left out: drives of tapes, perpendicular recording, recognizing a format by trial.
 *
 * Source: [82078] 5.0 "Command Set", 8.0 "Applications: Initialization"; [8237A] "Programming".
 *
 * @module
 */
import type { GuestBus } from "./bus.ts";

const BASE = 0x3f0;
const DOR = BASE + 2;
const MSR = BASE + 4;
const DATA = BASE + 5;
const DIR = BASE + 7;
const IRQ = 6;
const DMA_CHANNEL = 2;
const SECTOR = 512;
const NOT_RESET = 0x04;
const DMA_GATE = 0x08;
const READY = 0x80;
const TO_HOST = 0x40;
const NO_DMA = 0x20;
const BUSY = 0x10;
const MFM = 0x40;
const GAP = 0x1b;
const UNUSED = 0xff;
const SIZE_512 = 2;

/** A disk's format. */
export interface FloppyGeometry {
  readonly cylinders: number;
  readonly heads: number;
  /** Sectors of a track. */
  readonly sectors: number;
  /** As CCR selects it: 0 for 500 kbit/s, 1 for 300, 2 for 250, 3 for 1 Mbit/s. */
  readonly rate: number;
}

/** The usual formats by their kilobytes. */
export const FLOPPY_FORMATS: Readonly<Record<"360" | "720" | "1200" | "1440" | "2880", FloppyGeometry>> = {
  "360": { cylinders: 40, heads: 2, sectors: 9, rate: 1 },
  "720": { cylinders: 80, heads: 2, sectors: 9, rate: 2 },
  "1200": { cylinders: 80, heads: 2, sectors: 15, rate: 0 },
  "1440": { cylinders: 80, heads: 2, sectors: 18, rate: 0 },
  "2880": { cylinders: 80, heads: 2, sectors: 36, rate: 3 },
};

/** What each call takes besides. */
export interface FloppyCallOptions {
  readonly signal?: AbortSignal;
}

/** A command that the controller ended with a complaint. */
export class FloppyError extends Error {
  override readonly name = "FloppyError";
  /** ST0, ST1, ST2, cylinder, head, sector, size code. */
  readonly result: readonly number[];

  constructor(what: string, result: readonly number[]) {
    const hex = result.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    super(`${what} failed: the controller answers ${hex}`);
    this.result = result;
  }
}

/** The controller. */
export class FloppyGuest {
  readonly bus: GuestBus;
  /** Where DMA goes: one track at most, below 16 MiB, inside 64 KiB. */
  readonly dmaAddress: number;

  constructor(bus: GuestBus, dmaAddress = 0x10_0000) {
    this.bus = bus;
    this.dmaAddress = dmaAddress;
  }

  /** Resets the controller and takes note of all four drives. */
  async reset(options: FloppyCallOptions = {}): Promise<void> {
    await this.bus.out8(DOR, 0);
    await this.bus.out8(DOR, NOT_RESET | DMA_GATE);
    await this.bus.waitForInterrupt(IRQ, options.signal);
    for (let unit = 0; unit < 4; unit++) await this.senseInterrupt(options);
  }

  /** Sends a command's bytes. */
  async send(bytes: readonly number[], options: FloppyCallOptions = {}): Promise<void> {
    for (const byte of bytes) {
      await this.#waitFor(READY, READY | TO_HOST, options.signal);
      await this.bus.out8(DATA, byte);
    }
  }

  /** Takes the bytes of the result phase. */
  async result(options: FloppyCallOptions = {}): Promise<number[]> {
    const bytes: number[] = [];
    for (;;) {
      const status = await this.#waitFor(READY, READY, options.signal);
      if ((status & (TO_HOST | BUSY)) !== (TO_HOST | BUSY)) return bytes;
      bytes.push(await this.bus.in8(DATA));
    }
  }

  /** What the last seek or reset ended with: ST0 and the cylinder; ST0 alone where nothing has. */
  async senseInterrupt(options: FloppyCallOptions = {}): Promise<number[]> {
    await this.send([0x08], options);
    return await this.result(options);
  }

  /** A drive with its motor on, its head over cylinder 0. */
  async disk(unit: 0 | 1, geometry: FloppyGeometry, options: FloppyCallOptions = {}): Promise<FloppyDisk> {
    await this.bus.out8(DOR, NOT_RESET | DMA_GATE | unit | 0x10 << unit);
    await this.bus.out8(DIR, geometry.rate);
    await this.send([0x03, 0xaf, 0x02], options);
    const disk = new FloppyDisk(this, unit, geometry);
    await disk.recalibrate(options);
    return disk;
  }

  /** Tells the 8237 of a transfer that comes. */
  async programDma(lengthBytes: number, direction: "to-memory" | "from-memory"): Promise<void> {
    const { bus, dmaAddress: at } = this;
    const count = lengthBytes - 1;
    await bus.out8(0x0a, 4 | DMA_CHANNEL);
    await bus.out8(0x0c, 0);
    await bus.out8(0x0b, (direction === "to-memory" ? 0x44 : 0x48) | DMA_CHANNEL);
    for (const value of [at & 0xff, (at >> 8) & 0xff]) await bus.out8(0x04, value);
    await bus.out8(0x81, (at >> 16) & 0xff);
    for (const value of [count & 0xff, count >> 8]) await bus.out8(0x05, value);
    await bus.out8(0x0a, DMA_CHANNEL);
  }

  /** Moves the bytes of a command by the data register, as long as the controller wants it. */
  async programmed(bytes: Uint8Array, direction: "in" | "out", options: FloppyCallOptions = {}): Promise<void> {
    for (let at = 0; at < bytes.length; at++) {
      const status = await this.#waitFor(READY, READY, options.signal);
      if ((status & NO_DMA) === 0) return;
      if (direction === "in") bytes[at] = await this.bus.in8(DATA);
      else await this.bus.out8(DATA, bytes[at]!);
    }
  }

  async #waitFor(bits: number, mask: number, signal: AbortSignal | undefined): Promise<number> {
    for (;;) {
      const status = await this.bus.in8(MSR);
      if ((status & mask) === bits) return status;
      signal?.throwIfAborted();
      await this.bus.pause();
    }
  }
}

/** A drive with a disk of a known format. Sectors count from 0. */
export class FloppyDisk {
  readonly controller: FloppyGuest;
  readonly unit: 0 | 1;
  readonly geometry: FloppyGeometry;

  constructor(controller: FloppyGuest, unit: 0 | 1, geometry: FloppyGeometry) {
    this.controller = controller;
    this.unit = unit;
    this.geometry = geometry;
  }

  /** Sectors of the whole disk. */
  get sectors(): number {
    const { cylinders, heads, sectors } = this.geometry;
    return cylinders * heads * sectors;
  }

  /** Whether the disk was changed since the head last stepped. */
  async changed(): Promise<boolean> {
    return (await this.controller.bus.in8(DIR) & 0x80) !== 0;
  }

  /** Whether writing is refused. */
  async writeProtected(options: FloppyCallOptions = {}): Promise<boolean> {
    await this.controller.send([0x04, this.unit], options);
    return ((await this.controller.result(options))[0]! & 0x40) !== 0;
  }

  async recalibrate(options: FloppyCallOptions = {}): Promise<void> {
    await this.#move("RECALIBRATE", [0x07, this.unit], options);
  }

  async seek(cylinder: number, options: FloppyCallOptions = {}): Promise<void> {
    await this.#move("SEEK", [0x0f, this.unit, cylinder], options);
  }

  /** Reads sectors by DMA. @throws FloppyError */
  async read(sector: number, count: number, options: FloppyCallOptions = {}): Promise<Uint8Array> {
    const bytes = new Uint8Array(count * SECTOR);
    await this.#each(sector, count, async (place, sectors, at) => {
      await this.controller.programDma(sectors * SECTOR, "to-memory");
      await this.#command("READ DATA", 0x06, place, options);
      const { bus, dmaAddress } = this.controller;
      bytes.set(await bus.readMemory(dmaAddress, sectors * SECTOR), at);
    });
    return bytes;
  }

  /** Writes whole sectors by DMA. @throws FloppyError */
  async write(sector: number, bytes: Uint8Array, options: FloppyCallOptions = {}): Promise<void> {
    await this.#each(sector, bytes.length / SECTOR, async (place, sectors, at) => {
      const { bus, dmaAddress } = this.controller;
      await bus.writeMemory(dmaAddress, bytes.subarray(at, at + sectors * SECTOR));
      await this.controller.programDma(sectors * SECTOR, "from-memory");
      await this.#command("WRITE DATA", 0x05, place, options);
    });
  }

  /** Reads sectors of one track through the data register. @throws FloppyError */
  async readProgrammed(sector: number, count: number, options: FloppyCallOptions = {}): Promise<Uint8Array> {
    const bytes = new Uint8Array(count * SECTOR);
    await this.#programmed("READ DATA", 0x06, sector, bytes, "in", options);
    return bytes;
  }

  /** Writes whole sectors of one track through the data register. @throws FloppyError */
  async writeProgrammed(sector: number, bytes: Uint8Array, options: FloppyCallOptions = {}): Promise<void> {
    await this.#programmed("WRITE DATA", 0x05, sector, bytes, "out", options);
  }

  /** Formats a track, every sector full of `fill`. @throws FloppyError */
  async format(cylinder: number, head: number, fill: number, options: FloppyCallOptions = {}): Promise<void> {
    await this.seek(cylinder, options);
    const { sectors } = this.geometry;
    const fields = Array.from({ length: sectors }, (_, index) => [cylinder, head, index + 1, SIZE_512]).flat();
    const { bus, dmaAddress } = this.controller;
    await bus.writeMemory(dmaAddress, Uint8Array.from(fields));
    await this.controller.programDma(fields.length, "from-memory");
    await this.controller.send([0x0d | MFM, this.unit | head << 2, SIZE_512, sectors, 0x6c, fill], options);
    await this.#ended("FORMAT TRACK", options);
  }

  async #programmed(
    name: string,
    code: number,
    sector: number,
    bytes: Uint8Array,
    direction: "in" | "out",
    options: FloppyCallOptions,
  ): Promise<void> {
    const { controller } = this;
    await controller.send([0x03, 0xaf, 0x03], options);
    try {
      await this.#each(sector, bytes.length / SECTOR, async (place, sectors, at) => {
        await controller.send(this.#bytes(code, { ...place, last: place.sector + sectors - 1 }), options);
        await controller.programmed(bytes.subarray(at, at + sectors * SECTOR), direction, options);
        await this.#ended(name, options);
      });
    } finally {
      await controller.send([0x03, 0xaf, 0x02], options);
    }
  }

  async #move(name: string, command: readonly number[], options: FloppyCallOptions): Promise<void> {
    await this.controller.send(command, options);
    await this.controller.bus.waitForInterrupt(IRQ, options.signal);
    const result = await this.controller.senseInterrupt(options);
    if ((result[0]! & 0xe0) !== 0x20) throw new FloppyError(name, result);
  }

  async #command(name: string, code: number, place: Place, options: FloppyCallOptions): Promise<void> {
    await this.controller.send(this.#bytes(code, { ...place, last: this.geometry.sectors }), options);
    await this.controller.bus.waitForInterrupt(IRQ, options.signal);
    await this.#ended(name, options);
  }

  async #ended(name: string, options: FloppyCallOptions): Promise<void> {
    const result = await this.controller.result(options);
    if (((result[0] ?? 0xff) & 0xc0) !== 0) throw new FloppyError(name, result);
  }

  #bytes(code: number, { cylinder, head, sector, last }: Place & { readonly last: number }): number[] {
    return [code | MFM, this.unit | head << 2, cylinder, head, sector, SIZE_512, last, GAP, UNUSED];
  }

  /** Cuts sectors into pieces of one track. */
  async #each(
    sector: number,
    count: number,
    move: (place: Place, sectors: number, atByte: number) => Promise<void>,
  ): Promise<void> {
    const { heads, sectors: perTrack } = this.geometry;
    for (let done = 0; done < count;) {
      const at = sector + done;
      const track = Math.floor(at / perTrack);
      const place = { cylinder: Math.floor(track / heads), head: track % heads, sector: at % perTrack + 1 };
      const part = Math.min(count - done, perTrack - at % perTrack);
      await move(place, part, done * SECTOR);
      done += part;
    }
  }
}

/** Where a transfer begins. */
interface Place {
  readonly cylinder: number;
  readonly head: number;
  /** From 1 on. */
  readonly sector: number;
}
