/**
 * `info tlb` and `info mem` as QEMU prints them.
 *
 * @module
 */
import type { PageMapping } from "../../machine/mod.ts";

/** Linear addresses that are mapped without a gap and may be used alike. */
export interface MappedRange {
  readonly from: number;
  /** The first address behind it. */
  readonly to: number;
  readonly user: boolean;
  readonly writable: boolean;
}

/** Letters of an entry's bits, in QEMU's order. */
const BITS = [
  ["X", 1n << 63n],
  ["G", 0x100n],
  ["P", 0x80n],
  ["D", 0x40n],
  ["A", 0x20n],
  ["C", 0x10n],
  ["T", 8n],
  ["U", 4n],
  ["W", 2n],
] as const;
const SMALL_PAGE_BYTES = 4096;
/** In a small page's entry this bit says nothing of its size. */
const BIG = 0x80n;
const SMALL_OFFSET = 0xfffn;
/** QEMU takes as many bits from the address of a page of 4 MiB as of one of 2 MiB. */
const BIG_OFFSET = 0x1f_ffffn;

function hex16(value: number | bigint): string {
  return value.toString(16).padStart(16, "0");
}

/** A line of `info tlb`. */
export function tlbText({ linear, sizeBytes, entry }: PageMapping): string {
  const isSmall = sizeBytes === SMALL_PAGE_BYTES;
  const shown = isSmall ? entry & ~BIG : entry;
  const letters = BITS.map(([letter, bit]) => (shown & bit) === 0n ? "-" : letter).join("");
  return `${hex16(linear)}: ${hex16(entry & ~(isSmall ? SMALL_OFFSET : BIG_OFFSET))} ${letters}\n`;
}

/** Pages by ascending address, put together. */
export function mappedRanges(pages: readonly PageMapping[]): MappedRange[] {
  const ranges: MappedRange[] = [];
  for (const { linear, sizeBytes, user, writable } of pages) {
    const last = ranges.at(-1);
    const goesOn = last?.to === linear && last.user === user && last.writable === writable;
    if (goesOn) ranges.pop();
    ranges.push({ from: goesOn ? last.from : linear, to: linear + sizeBytes, user, writable });
  }
  return ranges;
}

/** A line of `info mem`. */
export function memText({ from, to, user, writable }: MappedRange): string {
  return `${hex16(from)}-${hex16(to)} ${hex16(to - from)} ${user ? "u" : "-"}r${writable ? "w" : "-"}\n`;
}
