/**
 * What an address space sees: the memory tree without overlaps, as ranges in ascending order.
 *
 * Regions are painted in the order in which they are seen, so that a range that is taken stays taken; an alias paints
 * its target through a window. This file leaves out how an access is carried out.
 *
 * @module
 */
import type { IoHandlers, MemoryRegion } from "./memory_region.ts";
import type { GuestRam } from "./ram.ts";

/** A piece of one region, seen at one place. Addresses above 2^53 are cut off: no access gets there. */
export interface FlatRange {
  readonly start: number;
  /** First address after it. */
  readonly end: number;
  readonly region: MemoryRegion;
  /** Where in the region it begins. */
  readonly offset: number;
  readonly readonly: boolean;
  readonly ram: GuestRam | undefined;
  readonly handlers: IoHandlers | undefined;
}

interface Window {
  readonly start: bigint;
  readonly end: bigint;
}

interface Painted extends Window {
  readonly region: MemoryRegion;
  readonly offset: bigint;
  readonly readonly: boolean;
}

const HIGHEST = BigInt(Number.MAX_SAFE_INTEGER);

/** All ranges that are seen from `root`. */
export function flatten(root: MemoryRegion): FlatRange[] {
  const painted: Painted[] = [];
  paint(painted, root, 0n, { start: 0n, end: root.sizeBytes }, false);
  return join(painted).filter((range) => range.start < HIGHEST).map((range) => ({
    start: Number(range.start),
    end: Number(range.end < HIGHEST ? range.end : HIGHEST),
    region: range.region,
    offset: Number(range.offset),
    readonly: range.readonly,
    ram: range.region.content.kind === "ram" ? range.region.content.ram : undefined,
    handlers: range.region.content.kind === "io" ? range.region.content.handlers : undefined,
  }));
}

/** Paints `region`, whose first byte is seen at `base`, as far as it lies within `clip`. */
function paint(painted: Painted[], region: MemoryRegion, base: bigint, clip: Window, readonly: boolean): void {
  if (!region.enabled) return;
  const window = intersect(clip, { start: base, end: base + region.sizeBytes });
  if (window === undefined) return;
  const deaf = readonly || region.readonly;
  const alias = region.alias;
  if (alias !== undefined) return paint(painted, alias.target, base - alias.offset, window, deaf);
  for (const child of region.children) paint(painted, child, base + child.address, window, deaf);
  if (region.content.kind !== "container") fillGaps(painted, region, base, window, deaf);
}

/** Gives `region` what nobody has taken of `window`; `painted` stays in ascending order. */
function fillGaps(painted: Painted[], region: MemoryRegion, base: bigint, window: Window, readonly: boolean): void {
  let at = window.start;
  let index = painted.findIndex((range) => range.end > at);
  if (index < 0) index = painted.length;
  while (at < window.end) {
    const next = painted[index];
    const end = next === undefined || next.start > window.end ? window.end : next.start;
    if (at < end) {
      painted.splice(index, 0, { start: at, end, region, offset: at - base, readonly });
      index++;
    }
    if (next === undefined) return;
    at = next.end;
    index++;
  }
}

function join(painted: readonly Painted[]): Painted[] {
  const joined: Painted[] = [];
  for (const range of painted) {
    const last = joined.at(-1);
    if (
      last !== undefined && last.end === range.start && last.region === range.region &&
      last.readonly === range.readonly && last.offset + (last.end - last.start) === range.offset
    ) {
      joined[joined.length - 1] = { ...last, end: range.end };
    } else joined.push(range);
  }
  return joined;
}

function intersect(a: Window, b: Window): Window | undefined {
  const start = a.start > b.start ? a.start : b.start;
  const end = a.end < b.end ? a.end : b.end;
  return start < end ? { start, end } : undefined;
}
