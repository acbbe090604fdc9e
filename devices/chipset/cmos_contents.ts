/**
 * What a PC's firmware expects to find in CMOS: memory sizes, drives, boot order.
 *
 * Source: [Ralf Brown's Interrupt List] CMOS.LST; the values are those that QEMU 7.2's pc machine writes.
 *
 * @module
 */
import { GiB, KiB, MiB } from "../../base/units.ts";

/** A disk's geometry as the firmware is told. */
export interface CmosDisk {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
  /** How the firmware maps geometry for old software. */
  readonly translation?: "none" | "lba" | "large" | "rechs";
}

export type CmosFloppy = "none" | "120" | "144" | "288";

export interface CmosContents {
  /** RAM below and above 4 GiB. */
  readonly lowRamBytes: number;
  readonly highRamBytes: number;
  readonly cpus: number;
  /** Letters of `-boot order=`: `"cad"`. */
  readonly bootOrder: string;
  /** Whether the firmware looks for a boot signature on floppies. */
  readonly checksFloppySignature?: boolean;
  readonly floppies?: readonly [CmosFloppy, CmosFloppy];
  /** Primary master and slave, secondary master and slave; CD drives are none. */
  readonly disks?: readonly (CmosDisk | undefined)[];
}

const FLOPPY_CODE: Record<CmosFloppy, number> = { none: 0, "120": 2, "144": 4, "288": 5 };
const TRANSLATION_CODE = { none: 0, lba: 1, large: 2, rechs: 3 } as const;
const BASE_MEMORY_KIB = 640;

/** Boot letters and the numbers that the firmware knows devices by. */
const BOOT_CODE: Readonly<Record<string, number>> = { a: 1, b: 1, c: 2, d: 3, n: 4, o: 4, p: 4 };

/** The bytes for `-boot order=`: index and value; the same that `boot_set` changes. */
export function bootOrderBytes(order: string, checksFloppySignature = true): [index: number, value: number][] {
  const [first = 0, second = 0, third = 0] = [...order].map((letter) => BOOT_CODE[letter] ?? 0);
  return [[0x3d, second << 4 | first], [0x38, third << 4 | (checksFloppySignature ? 0 : 1)]];
}

/** All bytes that a board writes: index and value. */
export function cmosBytes(contents: CmosContents): [index: number, value: number][] {
  const { lowRamBytes, highRamBytes, cpus, floppies = ["none", "none"], disks = [] } = contents;
  const extendedKib = Math.min(0xffff, Math.max(0, Math.floor((lowRamBytes - MiB) / KiB)));
  const above16Mib = Math.min(0xffff, Math.max(0, Math.floor((lowRamBytes - 16 * MiB) / (64 * KiB))));
  const above4Gib = Math.floor(highRamBytes / (64 * KiB));
  const bytes: [number, number][] = [
    ...word(0x15, BASE_MEMORY_KIB),
    ...word(0x17, extendedKib),
    ...word(0x30, extendedKib),
    ...word(0x34, above16Mib),
    [0x5b, above4Gib & 0xff],
    [0x5c, (above4Gib >> 8) & 0xff],
    [0x5d, (above4Gib >> 16) & 0xff],
    [0x5f, cpus - 1],
    ...bootOrderBytes(contents.bootOrder, contents.checksFloppySignature),
    [0x10, FLOPPY_CODE[floppies[0]] << 4 | FLOPPY_CODE[floppies[1]]],
  ];
  const floppyCount = floppies.filter((floppy) => floppy !== "none").length;
  // FPU and mouse are there; bit 0 says that floppies are, bits 6 and 7 how many more than one.
  bytes.push([0x14, 0x06 | (floppyCount === 0 ? 0 : floppyCount === 1 ? 0x01 : 0x41)]);
  const [first, second] = disks;
  bytes.push([0x12, (first === undefined ? 0 : 0xf0) | (second === undefined ? 0 : 0x0f)]);
  if (first !== undefined) bytes.push(...diskBytes(0x19, 0x1b, first));
  if (second !== undefined) bytes.push(...diskBytes(0x1a, 0x24, second));
  let translations = 0;
  for (const [index, disk] of disks.entries()) {
    if (disk !== undefined) translations |= TRANSLATION_CODE[disk.translation ?? guessTranslation(disk)] << (2 * index);
  }
  bytes.push([0x39, translations & 0xff]);
  return bytes;
}

/** How RAM of `bytes` is split around the hole below 4 GiB on i440FX. */
export function splitRam(bytes: number): { lowRamBytes: number; highRamBytes: number } {
  // From 3.5 GiB on only 3 lie below, so that what lies above is aligned to a GiB.
  const limit = bytes >= 3.5 * GiB ? 3 * GiB : 3.5 * GiB;
  const lowRamBytes = Math.min(bytes, limit);
  return { lowRamBytes, highRamBytes: bytes - lowRamBytes };
}

function guessTranslation({ cylinders, heads, sectors }: CmosDisk): "none" | "lba" {
  return cylinders <= 1024 && heads <= 16 && sectors <= 63 ? "none" : "lba";
}

/** A user-defined type (47), its geometry from `at` on. */
function diskBytes(typeAt: number, at: number, { cylinders, heads, sectors }: CmosDisk): [number, number][] {
  return [
    [typeAt, 47],
    ...word(at, cylinders),
    [at + 2, heads],
    ...word(at + 3, 0xffff), // write precompensation: none
    [at + 5, 0xc0 | (heads > 8 ? 0x08 : 0)],
    ...word(at + 6, cylinders), // landing zone
    [at + 8, sectors],
  ];
}

function word(index: number, value: number): [number, number][] {
  return [[index, value & 0xff], [index + 1, (value >> 8) & 0xff]];
}
