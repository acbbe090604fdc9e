/**
 * A guest's IDE driver: finds the drives, reads and writes disks by PIO and DMA, sends packets to CD drives.
 *
 * It sees ports, memory and interrupts only. Addresses below 2^28 go by 28-bit commands, others by 48-bit ones. Every
 * call may be given a signal, which is how a wait gets a time limit; after an abort, {@link IdeGuest.reset} the channel.
 *
 * Left out: CHS addresses, READ/WRITE MULTIPLE, queued commands.
 *
 * Source: [ATA-8 ACS] 7, [ATA/ATAPI-6] 8.15, 8.16, 8.23, [MMC-5] 6.
 *
 * @module
 */
import { concatBytes } from "../../base/bytes.ts";
import type { GuestBus } from "./bus.ts";
import { AtaStatus, type AtaTaskFile, type DmaArea, IdeChannelDriver, IdeError, type Sense } from "./ide_channel.ts";
import { assignPci, type PciFunction, scanPci } from "./pci.ts";

export { AtaStatus, type AtaTaskFile, type DmaArea, IdeError, type Sense } from "./ide_channel.ts";

/** What each call takes besides. */
export interface IdeCallOptions {
  readonly signal?: AbortSignal;
}

const SECTOR = 512;
const MAX_SECTORS_28 = 256;
const MAX_SECTORS_48 = 65536;
const LBA28 = 2 ** 28;
const PACKET_BYTES = 12;
const BYTE_COUNT = 0xfffe;
const DEFAULT_AREA: DmaArea = { address: 0x80_0000, sizeBytes: 0x12_0000 };
const BAR4 = 0x20;

/** What IDENTIFY said, decoded. */
export interface DriveIdentity {
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
  /** Sectors of 512 bytes; 0 for a CD drive. */
  readonly sectors: number;
  readonly lba48: boolean;
  readonly trim: boolean;
  readonly writeCache: boolean;
  /** All 256 words. */
  readonly words: Uint16Array;
}

/** A drive on a channel. */
export abstract class IdeDrive {
  readonly channel: IdeChannelDriver;
  readonly unit: 0 | 1;
  readonly identity: DriveIdentity;

  constructor(channel: IdeChannelDriver, unit: 0 | 1, identity: DriveIdentity) {
    this.channel = channel;
    this.unit = unit;
    this.identity = identity;
  }

  /** A command without data. @returns the status register at its end. @throws IdeError */
  async command(code: number, file: AtaTaskFile = {}, options: IdeCallOptions = {}): Promise<number> {
    await this.channel.issue(this.unit, code, file);
    const status = await this.channel.interrupt(options.signal);
    await this.channel.check(`ATA command ${code.toString(16).padStart(2, "0")}h`, status);
    return status;
  }
}

/** A hard disk. Addresses and counts are sectors of 512 bytes. */
export class IdeDisk extends IdeDrive {
  readonly kind = "disk";

  get sectors(): number {
    return this.identity.sectors;
  }

  /** Reads by PIO. @throws IdeError */
  async read(lba: number, sectors: number, options: IdeCallOptions = {}): Promise<Uint8Array> {
    const bytes = new Uint8Array(sectors * SECTOR);
    await this.#each(lba, sectors, Infinity, async (at, count, ext, offset) => {
      await this.channel.issue(this.unit, ext ? 0x24 : 0x20, { lba: at, count, ext });
      const part = bytes.subarray(offset, offset + count * SECTOR);
      await this.channel.readBlocks("READ SECTOR(S)", part, SECTOR, options.signal);
    });
    return bytes;
  }

  /** Writes by PIO; whole sectors. @throws IdeError */
  async write(lba: number, bytes: Uint8Array, options: IdeCallOptions = {}): Promise<void> {
    await this.#each(lba, wholeSectors(bytes), Infinity, async (at, count, ext, offset) => {
      await this.channel.issue(this.unit, ext ? 0x34 : 0x30, { lba: at, count, ext });
      const part = bytes.subarray(offset, offset + count * SECTOR);
      await this.channel.writeBlocks("WRITE SECTOR(S)", part, SECTOR, options.signal);
    });
  }

  /** Reads by bus-master DMA. @throws IdeError */
  async readDma(lba: number, sectors: number, options: IdeCallOptions = {}): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    await this.#each(lba, sectors, this.channel.maxDmaBytes / SECTOR, async (at, count, ext) => {
      await this.#fetch(at, count, ext, options);
      parts.push(await this.channel.readData(count * SECTOR));
    });
    return parts.length === 1 ? parts[0]! : concatBytes(parts);
  }

  /** Reads up to 256 sectors by bus-master DMA into the driver's area, where they stay. @throws IdeError */
  async fetchDma(lba: number, sectors: number, options: IdeCallOptions = {}): Promise<void> {
    await this.#fetch(lba, sectors, lba + sectors > LBA28, options);
  }

  async #fetch(lba: number, count: number, ext: boolean, options: IdeCallOptions): Promise<void> {
    await this.channel.prepareDma(count * SECTOR, true);
    await this.channel.issue(this.unit, ext ? 0x25 : 0xc8, { lba, count, ext });
    await this.channel.runDma("READ DMA", true, options.signal);
  }

  /** Writes by bus-master DMA; whole sectors. @throws IdeError */
  async writeDma(lba: number, bytes: Uint8Array, options: IdeCallOptions = {}): Promise<void> {
    await this.#each(lba, wholeSectors(bytes), this.channel.maxDmaBytes / SECTOR, async (at, count, ext, offset) => {
      await this.channel.writeData(bytes.subarray(offset, offset + count * SECTOR));
      await this.#store(at, count, ext, options);
    });
  }

  /** Writes up to 256 sectors by bus-master DMA, as they lie in the driver's area. @throws IdeError */
  async storeDma(lba: number, sectors: number, options: IdeCallOptions = {}): Promise<void> {
    await this.#store(lba, sectors, lba + sectors > LBA28, options);
  }

  async #store(lba: number, count: number, ext: boolean, options: IdeCallOptions): Promise<void> {
    await this.channel.prepareDma(count * SECTOR, false);
    await this.channel.issue(this.unit, ext ? 0x35 : 0xca, { lba, count, ext });
    await this.channel.runDma("WRITE DMA", false, options.signal);
  }

  /** Makes all that was written durable. */
  async flush(options: IdeCallOptions = {}): Promise<void> {
    await this.command(this.identity.lba48 ? 0xea : 0xe7, {}, options);
  }

  /** Says that sectors are of no further use: at most 64 runs of at most 65535 sectors. */
  async trim(
    runs: readonly { readonly lba: number; readonly sectors: number }[],
    options: IdeCallOptions = {},
  ): Promise<void> {
    const entries = new Uint8Array(SECTOR);
    const view = new DataView(entries.buffer);
    if (runs.length > SECTOR / 8) throw new RangeError(`${runs.length} runs, 64 at most`);
    runs.forEach(({ lba, sectors }, i) => {
      view.setUint32(i * 8, lba % 2 ** 32, true);
      view.setUint16(i * 8 + 4, Math.floor(lba / 2 ** 32), true);
      view.setUint16(i * 8 + 6, sectors, true);
    });
    await this.channel.writeData(entries);
    await this.channel.prepareDma(SECTOR, false);
    await this.channel.issue(this.unit, 0x06, { features: 1, count: 1, ext: true });
    await this.channel.runDma("DATA SET MANAGEMENT", false, options.signal);
  }

  /** Switches the write cache. */
  async setWriteCache(on: boolean, options: IdeCallOptions = {}): Promise<void> {
    await this.command(0xef, { features: on ? 0x02 : 0x82 }, options);
  }

  /** Cuts a transfer into commands of at most `most` sectors. */
  async #each(
    lba: number,
    sectors: number,
    most: number,
    run: (lba: number, count: number, ext: boolean, offsetBytes: number) => Promise<void>,
  ): Promise<void> {
    for (let done = 0; done < sectors;) {
      const ext = lba + sectors > LBA28;
      const count = Math.min(sectors - done, most, ext ? MAX_SECTORS_48 : MAX_SECTORS_28);
      await run(lba + done, count, ext, done * SECTOR);
      done += count;
    }
  }
}

/** A CD drive. */
export class IdeCd extends IdeDrive {
  readonly kind = "cd";

  /**
   * Sends a packet of up to 12 bytes; returns the data that the drive answers, by PIO.
   *
   * @throws IdeError with the sense, which is asked for at once
   */
  async packet(packet: readonly number[] | Uint8Array, options: IdeCallOptions = {}): Promise<Uint8Array> {
    await this.#send(packet, 0, options);
    const parts: Uint8Array[] = [];
    for (;;) {
      const status = await this.channel.interrupt(options.signal);
      await this.#checkPacket(packet, status, options);
      if ((status & AtaStatus.DRQ) === 0) return parts.length === 1 ? parts[0]! : concatBytes(parts);
      const length = await this.channel.in(4) | await this.channel.in(5) << 8;
      const part = new Uint8Array(length + (length & 1));
      await this.channel.bus.ins16(this.channel.place.command, part);
      parts.push(part.subarray(0, length));
    }
  }

  /** The same by DMA, for packets that answer exactly `lengthBytes`. @throws IdeError */
  async packetDma(
    packet: readonly number[] | Uint8Array,
    lengthBytes: number,
    options: IdeCallOptions = {},
  ): Promise<Uint8Array> {
    await this.channel.prepareDma(lengthBytes, true);
    await this.#send(packet, 1, options);
    try {
      await this.channel.runDma(packetName(packet), true, options.signal);
    } catch (error) {
      if (error instanceof IdeError) await this.#checkPacket(packet, error.status, options);
      throw error;
    }
    return await this.channel.readData(lengthBytes);
  }

  /** Reads blocks of 2048 bytes by READ(10), at most 65535. @throws IdeError */
  async read(block: number, count: number, options: IdeCallOptions = {}): Promise<Uint8Array> {
    return await this.packet([0x28, 0, ...be32(block), 0, count >> 8, count & 0xff], options);
  }

  /** Reads blocks by DMA. @throws IdeError */
  async readDma(block: number, count: number, options: IdeCallOptions = {}): Promise<Uint8Array> {
    const packet = [0x28, 0, ...be32(block), 0, count >> 8, count & 0xff];
    return await this.packetDma(packet, count * 2048, options);
  }

  /** What is there: blocks of `blockBytes` each. @throws IdeError without a medium */
  async capacity(options: IdeCallOptions = {}): Promise<{ readonly blocks: number; readonly blockBytes: number }> {
    const view = new DataView((await this.packet([0x25], options)).buffer);
    return { blocks: view.getUint32(0) + 1, blockBytes: view.getUint32(4) };
  }

  /** TEST UNIT READY: `undefined` if it is, else why it is not. */
  async ready(options: IdeCallOptions = {}): Promise<Sense | undefined> {
    try {
      await this.packet([0x00], options);
      return undefined;
    } catch (error) {
      if (error instanceof IdeError && error.sense !== undefined) return error.sense;
      throw error;
    }
  }

  async sense(options: IdeCallOptions = {}): Promise<Sense> {
    const data = await this.packet([0x03, 0, 0, 0, 18], options);
    return { key: data[2]! & 0x0f, asc: data[12]!, ascq: data[13]! };
  }

  /** Opens the tray. @throws IdeError while the medium is locked */
  async eject(options: IdeCallOptions = {}): Promise<void> {
    await this.packet([0x1b, 0, 0, 0, 0x02], options);
  }

  /** Closes the tray. */
  async load(options: IdeCallOptions = {}): Promise<void> {
    await this.packet([0x1b, 0, 0, 0, 0x03], options);
  }

  /** Locks or unlocks the medium. */
  async lock(locked: boolean, options: IdeCallOptions = {}): Promise<void> {
    await this.packet([0x1e, 0, 0, 0, locked ? 1 : 0], options);
  }

  async #send(packet: readonly number[] | Uint8Array, features: number, { signal }: IdeCallOptions): Promise<void> {
    const bytes = new Uint8Array(PACKET_BYTES);
    bytes.set(packet);
    await this.channel.issue(this.unit, 0xa0, { features, lba: BYTE_COUNT << 8 });
    const status = await this.channel.idle(signal);
    await this.channel.check("PACKET", status);
    await this.channel.bus.outs16(this.channel.place.command, bytes);
  }

  async #checkPacket(
    packet: readonly number[] | Uint8Array,
    status: number,
    options: IdeCallOptions,
  ): Promise<void> {
    if ((status & AtaStatus.ERR) === 0) return;
    const error = await this.channel.in(1);
    const sense = packet[0] === 0x03 ? undefined : await this.sense(options);
    throw new IdeError(packetName(packet), status, error, sense);
  }
}

/**
 * The guest's view of an IDE controller with two channels.
 *
 * @example Play the guest of a machine without a CPU
 * ```ts ignore
 * const guest = await IdeGuest.detect(bus);
 * const disk = guest.disk(0, 0);
 * await disk.writeDma(0, new Uint8Array(4096));
 * const bytes = await disk.read(0, 8);
 * const cd = guest.cd(1, 0);
 * const inquiry = await cd.packet([0x12, 0, 0, 0, 36]);
 * ```
 */
export class IdeGuest {
  readonly channels: readonly [IdeChannelDriver, IdeChannelDriver];
  /** What is there, in order of channel and unit. */
  readonly drives: readonly (IdeDisk | IdeCd)[];

  private constructor(channels: readonly [IdeChannelDriver, IdeChannelDriver], drives: readonly (IdeDisk | IdeCd)[]) {
    this.channels = channels;
    this.drives = drives;
  }

  /**
   * Finds the controller and its drives, and switches bus mastering on.
   *
   * `area` is guest memory that the driver may use: 1.125 MiB at 8 MiB where absent; a channel takes half of it.
   */
  static async detect(bus: GuestBus, options: IdeCallOptions & { readonly area?: DmaArea } = {}): Promise<IdeGuest> {
    const functions = await scanPci(bus);
    const controller = functions.find((fn) => fn.classCode === 0x0101);
    const master = controller === undefined ? undefined : await busMaster(controller, functions);
    const area = options.area ?? DEFAULT_AREA;
    const half = Math.floor(area.sizeBytes / 2 / 0x10000) * 0x10000;
    const channel = (index: 0 | 1) =>
      new IdeChannelDriver(bus, {
        command: index === 0 ? 0x1f0 : 0x170,
        control: index === 0 ? 0x3f6 : 0x376,
        interrupt: 14 + index,
        ...(master === undefined ? {} : { master: master + 8 * index }),
      }, { address: area.address + index * half, sizeBytes: half });
    const channels = [channel(0), channel(1)] as const;
    const drives: (IdeDisk | IdeCd)[] = [];
    for (const one of channels) {
      for (const unit of [0, 1] as const) {
        const drive = await identify(one, unit, options);
        if (drive !== undefined) drives.push(drive);
      }
    }
    return new IdeGuest(channels, drives);
  }

  /** The drive at a place, if there is one. */
  drive(channel: 0 | 1, unit: 0 | 1): IdeDisk | IdeCd | undefined {
    return this.drives.find((drive) => drive.channel === this.channels[channel] && drive.unit === unit);
  }

  /** The disk at a place. @throws RangeError where there is none */
  disk(channel: 0 | 1, unit: 0 | 1): IdeDisk {
    const drive = this.drive(channel, unit);
    if (!(drive instanceof IdeDisk)) throw new RangeError(`no disk at ide.${channel}, unit ${unit}`);
    return drive;
  }

  /** The CD drive at a place. @throws RangeError where there is none */
  cd(channel: 0 | 1, unit: 0 | 1): IdeCd {
    const drive = this.drive(channel, unit);
    if (!(drive instanceof IdeCd)) throw new RangeError(`no CD drive at ide.${channel}, unit ${unit}`);
    return drive;
  }

  /** Resets a channel by SRST: after an aborted call. */
  async reset(channel: 0 | 1, options: IdeCallOptions = {}): Promise<void> {
    await this.channels[channel].softReset(options.signal);
  }
}

async function busMaster(controller: PciFunction, present: readonly PciFunction[]): Promise<number> {
  await assignPci([controller], present);
  return await controller.read(BAR4) & 0xfffc;
}

/** Asks who is there: IDENTIFY, and IDENTIFY PACKET where the signature says so. */
async function identify(
  channel: IdeChannelDriver,
  unit: 0 | 1,
  { signal }: IdeCallOptions,
): Promise<IdeDisk | IdeCd | undefined> {
  await channel.out(6, 0xa0 | unit << 4);
  const before = await channel.in(7);
  if (before === 0xff) return undefined;
  await channel.issue(unit, 0xec);
  let status = await channel.idle(signal);
  if (status === 0) return undefined;
  await channel.in(7);
  let isCd = false;
  if ((status & AtaStatus.DRQ) === 0) {
    const signature = await channel.in(4) | await channel.in(5) << 8;
    if (signature !== 0xeb14) return undefined;
    isCd = true;
    await channel.issue(unit, 0xa1);
    status = await channel.idle(signal);
    await channel.in(7);
    if ((status & AtaStatus.DRQ) === 0) return undefined;
  }
  const bytes = new Uint8Array(SECTOR);
  await channel.bus.ins16(channel.place.command, bytes);
  const identity = decodeIdentity(bytes, isCd);
  return isCd ? new IdeCd(channel, unit, identity) : new IdeDisk(channel, unit, identity);
}

function decodeIdentity(bytes: Uint8Array, isCd: boolean): DriveIdentity {
  const view = new DataView(bytes.buffer);
  const words = Uint16Array.from({ length: 256 }, (_, i) => view.getUint16(i * 2, true));
  const text = (word: number, length: number) =>
    Array.from({ length }, (_, i) => String.fromCharCode(bytes[word * 2 + (i ^ 1)]!)).join("").trim();
  const lba48 = !isCd && (words[83]! & 0x0400) !== 0;
  const sectors = lba48 ? view.getUint32(200, true) + view.getUint32(204, true) * 2 ** 32 : view.getUint32(120, true);
  return {
    model: text(27, 40),
    serial: text(10, 20),
    firmware: text(23, 8),
    sectors: isCd ? 0 : sectors,
    lba48,
    trim: !isCd && (words[169]! & 1) !== 0,
    writeCache: (words[85]! & 0x20) !== 0,
    words,
  };
}

function wholeSectors(bytes: Uint8Array): number {
  if (bytes.length % SECTOR !== 0) throw new RangeError(`${bytes.length} bytes are no whole sectors`);
  return bytes.length / SECTOR;
}

function be32(value: number): number[] {
  return [value >>> 24, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff];
}

function packetName(packet: readonly number[] | Uint8Array): string {
  return `packet command ${(packet[0] ?? 0).toString(16).padStart(2, "0")}h`;
}
