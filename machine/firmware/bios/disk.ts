/**
 * Int 13h: sectors of floppies (00h ...), disks (80h ...) and CDs (E0h ...), by cylinder, head and sector or, with the
 * extensions, by number.
 *
 * Left out: formatting as such (it succeeds and changes nothing), changes of a floppy's data rate.
 *
 * Source: Ralf Brown's Interrupt List, INT 13h; [EDD] BIOS Enhanced Disk Drive Services 3.0, 5.
 *
 * @module
 */
import { IoVector } from "../../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../../base/units.ts";
import { BlockError } from "../../../block/mod.ts";
import { type FirmwareCall, linear } from "./call.ts";
import { CD_BLOCK_BYTES, DiskEmulation, emulatedBytes, emulatedNumber } from "./emulation.ts";
import { BDA, type DiskShape, type FirmwareDisk, type FirmwareSite } from "./site.ts";

const STATUS = {
  ok: 0x00,
  badCommand: 0x01,
  writeProtected: 0x03,
  sectorNotFound: 0x04,
  badData: 0x10,
  controller: 0x20,
  noMedium: 0x31,
} as const;
const FIRST_DISK = 0x80;
const FIRST_CD = 0xe0;
/** Stands for every CD where emulation ends. */
const ALL_CDS = 0x7f;
/** What an ATA drive's own shape reaches. */
const MAX_CYLINDERS = 16383;
const MAX_HEADS = 16;
const MAX_SECTORS = 63;
/** What one call moves at most. */
const MAX_BLOCKS = 127;

/** A disk that is served: a drive's medium, or the part of a CD that emulates one. */
export interface ServedDisk extends FirmwareDisk {
  readonly start: number;
  readonly bytes: number;
  readonly shape: DiskShape;
  readonly isEmulated: boolean;
}

/** Floppies: bytes, then how many tracks and sectors, and the type that the drive says it is. */
const FLOPPIES: readonly (readonly [bytes: number, cylinders: number, sectors: number, type: number])[] = [
  [368_640, 40, 9, 1],
  [737_280, 80, 9, 3],
  [1_228_800, 80, 15, 2],
  [1_474_560, 80, 18, 4],
  [2_949_120, 80, 36, 6],
];

/** The shape that a disk of `bytes` shows: at most 1024 cylinders where that is possible, as firmware translates. */
export function diskShape(bytes: number): DiskShape {
  const total = Math.floor(bytes / SECTOR_BYTES);
  const heads = [16, 32, 64, 128].find((count) => total <= 1024 * count * 63) ?? 255;
  return { cylinders: Math.min(1024, Math.floor(total / (heads * 63))), heads, sectors: 63 };
}

/** The service. */
export class DiskService {
  readonly #site: FirmwareSite;
  /** What a CD emulates. */
  readonly emulation: DiskEmulation;

  constructor(site: FirmwareSite) {
    this.#site = site;
    this.emulation = new DiskEmulation(site.memory);
  }

  /** The disk behind a number of int 13h. An emulated one has the first, and the others of its kind follow. */
  find(number: number): ServedDisk | undefined {
    const kind = number < FIRST_DISK ? "floppy" : number < FIRST_CD ? "disk" : "cd";
    const first = kind === "floppy" ? 0 : kind === "disk" ? FIRST_DISK : FIRST_CD;
    const { current } = this.emulation;
    if (current === undefined || kind === "cd" || emulatedNumber(current) !== first) {
      return this.#drive(kind, number - first);
    }
    if (number > first) return this.#drive(kind, number - first - 1);
    const cd = this.#drive("cd", current.cd - FIRST_CD);
    if (cd === undefined) return undefined;
    const { shape, block } = current;
    return { ...cd, kind, start: block * CD_BLOCK_BYTES, bytes: emulatedBytes(current), shape, isEmulated: true };
  }

  /** Int 13h. */
  call(call: FirmwareCall): void | Promise<void> {
    const disk = this.find(call.dl);
    if (call.ah === 0x4b) return this.#emulation(call, disk);
    if (disk === undefined) return this.#end(call, STATUS.badCommand);
    switch (call.ah) {
      case 0x00:
      case 0x05:
      case 0x09:
      case 0x0c:
      case 0x0d:
      case 0x10:
      case 0x11:
      case 0x14:
      case 0x17:
      case 0x18:
        return this.#end(call, STATUS.ok);
      case 0x01: {
        const status = this.#site.memory.readValue(this.#statusAt(call.dl), 1);
        call.ah = status;
        call.carry = status !== STATUS.ok;
        return;
      }
      case 0x02:
      case 0x03:
      case 0x04:
        return this.#byShape(call, disk);
      case 0x08:
        return this.#parameters(call, disk);
      case 0x15:
        return this.#type(call, disk);
      case 0x16:
        return this.#end(call, STATUS.ok);
      case 0x41:
        if (call.bx !== 0x55aa || disk.kind === "floppy") return this.#end(call, STATUS.badCommand);
        call.bx = 0xaa55;
        call.cx = 0x0001 | 0x0004;
        this.#end(call, STATUS.ok);
        call.ah = 0x30;
        return;
      case 0x42:
      case 0x43:
      case 0x44:
      case 0x47:
        return disk.kind === "floppy" ? this.#end(call, STATUS.badCommand) : this.#byNumber(call, disk);
      case 0x48:
        return disk.kind === "floppy" ? this.#end(call, STATUS.badCommand) : this.#extendedParameters(call, disk);
      default:
        return this.#end(call, STATUS.badCommand);
    }
  }

  /** Reads `blocks` blocks of a disk into memory. */
  async load(disk: FirmwareDisk, block: number, blocks: number, address: number, blockBytes: number): Promise<void> {
    const bytes = new Uint8Array(blocks * blockBytes);
    await disk.backend.read(block * blockBytes, IoVector.of(bytes));
    this.#site.memory.write(address, bytes);
  }

  #drive(kind: FirmwareDisk["kind"], index: number): ServedDisk | undefined {
    const disk = this.#site.disks().filter((one) => one.kind === kind)[index];
    if (disk === undefined) return undefined;
    const bytes = disk.backend.sizeBytes;
    const shape = kind === "floppy" ? floppyShape(bytes) : disk.shape ?? diskShape(bytes);
    return { ...disk, start: 0, bytes, shape, isEmulated: false };
  }

  /** How many bytes a block of the disk has. */
  blockBytes(disk: FirmwareDisk): number {
    return disk.kind === "cd" ? CD_BLOCK_BYTES : SECTOR_BYTES;
  }

  #byShape(call: FirmwareCall, disk: ServedDisk): void | Promise<void> {
    const { shape } = disk;
    const cylinder = call.ch | ((call.cl & 0xc0) << 2);
    const sector = call.cl & 0x3f;
    if (call.al === 0 || call.al > 128) return this.#end(call, STATUS.badCommand);
    if (disk.kind === "cd" || sector === 0 || sector > shape.sectors || call.dh >= shape.heads) {
      return this.#end(call, STATUS.sectorNotFound);
    }
    const first = (cylinder * shape.heads + call.dh) * shape.sectors + sector - 1;
    return this.#transfer(call, disk, { first, count: call.al, address: linear(call.es, call.bx) });
  }

  #byNumber(call: FirmwareCall, disk: ServedDisk): void | Promise<void> {
    const { memory } = this.#site;
    const packet = linear(call.ds, call.si);
    const count = memory.readValue(packet + 2, 2);
    const high = memory.readValue(packet + 12, 4);
    const first = memory.readValue(packet + 8, 4) + high * 2 ** 32;
    if (memory.readValue(packet, 1) < 16 || count > MAX_BLOCKS || high >= 2 ** 20) {
      return this.#end(call, STATUS.badCommand);
    }
    if (call.ah === 0x47) return this.#end(call, STATUS.ok);
    const [offset, segment] = [memory.readValue(packet + 4, 2), memory.readValue(packet + 6, 2)];
    // All ones: the address stands behind, as 64 bits.
    const flat = offset === 0xffff && segment === 0xffff && memory.readValue(packet, 1) >= 24;
    const address = flat ? memory.readValue(packet + 16, 4) : linear(segment, offset);
    return this.#transfer(call, disk, { first, count, address }, packet);
  }

  /** Moves blocks; `call.ah`'s lowest bits say which way, in both sets of functions. */
  #transfer(
    call: FirmwareCall,
    disk: ServedDisk,
    blocks: { readonly first: number; readonly count: number; readonly address: number },
    packet?: number,
  ): void | Promise<void> {
    const { backend } = disk;
    const way = (["read", "write", "verify"] as const)[(call.ah & 7) - 2];
    if (!backend.isInserted) return this.#end(call, STATUS.noMedium);
    const unit = this.blockBytes(disk);
    const at = blocks.first * unit;
    const end = disk.start + at + blocks.count * unit;
    if (at + blocks.count * unit > disk.bytes || end > backend.sizeBytes) return this.#end(call, STATUS.sectorNotFound);
    if (way === "write" && (backend.readOnly || disk.kind === "cd" || disk.isEmulated)) {
      return this.#end(call, STATUS.writeProtected);
    }
    if (way === undefined) return this.#end(call, STATUS.badCommand);
    return this.#move(disk, way, disk.start + at, blocks.count * unit, blocks.address).then(
      () => this.#end(call, STATUS.ok),
      (error) => {
        if (!(error instanceof BlockError)) throw error;
        if (packet !== undefined) this.#site.memory.writeValue(packet + 2, 2, 0);
        else call.al = 0;
        this.#end(call, error.errno === "EIO" ? STATUS.badData : STATUS.controller);
      },
    );
  }

  async #move(
    { backend }: FirmwareDisk,
    way: "read" | "write" | "verify",
    at: number,
    length: number,
    address: number,
  ): Promise<void> {
    const bytes = new Uint8Array(length);
    if (way === "write") {
      this.#site.memory.read(address, bytes);
      await backend.write(at, IoVector.of(bytes));
      return;
    }
    await backend.read(at, IoVector.of(bytes));
    if (way === "read") this.#site.memory.write(address, bytes);
  }

  #parameters(call: FirmwareCall, disk: ServedDisk): void {
    if (disk.kind === "cd") return this.#end(call, STATUS.badCommand);
    const { shape } = disk;
    // The last cylinder of a disk is kept for tests of it, as ever.
    const last = disk.kind === "disk" ? Math.max(0, shape.cylinders - 2) : shape.cylinders - 1;
    const first = disk.kind === "floppy" ? 0 : FIRST_DISK;
    let others = 0;
    while (this.find(first + others) !== undefined) others++;
    call.ch = last & 0xff;
    call.cl = ((last >> 2) & 0xc0) | shape.sectors;
    call.dh = shape.heads - 1;
    call.dl = others;
    if (disk.kind === "floppy") {
      call.bx = floppyRow(disk.bytes)[3];
      // The table of the ROM that int 1Eh leads to.
      call.di = this.#site.memory.readValue(0x1e * 4, 2);
      call.es = this.#site.memory.readValue(0x1e * 4 + 2, 2);
    }
    this.#end(call, STATUS.ok);
    call.al = 0;
  }

  #type(call: FirmwareCall, disk: ServedDisk): void {
    if (disk.kind === "cd") return this.#end(call, STATUS.badCommand);
    this.#end(call, STATUS.ok);
    if (disk.kind === "floppy") {
      call.ah = 0x02;
      return;
    }
    const { cylinders, heads, sectors: perTrack } = disk.shape;
    const sectors = Math.max(0, cylinders - 1) * heads * perTrack;
    call.ah = 0x03;
    call.cx = Math.floor(sectors / 0x10000);
    call.dx = sectors % 0x10000;
  }

  #extendedParameters(call: FirmwareCall, disk: ServedDisk): void {
    const { memory } = this.#site;
    const at = linear(call.ds, call.si);
    const room = memory.readValue(at, 2);
    if (room < 26) return this.#end(call, STATUS.badCommand);
    const unit = this.blockBytes(disk);
    const blocks = Math.floor(disk.bytes / unit);
    const isCd = disk.kind === "cd";
    // The drive's own shape, valid while it reaches all of it; a CD is removable and can be locked.
    const { cylinders, heads, sectors } = disk.physical ?? disk.shape;
    const isWhole = blocks <= MAX_CYLINDERS * MAX_HEADS * MAX_SECTORS;
    memory.writeValue(at, 2, room < 30 ? 26 : 30);
    memory.writeValue(at + 2, 2, isCd ? 0x0014 : isWhole ? 0x0002 : 0);
    for (const [index, value] of [cylinders, heads, sectors].entries()) {
      memory.writeValue(at + 4 + 4 * index, 4, isCd ? 0xffff_ffff : value);
    }
    memory.writeValue(at + 16, 4, blocks % 2 ** 32);
    memory.writeValue(at + 20, 4, Math.floor(blocks / 2 ** 32));
    memory.writeValue(at + 24, 2, unit);
    // There is no table of the drive's ports.
    if (room >= 30) memory.writeValue(at + 26, 4, 0xffff_ffff);
    this.#end(call, STATUS.ok);
  }

  /** El Torito: which disk is emulated (01h); 00h ends that besides. */
  #emulation(call: FirmwareCall, disk: ServedDisk | undefined): void {
    const { current } = this.emulation;
    const isMeant = disk?.kind === "cd" || disk?.isEmulated || call.dl === ALL_CDS;
    if (!isMeant || call.al > 1) return this.#end(call, STATUS.badCommand);
    this.emulation.writePacket(linear(call.ds, call.si), call.dl);
    if (call.al === 0 && current !== undefined) this.emulation.end();
    this.#end(call, STATUS.ok);
  }

  #statusAt(number: number): number {
    return number < FIRST_DISK ? BDA.diskStatus : BDA.hardDiskStatus;
  }

  #end(call: FirmwareCall, status: number): void {
    this.#site.memory.writeValue(this.#statusAt(call.dl), 1, status);
    call.ah = status;
    call.carry = status !== STATUS.ok;
  }
}

function floppyRow(size: number): (typeof FLOPPIES)[number] {
  return FLOPPIES.find(([bytes]) => size <= bytes) ?? FLOPPIES.at(-1)!;
}

function floppyShape(bytes: number): DiskShape {
  const [, cylinders, sectors] = floppyRow(bytes);
  return { cylinders, heads: 2, sectors };
}
