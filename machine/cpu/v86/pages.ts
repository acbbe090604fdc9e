/**
 * From linear to physical addresses by the guest's page tables, without leaving a trace in them or in the CPU.
 *
 * The core's own function is no help: it panics where a page is not there. Rights are not looked at. Tables outside RAM
 * count as absent.
 *
 * Source: [SDM] volume 3, 4.3 "32-Bit Paging" and 4.4 "PAE Paging".
 *
 * @module
 */
import type { Core } from "./core.ts";
import { At } from "./layout.ts";

/** CR0.PG. */
const PAGING = 0x8000_0000;
/** CR4.PSE and CR4.PAE. */
const BIG_PAGES = 0x10;
const WIDE_ENTRIES = 0x20;
const PRESENT = 1;
const BIG = 0x80;

/** The physical address that `linear` means now; `undefined` where it means none. */
export function translate(core: Core, linear: number): number | undefined {
  if ((core.word(At.cr) & PAGING) === 0) return linear;
  const [cr3, cr4] = [core.word(At.cr + 12), core.word(At.cr + 16)];
  return (cr4 & WIDE_ENTRIES) === 0
    ? translateNarrow(core.ram, cr3, linear, (cr4 & BIG_PAGES) !== 0)
    : translateWide(core.ram, cr3, linear);
}

/** Entries of four bytes, 1024 in a table. */
function translateNarrow(ram: Uint8Array, cr3: number, linear: number, bigPages: boolean): number | undefined {
  const directory = entryAt(ram, ((cr3 & ~0xfff) >>> 0) + (linear >>> 22) * 4);
  if (directory === undefined) return undefined;
  if (bigPages && (directory & BIG) !== 0) return ((directory & 0xffc0_0000) | linear & 0x3f_ffff) >>> 0;
  const page = entryAt(ram, ((directory & ~0xfff) >>> 0) + (linear >>> 12 & 0x3ff) * 4);
  return page === undefined ? undefined : (page & ~0xfff | linear & 0xfff) >>> 0;
}

/** Entries of eight bytes, 512 in a table, four tables above them; RAM lies below 4 GiB. */
function translateWide(ram: Uint8Array, cr3: number, linear: number): number | undefined {
  const above = entryAt(ram, ((cr3 & ~0x1f) >>> 0) + (linear >>> 30) * 8);
  if (above === undefined) return undefined;
  const directory = entryAt(ram, ((above & ~0xfff) >>> 0) + (linear >>> 21 & 0x1ff) * 8);
  if (directory === undefined) return undefined;
  if ((directory & BIG) !== 0) return ((directory & 0xffe0_0000) | linear & 0x1f_ffff) >>> 0;
  const page = entryAt(ram, ((directory & ~0xfff) >>> 0) + (linear >>> 12 & 0x1ff) * 8);
  return page === undefined ? undefined : (page & ~0xfff | linear & 0xfff) >>> 0;
}

/** The lower word of a table's entry; `undefined` where it is not present. */
function entryAt(ram: Uint8Array, address: number): number | undefined {
  if (address + 4 > ram.length) return undefined;
  const entry = new DataView(ram.buffer, ram.byteOffset + address, 4).getUint32(0, true);
  return (entry & PRESENT) === 0 ? undefined : entry;
}
