/**
 * One IDE channel as a guest's driver works it: select, wait, PIO blocks, bus-master transfers.
 *
 * Source: [ATA/ATAPI-6] 9 "Protocol"; "Programming Interface for Bus Master IDE Controller" 1.0, 3.1.
 *
 * @module
 */
import type { GuestBus } from "./bus.ts";

/** Bits of the status register. */
export const AtaStatus = { BSY: 0x80, DRDY: 0x40, DF: 0x20, DRQ: 0x08, ERR: 0x01 } as const;

/** A drive has refused or failed a command. */
export class IdeError extends Error {
  override readonly name = "IdeError";
  /** The status register: bit 0 is set. */
  readonly status: number;
  /** The error register: 04h aborted, 10h no such address; for packets the sense key is in the upper half. */
  readonly error: number;
  /** What REQUEST SENSE said, for packet commands. */
  readonly sense: Sense | undefined;

  constructor(command: string, status: number, error: number, sense?: Sense) {
    const hex = (value: number) => value.toString(16).padStart(2, "0");
    const told = sense === undefined ? "" : `, sense ${hex(sense.key)}/${hex(sense.asc)}/${hex(sense.ascq)}`;
    super(`${command} failed: status ${hex(status)}h, error ${hex(error)}h${told}`);
    this.status = status;
    this.error = error;
    this.sense = sense;
  }
}

/** A packet command's account of itself: [SPC-4] 4.5. */
export interface Sense {
  readonly key: number;
  readonly asc: number;
  readonly ascq: number;
}

/** A command and its registers. */
export interface AtaTaskFile {
  readonly features?: number;
  /** Sectors; 8 bits, or 16 with `ext`. */
  readonly count?: number;
  readonly lba?: number;
  /** 48-bit address and 16-bit count. */
  readonly ext?: boolean;
}

/** Guest memory that the driver may use for its tables and data. */
export interface DmaArea {
  /** A multiple of 64 KiB, below 4 GiB. */
  readonly address: number;
  /** At least 128 KiB: the first 64 KiB hold the tables. */
  readonly sizeBytes: number;
}

const REGION_BYTES = 0x10000;
const LAST_REGION = 0x8000_0000;
const Master = { COMMAND: 0, STATUS: 2, TABLE: 4, START: 1, TO_MEMORY: 8, ERROR: 2, INTERRUPT: 4 } as const;

/** Where a channel's registers are. */
export interface ChannelPlace {
  readonly command: number;
  readonly control: number;
  readonly interrupt: number;
  /** Its bus master's registers; absent: no DMA. */
  readonly master?: number;
}

/** A channel. One command at a time. */
export class IdeChannelDriver {
  readonly bus: GuestBus;
  readonly place: ChannelPlace;
  readonly area: DmaArea;

  constructor(bus: GuestBus, place: ChannelPlace, area: DmaArea) {
    this.bus = bus;
    this.place = place;
    this.area = area;
  }

  /** The most bytes of one DMA transfer. */
  get maxDmaBytes(): number {
    return this.area.sizeBytes - REGION_BYTES;
  }

  async in(register: number): Promise<number> {
    return await this.bus.in8(this.place.command + register);
  }

  async out(register: number, value: number): Promise<void> {
    await this.bus.out8(this.place.command + register, value);
  }

  /** Resets both drives. */
  async softReset(signal?: AbortSignal): Promise<void> {
    await this.bus.out8(this.place.control, 0x04);
    await this.bus.out8(this.place.control, 0x00);
    await this.idle(signal);
    await this.in(7);
  }

  /** Waits until the selected drive is not busy; its status, without taking its interrupt. */
  async idle(signal?: AbortSignal): Promise<number> {
    for (;;) {
      const status = await this.bus.in8(this.place.control);
      if ((status & AtaStatus.BSY) === 0) return status;
      signal?.throwIfAborted();
      await this.bus.pause();
    }
  }

  /** Waits for the interrupt; takes it by reading the status, which is returned. */
  async interrupt(signal?: AbortSignal): Promise<number> {
    await this.bus.waitForInterrupt(this.place.interrupt, signal);
    return await this.bus.in8(this.place.command + 7);
  }

  /** Selects a unit and writes a command. */
  async issue(unit: 0 | 1, command: number, file: AtaTaskFile = {}): Promise<void> {
    const { features = 0, count = 0, lba = 0, ext = false } = file;
    const upper = ext ? 0 : Math.floor(lba / 0x1000000) & 0x0f;
    // Straight to the bus: a promise for each register would take longer than the registers.
    const { bus, place: { command: base } } = this;
    await bus.out8(base + 6, 0xe0 | unit << 4 | upper);
    if (ext) {
      await bus.out8(base + 1, features >> 8 & 0xff);
      await bus.out8(base + 2, count >> 8 & 0xff);
      for (let i = 0; i < 3; i++) await bus.out8(base + 3 + i, Math.floor(lba / 2 ** (24 + 8 * i)) % 256);
    }
    await bus.out8(base + 1, features & 0xff);
    await bus.out8(base + 2, count & 0xff);
    for (let i = 0; i < 3; i++) await bus.out8(base + 3 + i, Math.floor(lba / 2 ** (8 * i)) % 256);
    await bus.out8(base + 7, command);
  }

  /** @throws IdeError where `status` says that something went wrong */
  async check(command: string, status: number): Promise<void> {
    if ((status & (AtaStatus.ERR | AtaStatus.DF)) === 0) return;
    throw new IdeError(command, status, await this.in(1));
  }

  /** Moves `into.length` bytes to the host in blocks of at most `blockBytes`, each announced by an interrupt. */
  async readBlocks(command: string, into: Uint8Array, blockBytes: number, signal?: AbortSignal): Promise<void> {
    for (let at = 0; at < into.length; at += blockBytes) {
      const status = await this.interrupt(signal);
      await this.check(command, status);
      if ((status & AtaStatus.DRQ) === 0) throw new IdeError(command, status, await this.in(1));
      await this.bus.ins16(this.place.command, into.subarray(at, Math.min(at + blockBytes, into.length)));
    }
  }

  /** Moves bytes to the drive; the first block is asked for without an interrupt. */
  async writeBlocks(command: string, bytes: Uint8Array, blockBytes: number, signal?: AbortSignal): Promise<void> {
    let status = await this.idle(signal);
    for (let at = 0; at < bytes.length; at += blockBytes) {
      await this.check(command, status);
      if ((status & AtaStatus.DRQ) === 0) throw new IdeError(command, status, await this.in(1));
      await this.bus.outs16(this.place.command, bytes.subarray(at, Math.min(at + blockBytes, bytes.length)));
      status = await this.interrupt(signal);
    }
    await this.check(command, status);
  }

  /** Prepares the bus master for `lengthBytes` in or out of the area's data. */
  async prepareDma(lengthBytes: number, toMemory: boolean): Promise<void> {
    const master = this.#master;
    const regions = Math.max(1, Math.ceil(lengthBytes / REGION_BYTES));
    const table = new Uint8Array(regions * 8);
    const view = new DataView(table.buffer);
    for (let i = 0; i < regions; i++) {
      const bytes = Math.min(REGION_BYTES, lengthBytes - i * REGION_BYTES);
      view.setUint32(i * 8, this.#dataAddress + i * REGION_BYTES, true);
      view.setUint32(i * 8 + 4, (bytes & 0xffff) + (i === regions - 1 ? LAST_REGION : 0), true);
    }
    await this.bus.writeMemory(this.area.address, table);
    await this.bus.out32(master + Master.TABLE, this.area.address);
    await this.bus.out8(master + Master.COMMAND, toMemory ? Master.TO_MEMORY : 0);
    await this.bus.out8(master + Master.STATUS, Master.INTERRUPT | Master.ERROR);
  }

  /** Starts the bus master, waits for the drive, stops it. @throws IdeError */
  async runDma(command: string, toMemory: boolean, signal?: AbortSignal): Promise<void> {
    const direction = toMemory ? Master.TO_MEMORY : 0;
    await this.bus.out8(this.#master + Master.COMMAND, Master.START | direction);
    let status: number;
    try {
      status = await this.interrupt(signal);
    } finally {
      await this.bus.out8(this.#master + Master.COMMAND, direction);
    }
    await this.bus.out8(this.#master + Master.STATUS, Master.INTERRUPT | Master.ERROR);
    await this.check(command, status);
  }

  async readData(lengthBytes: number): Promise<Uint8Array> {
    return await this.bus.readMemory(this.#dataAddress, lengthBytes);
  }

  async writeData(bytes: Uint8Array): Promise<void> {
    await this.bus.writeMemory(this.#dataAddress, bytes);
  }

  get #dataAddress(): number {
    return this.area.address + REGION_BYTES;
  }

  get #master(): number {
    const { master } = this.place;
    if (master === undefined) throw new Error("this channel has no bus master");
    return master;
  }
}
