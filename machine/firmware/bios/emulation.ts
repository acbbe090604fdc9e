/**
 * El Torito: a floppy or a disk that is emulated by part of a CD, and takes the first place among those of its kind.
 *
 * What is emulated stands in the extended BIOS data area, so that a snapshot keeps it. It cannot be written to.
 *
 * Source: El Torito 1.0, 2.3 "Floppy and hard drive boot emulation", 4 "INT 13 extensions".
 *
 * @module
 */
import { SECTOR_BYTES } from "../../../base/units.ts";
import type { AddressSpace } from "../../../devices/bus/mod.ts";
import { BDA, type DiskShape, EXTENDED_AREA } from "./site.ts";

/** Bytes of a CD's block. */
export const CD_BLOCK_BYTES = 2048;
const PACKET_BYTES = 0x13;
const FIRST_DISK = 0x80;
const HARD_DISK = 4;
const FLOPPY_PRESENT = 0x01;
const FLOPPY_COUNT_SHIFT = 6;

/** Floppies by the catalog's media type. */
const FLOPPIES: Readonly<Record<number, DiskShape>> = {
  1: { cylinders: 80, heads: 2, sectors: 15 },
  2: { cylinders: 80, heads: 2, sectors: 18 },
  3: { cylinders: 80, heads: 2, sectors: 36 },
};

/** What is emulated. */
export interface Emulation {
  /** 1 to 3: floppies of 1.2, 1.44 and 2.88 MB; 4: a hard disk. */
  readonly media: number;
  /** The CD's number in int 13h. */
  readonly cd: number;
  /** Where on the CD it begins, in blocks. */
  readonly block: number;
  readonly shape: DiskShape;
  readonly loadSegment: number;
}

/** The shape that an emulated medium has; a disk's comes from where its only partition ends. */
export function emulatedShape(media: number, firstSector: Uint8Array): DiskShape | undefined {
  if (media !== HARD_DISK) return FLOPPIES[media];
  const [heads, sectorBits, cylinderBits] = firstSector.subarray(446 + 5, 446 + 8);
  const sectors = sectorBits! & 0x3f;
  if (sectors === 0) return undefined;
  return { cylinders: (cylinderBits! | ((sectorBits! & 0xc0) << 2)) + 1, heads: heads! + 1, sectors };
}

/** Bytes of it. */
export function emulatedBytes({ shape }: Emulation): number {
  return shape.cylinders * shape.heads * shape.sectors * SECTOR_BYTES;
}

/** Its number in int 13h. */
export function emulatedNumber({ media }: Pick<Emulation, "media">): number {
  return media === HARD_DISK ? FIRST_DISK : 0;
}

/** The emulation that is under way. */
export class DiskEmulation {
  readonly #memory: AddressSpace;

  constructor(memory: AddressSpace) {
    this.#memory = memory;
  }

  /** What is emulated now. */
  get current(): Emulation | undefined {
    const at = EXTENDED_AREA.emulation;
    const [media, cd, heads, sectors] = [0, 1, 2, 3].map((offset) => this.#memory.readValue(at + offset, 1));
    if (media! < 1 || media! > HARD_DISK) return undefined;
    return {
      media: media!,
      cd: cd!,
      block: this.#memory.readValue(at + 4, 4),
      shape: { cylinders: this.#memory.readValue(at + 8, 2), heads: heads! || 256, sectors: sectors! },
      loadSegment: this.#memory.readValue(at + 10, 2),
    };
  }

  /** Begins, and counts the disk among those that there are. */
  start(emulation: Emulation): void {
    const { media, cd, block, shape, loadSegment } = emulation;
    const at = EXTENDED_AREA.emulation;
    for (const [offset, value] of [media, cd, shape.heads & 0xff, shape.sectors].entries()) {
      this.#memory.writeValue(at + offset, 1, value);
    }
    this.#memory.writeValue(at + 4, 4, block);
    this.#memory.writeValue(at + 8, 2, shape.cylinders);
    this.#memory.writeValue(at + 10, 2, loadSegment);
    this.#count(media, 1);
  }

  /** Ends; what was shown before is there again. */
  end(): void {
    const { current } = this;
    if (current === undefined) return;
    this.#memory.writeValue(EXTENDED_AREA.emulation, 1, 0);
    this.#count(current.media, -1);
  }

  /** Describes it to the guest: the specification packet. Without an emulation it names the CD only. */
  writePacket(at: number, number: number): void {
    const { current } = this;
    const packet = new Uint8Array(PACKET_BYTES);
    const view = new DataView(packet.buffer);
    packet[0] = PACKET_BYTES;
    packet[2] = number;
    if (current !== undefined) {
      const last = current.shape.cylinders - 1;
      packet[1] = current.media;
      packet[2] = emulatedNumber(current);
      view.setUint32(4, current.block, true);
      view.setUint16(12, current.loadSegment, true);
      view.setUint16(14, 1, true);
      packet[16] = last;
      packet[17] = ((last >> 2) & 0xc0) | current.shape.sectors;
      packet[18] = current.shape.heads - 1;
    }
    this.#memory.write(at, packet);
  }

  #count(media: number, change: 1 | -1): void {
    const memory = this.#memory;
    if (media === HARD_DISK) {
      return memory.writeValue(BDA.hardDisks, 1, (memory.readValue(BDA.hardDisks, 1) + change) & 0xff);
    }
    const equipment = memory.readValue(BDA.equipment, 2);
    const before = (equipment & FLOPPY_PRESENT) === 0 ? 0 : ((equipment >> FLOPPY_COUNT_SHIFT) & 3) + 1;
    const count = Math.min(4, Math.max(0, before + change));
    const bits = count === 0 ? 0 : FLOPPY_PRESENT | ((count - 1) << FLOPPY_COUNT_SHIFT);
    memory.writeValue(BDA.equipment, 2, (equipment & ~(FLOPPY_PRESENT | (3 << FLOPPY_COUNT_SHIFT))) | bits);
  }
}
