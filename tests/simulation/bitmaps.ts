/**
 * What the image's bitmaps may say: after power was lost each of them is right, or it says itself that it is not to be
 * trusted.
 *
 * Of each bitmap two sets of units are known: those that must be dirty, since a change to them has ended, and those that
 * may be, since one has begun.
 *
 * @module
 */
import { SECTOR_BYTES } from "../../base/units.ts";
import { addBitmap, type BlockNode, clearBitmap, removeBitmap } from "../../block/mod.ts";

/** One bitmap as it may be. */
interface Expected {
  readonly unitSectors: number;
  readonly must: ReadonlySet<number>;
  readonly may: ReadonlySet<number>;
  /** The image has it since it was opened; else it may be gone. */
  readonly isKept: boolean;
  /** It is being removed. */
  readonly isGoing: boolean;
  /** It was not to be trusted when the image was opened. */
  readonly isBroken: boolean;
}

/** Bitmaps by name at one moment; sets are never changed, only replaced. */
export type BitmapExpectation = ReadonlyMap<string, Expected>;

/** A bitmap that was found in an image. */
export interface FoundBitmap {
  readonly name: string;
  readonly unitSectors: number;
  readonly isBroken: boolean;
  readonly dirty: ReadonlySet<number>;
}

/** The bitmaps of the guest's disk. */
export class BitmapsModel {
  #bitmaps = new Map<string, Expected>();
  #added = 0;

  get any(): boolean {
    return this.#bitmaps.size > 0;
  }

  /** One that is not to be trusted keeps the disk's size. */
  get anyBroken(): boolean {
    return [...this.#bitmaps.values()].some(({ isBroken }) => isBroken);
  }

  expectation(): BitmapExpectation {
    return new Map(this.#bitmaps);
  }

  /** A change of sectors begins, which may mark them. */
  begin(first: number, count: number): void {
    this.#mark(first, count, "may");
  }

  /** It has ended well. */
  end(first: number, count: number): void {
    this.#mark(first, count, "must");
  }

  #mark(first: number, count: number, which: "may" | "must"): void {
    if (count === 0) return;
    for (const [name, bitmap] of this.#bitmaps) {
      const units = new Set(bitmap[which]);
      const { unitSectors } = bitmap;
      for (let unit = Math.floor(first / unitSectors); unit * unitSectors < first + count; unit++) units.add(unit);
      this.#bitmaps.set(name, { ...bitmap, [which]: units });
    }
  }

  /** The disk has another size. */
  resize(sectors: number): void {
    const inside = (units: ReadonlySet<number>, { unitSectors }: Expected) =>
      new Set([...units].filter((unit) => unit * unitSectors < sectors));
    for (const [name, bitmap] of this.#bitmaps) {
      this.#bitmaps.set(name, { ...bitmap, must: inside(bitmap.must, bitmap), may: inside(bitmap.may, bitmap) });
    }
  }

  /** A step of the operator on `node`; false where there was nothing to be done. */
  async step(node: BlockNode, a: number, b: number): Promise<boolean> {
    const names = [...this.#bitmaps.keys()];
    const name = names[b % Math.max(1, names.length)];
    if (name === undefined || (a % 4 < 2 && names.length < 3)) {
      const added = `b${++this.#added}`;
      const unitSectors = 1 << b % 5;
      await addBitmap(node, { name: added, granularityBytes: unitSectors * SECTOR_BYTES, persistent: true });
      const clean = { must: new Set<number>(), may: new Set<number>() };
      this.#bitmaps.set(added, { unitSectors, ...clean, isKept: false, isGoing: false, isBroken: false });
      return true;
    }
    const bitmap = this.#bitmaps.get(name)!;
    if (bitmap.isGoing) return false;
    if (a % 4 < 3 || bitmap.isBroken) {
      this.#bitmaps.set(name, { ...bitmap, isGoing: true });
      await removeBitmap(node, name);
    } else {
      clearBitmap(node, name);
      this.#bitmaps.set(name, { ...bitmap, must: new Set(), may: new Set() });
    }
    return true;
  }

  /** The image was closed and opened again, or power was lost: these are its bitmaps. */
  found(bitmaps: readonly FoundBitmap[]): void {
    this.#bitmaps = new Map(
      bitmaps.map(({ name, unitSectors, isBroken, dirty }) => [
        name,
        { unitSectors, must: dirty, may: dirty, isKept: true, isGoing: false, isBroken },
      ]),
    );
  }
}

/** The bitmaps that the image has. */
export function bitmapsOf(node: BlockNode): FoundBitmap[] {
  return node.bitmaps.map((bitmap) => {
    const { name, granularityBytes, inconsistent: isBroken } = bitmap;
    const dirty = new Set<number>();
    for (let run = bitmap.nextDirty(); run !== undefined; run = bitmap.nextDirty(run.at + run.length)) {
      for (let at = run.at; at < run.at + run.length; at += granularityBytes) {
        dirty.add(Math.floor(at / granularityBytes));
      }
    }
    return { name, unitSectors: granularityBytes / SECTOR_BYTES, isBroken, dirty };
  });
}

/** What is wrong with the bitmaps found, where the image was `closed` well or not. */
export function bitmapProblem(
  found: readonly FoundBitmap[],
  expected: BitmapExpectation,
  closed: boolean,
): string | undefined {
  for (const [name, { isKept, isGoing }] of expected) {
    if ((isKept || closed) && !isGoing && !found.some((one) => one.name === name)) return `bitmap ${name} is gone`;
  }
  for (const { name, unitSectors, isBroken, dirty } of found) {
    const wanted = expected.get(name);
    if (wanted === undefined || (closed && wanted.isGoing)) return `bitmap ${name} is there, though nobody wants it`;
    if (wanted.unitSectors !== unitSectors) return `bitmap ${name} has units of ${unitSectors} sectors`;
    if (isBroken) {
      if (closed && !wanted.isBroken) return `bitmap ${name} is not to be trusted, though all went well`;
      continue;
    }
    if (wanted.isBroken) return `bitmap ${name} is to be trusted again`;
    const missing = [...wanted.must].find((unit) => !dirty.has(unit));
    if (missing !== undefined) return `bitmap ${name} misses a change to unit ${missing}`;
    const extra = [...dirty].find((unit) => !wanted.may.has(unit));
    if (extra !== undefined) return `bitmap ${name} has unit ${extra}, which nobody has changed`;
  }
  return undefined;
}
