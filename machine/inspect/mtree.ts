/**
 * Address spaces and the regions that they show, as data: what `info mtree` prints.
 *
 * QEMU's own order of address spaces differs from run to run; here it is the order of their creation. The regions that
 * aliases point at follow in the order in which they are met.
 *
 * @module
 */
import type { AddressSpace, MemoryRegion } from "../../devices/bus/mod.ts";
import type { Machine } from "../machine.ts";

/** One line. */
export interface MtreeRow {
  /** 0 for a section's root; a line is indented by two blanks more than twice this. */
  readonly depth: number;
  readonly start: bigint;
  /** Last address, inclusive. */
  readonly last: bigint;
  readonly priority: number;
  readonly kind: "i/o" | "ram" | "rom";
  readonly name: string;
  /** For an alias: the region it shows and which part of that. */
  readonly alias: { readonly name: string; readonly start: bigint; readonly last: bigint } | undefined;
  readonly enabled: boolean;
}

/** A section: the address spaces that share a root, or a region that aliases point at. */
export interface MtreeSection {
  /** The heading has a line for each name. */
  readonly names: readonly string[];
  readonly rows: readonly MtreeRow[];
}

/** What `info mtree` shows. */
export interface Mtree {
  readonly addressSpaces: readonly MtreeSection[];
  readonly regions: readonly MtreeSection[];
}

/** All of it; with `disabled`, rows of disabled regions too. */
export function mtree(machine: Machine, options: { readonly disabled?: boolean } = {}): Mtree {
  const aliased = new Set<MemoryRegion>();
  const byRoot = new Map<MemoryRegion, AddressSpace[]>();
  for (const space of machine.addressSpaces) {
    const sharing = byRoot.get(space.root);
    if (sharing === undefined) byRoot.set(space.root, [space]);
    else sharing.push(space);
  }
  const walker = new Walker(aliased, options.disabled ?? false);
  const addressSpaces = [...byRoot].map(([root, spaces]) => ({
    names: spaces.map(({ name }) => name).sort(),
    rows: walker.rows(root),
  }));
  const regions: MtreeSection[] = [];
  // More aliases may be met on the way: a Set hands out what is added while it is walked.
  for (const region of aliased) regions.push({ names: [region.name], rows: walker.rows(region) });
  return { addressSpaces, regions };
}

const LAST_ADDRESS = (1n << 64n) - 1n;

class Walker {
  readonly #aliased: Set<MemoryRegion>;
  readonly #disabled: boolean;

  constructor(aliased: Set<MemoryRegion>, disabled: boolean) {
    this.#aliased = aliased;
    this.#disabled = disabled;
  }

  rows(region: MemoryRegion): MtreeRow[] {
    const rows: MtreeRow[] = [];
    this.#walk(rows, region, 0, 0n);
    return rows;
  }

  #walk(rows: MtreeRow[], region: MemoryRegion, depth: number, base: bigint): void {
    const start = base + region.address;
    const { alias } = region;
    if (alias !== undefined) this.#aliased.add(alias.target);
    if (region.enabled || this.#disabled) {
      rows.push({
        depth,
        start,
        last: lastOf(start, region.sizeBytes),
        priority: region.priority,
        kind: region.kindName,
        name: region.name,
        alias: alias === undefined ? undefined : {
          name: alias.target.name,
          start: alias.offset,
          last: lastOf(alias.offset, region.sizeBytes),
        },
        enabled: region.enabled,
      });
    }
    if (alias !== undefined) return;
    for (const child of inOrder(region.children)) this.#walk(rows, child, depth + 1, start);
  }
}

function lastOf(start: bigint, sizeBytes: bigint): bigint {
  return sizeBytes === 0n ? start : (start + sizeBytes - 1n) & LAST_ADDRESS;
}

/** By address; of those at one address the one with the higher priority first, then as they are seen. */
function inOrder(regions: readonly MemoryRegion[]): MemoryRegion[] {
  return [...regions].sort((a, b) => a.address < b.address ? -1 : a.address > b.address ? 1 : b.priority - a.priority);
}
