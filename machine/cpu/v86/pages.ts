/**
 * The guest's page tables, looked at without leaving a trace in them or in the CPU: from linear to physical addresses,
 * and all that is mapped.
 *
 * The core's own function is no help: it panics where a page is not there. Rights are not looked at, and bits that should
 * be zero are passed over, as a debugger wants it. Tables outside RAM count as absent.
 *
 * Source: [SDM] volume 3, 4.3 "32-Bit Paging" with PSE-36 for 40 bits of address, 4.4 "PAE Paging".
 *
 * @module
 */
import type { PageMapping } from "../accelerator.ts";
import type { Core } from "./core.ts";
import { At } from "./layout.ts";

/** CR0.PG. */
const PAGING = 0x8000_0000;
/** CR4.PSE and CR4.PAE. */
const BIG_PAGES = 0x10;
const WIDE_ENTRIES = 0x20;
const PRESENT = 1;
const WRITABLE = 2;
const USER = 4;
const BIG = 0x80;
/** Of a big page's entry without PAE: bits 32 to 39 of the address. */
const HIGH_ADDRESS = 0x1f_e000;
const LINEAR_BYTES = 2 ** 32;

/** One level of tables. */
interface Level {
  /** An entry is for 2^shift bytes. */
  readonly shift: number;
  readonly entries: number;
  /** Whether an entry may be of a page itself. */
  readonly big: boolean;
  /** Whether its entries limit what may be done below. */
  readonly rights: boolean;
}

/** How the CPU translates now. */
interface Paging {
  readonly root: number;
  /** 4 or 8. */
  readonly entryBytes: number;
  readonly levels: readonly Level[];
}

interface Entry {
  readonly low: number;
  readonly high: number;
}

const PAGE: Level = { shift: 12, entries: 1024, big: false, rights: true };
const WIDE_LEVELS: readonly Level[] = [
  { shift: 30, entries: 4, big: false, rights: false },
  { shift: 21, entries: 512, big: true, rights: true },
  { ...PAGE, entries: 512 },
];

function pagingOf(core: Core): Paging | undefined {
  if ((core.word(At.cr) & PAGING) === 0) return undefined;
  const [cr3, cr4] = [core.word(At.cr + 12), core.word(At.cr + 16)];
  if ((cr4 & WIDE_ENTRIES) !== 0) return { root: (cr3 & ~0x1f) >>> 0, entryBytes: 8, levels: WIDE_LEVELS };
  const directory = { ...PAGE, shift: 22, big: (cr4 & BIG_PAGES) !== 0 };
  return { root: (cr3 & ~0xfff) >>> 0, entryBytes: 4, levels: [directory, PAGE] };
}

/** The physical address that `linear` means now; `undefined` where it means none. */
export function translate(core: Core, linear: bigint): number | undefined {
  const paging = pagingOf(core);
  if (paging === undefined) return linear <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(linear) : undefined;
  const address = Number(BigInt.asUintN(32, linear));
  let table = paging.root;
  for (const [depth, level] of paging.levels.entries()) {
    const entry = entryAt(core.ram, paging, table, (address >>> level.shift) % level.entries);
    if (entry === undefined) return undefined;
    if (isPage(paging, depth, entry)) return frame(paging, depth, entry) + address % 2 ** level.shift;
    table = tableAt(entry);
  }
  return undefined;
}

/** All pages that are mapped, by linear address; `undefined` where there is no paging. */
export function mappings(core: Core): PageMapping[] | undefined {
  const paging = pagingOf(core);
  if (paging === undefined) return undefined;
  const found: PageMapping[] = [];
  collect(core.ram, paging, 0, paging.root, 0, USER | WRITABLE, found);
  return found;
}

function collect(
  ram: Uint8Array,
  paging: Paging,
  depth: number,
  table: number,
  from: number,
  rightsAbove: number,
  found: PageMapping[],
): void {
  const level = paging.levels[depth]!;
  const sizeBytes = 2 ** level.shift;
  for (let index = 0; index < level.entries; index++) {
    const linear = from + index * sizeBytes;
    if (linear >= LINEAR_BYTES) return;
    const entry = entryAt(ram, paging, table, index);
    if (entry === undefined) continue;
    const rights = level.rights ? rightsAbove & entry.low : rightsAbove;
    if (!isPage(paging, depth, entry)) {
      collect(ram, paging, depth + 1, tableAt(entry), linear, rights, found);
      continue;
    }
    const bits = BigInt(entry.high) << 32n | BigInt(entry.low);
    found.push({ linear, sizeBytes, entry: bits, user: (rights & USER) !== 0, writable: (rights & WRITABLE) !== 0 });
  }
}

function isPage({ levels }: Paging, depth: number, { low }: Entry): boolean {
  return depth === levels.length - 1 || (levels[depth]!.big && (low & BIG) !== 0);
}

/** Where the page of an entry lies. */
function frame({ entryBytes, levels }: Paging, depth: number, entry: Entry): number {
  const { shift } = levels[depth]!;
  const low = entry.low - entry.low % 2 ** shift;
  if (entryBytes === 8) return (entry.high & 0xf_ffff) * LINEAR_BYTES + low;
  return depth === 0 ? ((entry.low & HIGH_ADDRESS) >>> 13) * LINEAR_BYTES + low : low;
}

function tableAt({ low, high }: Entry): number {
  return (high & 0xf_ffff) * LINEAR_BYTES + ((low & ~0xfff) >>> 0);
}

/** An entry of a table; `undefined` where it is not present. */
function entryAt(ram: Uint8Array, { entryBytes }: Paging, table: number, index: number): Entry | undefined {
  const address = table + index * entryBytes;
  if (address + entryBytes > ram.length) return undefined;
  const view = new DataView(ram.buffer, ram.byteOffset + address, entryBytes);
  const low = view.getUint32(0, true);
  return (low & PRESENT) === 0 ? undefined : { low, high: entryBytes === 8 ? view.getUint32(4, true) : 0 };
}
