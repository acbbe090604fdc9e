/**
 * The 256 words that IDENTIFY DEVICE and IDENTIFY PACKET DEVICE return.
 *
 * Source: [ATA-8 ACS] 7.12 "IDENTIFY DEVICE", [ATA/ATAPI-6] 8.16 "IDENTIFY PACKET DEVICE". Values are those that
 * QEMU's drives show, recorded in testing/recordings.
 *
 * @module
 */
import type { Geometry } from "../drive/mod.ts";

/** What a disk says of itself. */
export interface DiskIdentity {
  readonly serial: string;
  readonly firmware: string;
  readonly model: string;
  /** World wide name; 0n for none. */
  readonly wwn: bigint;
  /** Rotations a minute; 1 for "does not rotate", 0 for "does not say". */
  readonly rotationRate: number;
  readonly geometry: Geometry;
  readonly totalSectors: number;
  readonly physicalBlockBytes: number;
  readonly trim: boolean;
  readonly writeCache: boolean;
  /** Sectors of a READ MULTIPLE block; 0 for off. */
  readonly multipleSectors: number;
}

/** What a CD drive says of itself. */
export type PacketIdentity = Pick<DiskIdentity, "serial" | "firmware" | "model" | "wwn">;

/** The most sectors that SET MULTIPLE MODE takes. */
export const MAX_MULTIPLE = 16;
/** What 28 bits can address: [ATA-8 ACS] 7.12.7.22. */
const MAX_LBA28 = 0xfffffff;
/** Ultra DMA modes 0 to 5. */
const UDMA_MODES = 0x003f;
const UDMA_5_SELECTED = 0x2000;
const ALL_THREE = 0x07;

/** A block of 256 words. */
class Words {
  readonly bytes = new Uint8Array(512);
  readonly #view = new DataView(this.bytes.buffer);

  set(word: number, value: number): void {
    this.#view.setUint16(word * 2, value & 0xffff, true);
  }

  get(word: number): number {
    return this.#view.getUint16(word * 2, true);
  }

  set32(word: number, value: number): void {
    this.set(word, value % 0x10000);
    this.set(word + 1, Math.floor(value / 0x10000));
  }

  /** Text in pairs of swapped bytes, filled up with blanks. */
  text(word: number, lengthBytes: number, text: string): void {
    for (let i = 0; i < lengthBytes; i++) this.bytes[word * 2 + (i ^ 1)] = (text.charCodeAt(i) || 0x20) & 0xff;
  }

  /** World wide name, most significant word first. */
  wwn(word: number, wwn: bigint): void {
    for (let i = 0; i < 4; i++) this.set(word + i, Number(wwn >> BigInt(48 - 16 * i) & 0xffffn));
  }
}

/** What a disk answers to IDENTIFY DEVICE. */
export function identifyDisk(identity: DiskIdentity): Uint8Array {
  const words = new Words();
  const { cylinders, heads, sectors } = identity.geometry;
  words.set(0, 0x0040); // Fixed drive.
  words.set(1, cylinders);
  words.set(3, heads);
  words.set(4, 512 * sectors);
  words.set(5, 512);
  words.set(6, sectors);
  words.text(10, 20, identity.serial);
  words.set(20, 3);
  words.set(21, 512); // Cache, in sectors.
  words.set(22, 4);
  words.text(23, 8, identity.firmware);
  words.text(27, 40, identity.model);
  words.set(47, 0x8000 | MAX_MULTIPLE);
  words.set(48, 1); // 32-bit data port.
  words.set(49, 0x0b00); // LBA, DMA, IORDY.
  words.set(51, 0x0200);
  words.set(52, 0x0200);
  words.set(53, 0x0007); // Words 54 to 58, 64 to 70 and 88 are valid.
  words.set(54, cylinders);
  words.set(55, heads);
  words.set(56, sectors);
  words.set32(57, cylinders * heads * sectors);
  if (identity.multipleSectors !== 0) words.set(59, 0x0100 | identity.multipleSectors);
  words.set(62, ALL_THREE);
  words.set(63, ALL_THREE);
  words.set(64, 3); // PIO modes 3 and 4.
  for (const word of [65, 66, 67, 68]) words.set(word, 120); // Cycle times, ns.
  if (identity.trim) words.set(69, 0x4000); // Deterministic reads after TRIM.
  words.set(80, 0x00f0); // ATA/ATAPI-4 to -7.
  words.set(81, 0x0016);
  capabilities(words, identity);
  words.set(88, UDMA_MODES | UDMA_5_SELECTED);
  words.set(93, 0x6001); // Hardware reset result.
  setDiskSize(words.bytes, identity.totalSectors);
  words.set(106, 0x6000 | Math.log2(identity.physicalBlockBytes / 512));
  if (identity.wwn !== 0n) words.wwn(108, identity.wwn);
  if (identity.trim) words.set(169, 1);
  if (identity.rotationRate !== 0) words.set(217, identity.rotationRate);
  return words.bytes;
}

/** Command sets that are there (82 to 84) and on (85 to 87). */
function capabilities(words: Words, identity: DiskIdentity): void {
  const named = identity.wwn !== 0n ? 0x0100 : 0;
  words.set(82, 0x4021); // NOP, write cache, SMART.
  words.set(83, 0x7400); // FLUSH CACHE [EXT], 48-bit addresses.
  words.set(84, 0x4000 | named);
  setWriteCache(words.bytes, identity.writeCache);
  words.set(86, 0x3400);
  words.set(87, 0x4000 | named);
}

/** Writes the sizes for 28 and 48 bits into what {@link identifyDisk} gave. */
export function setDiskSize(bytes: Uint8Array, totalSectors: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(120, Math.min(totalSectors, MAX_LBA28), true);
  view.setUint32(200, totalSectors % 0x1_0000_0000, true);
  view.setUint32(204, Math.floor(totalSectors / 0x1_0000_0000), true);
}

/** Shows whether the write cache is on, by all of word 85. */
export function setWriteCache(bytes: Uint8Array | undefined, on: boolean): void {
  if (bytes !== undefined) new DataView(bytes.buffer, bytes.byteOffset).setUint16(85 * 2, on ? 0x4021 : 0x4001, true);
}

/** Shows which transfer mode is selected, as SET FEATURES 03 takes it; says whether there is such a mode. */
export function setTransferMode(bytes: Uint8Array | undefined, mode: number): boolean {
  const kind = mode >> 3;
  if (![0, 1, 2, 4, 8].includes(kind)) return false;
  if (bytes === undefined) return true;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const selected = 1 << ((mode & 7) + 8);
  view.setUint16(62 * 2, ALL_THREE | (kind === 2 ? selected : 0), true);
  view.setUint16(63 * 2, ALL_THREE | (kind === 4 ? selected : 0), true);
  view.setUint16(88 * 2, UDMA_MODES | (kind === 8 ? selected : 0), true);
  return true;
}

/** What a CD drive answers to IDENTIFY PACKET DEVICE. */
export function identifyPacketDrive(identity: PacketIdentity): Uint8Array {
  const words = new Words();
  words.set(0, 0x85c0); // Removable CD-ROM, accelerated DRQ, 12-byte packets.
  words.text(10, 20, identity.serial);
  words.set(20, 3);
  words.set(21, 512);
  words.set(22, 4);
  words.text(23, 8, identity.firmware);
  words.text(27, 40, identity.model);
  words.set(48, 1);
  words.set(49, 0x0300); // DMA and LBA.
  words.set(53, 0x0007);
  words.set(62, ALL_THREE);
  words.set(63, ALL_THREE);
  words.set(64, 3);
  words.set(65, 0x00b4);
  words.set(66, 0x00b4);
  words.set(67, 0x012c);
  words.set(68, 0x00b4);
  words.set(71, 30); // ns from PACKET to the release of the bus.
  words.set(72, 30);
  words.set(80, 0x001e); // ATA/ATAPI-1 to -4.
  if (identity.wwn !== 0n) {
    words.set(84, 0x0100);
    words.set(87, 0x0100);
    words.wwn(108, identity.wwn);
  }
  words.set(88, UDMA_MODES | UDMA_5_SELECTED);
  return words.bytes;
}
