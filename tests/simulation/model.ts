/**
 * What the guest may find: for each sector the values that a read may return now, and those that it may return after
 * power was lost now.
 *
 * A value is the number of the write that it came from (0: zeroes); on the disk a sector is full of that number and its
 * own, so that a torn, moved or foreign sector is seen. Lists of values are never changed, only replaced.
 *
 * @module
 */
import { SECTOR_BYTES } from "../../base/units.ts";

/** Values that one sector may have. */
export type Values = readonly number[];

const ZERO: Values = [0];

/** The bytes of `count` sectors from sector `first`, written with value `value`. */
export function sectorBytes(first: number, count: number, value: number): Uint8Array {
  const words = new Uint32Array(count * SECTOR_BYTES / 4);
  if (value === 0) return new Uint8Array(words.buffer);
  for (let i = 0; i < words.length; i += 2) {
    words[i] = value;
    words[i + 1] = first + Math.floor(i * 4 / SECTOR_BYTES);
  }
  return new Uint8Array(words.buffer);
}

/** The value of sector `sector` whose bytes begin at `at`; -1 where it is none. */
export function valueOf(words: Uint32Array, at: number, sector: number): number {
  const value = words[at / 4]!;
  const tag = value === 0 ? 0 : sector;
  for (let i = at / 4; i < (at + SECTOR_BYTES) / 4; i += 2) {
    if (words[i] !== value || words[i + 1] !== tag) return -1;
  }
  return value;
}

/** What is known of an internal snapshot. */
export interface SnapshotModel {
  readonly name: string;
  readonly sectors: readonly Values[];
  /** It is being taken or deleted: it may be there or not. */
  readonly uncertain: boolean;
  /** Bytes of VM state that it keeps; those of `vmStateBytes`. */
  readonly vmStateLength: number;
}

/** The machine's state that is kept with snapshot `name`. */
export function vmStateBytes(name: string, length: number): Uint8Array {
  const value = Number(name.slice(1));
  return new Uint8Array(length).map((_, i) => value * 31 + i % 251);
}

/** What may be found after power was lost. */
export interface Expectation {
  /** Sectors; the disk has one of these sizes. */
  readonly sizes: readonly number[];
  readonly sectors: readonly Values[];
  readonly snapshots: readonly SnapshotModel[];
}

/** A change that is under way. */
interface Addition {
  readonly first: number;
  readonly count: number;
  readonly values: (sector: number) => Values;
  readonly order: number;
}

/** The guest's disk. */
export class GuestModel {
  /** What a read may return. */
  now: Values[];
  /** What a read after a power loss may return. */
  #left: Values[];
  #sizes: number[];
  /** What the backing file may show; empty beyond its end. */
  readonly backing: Values[];
  snapshots: SnapshotModel[] = [];
  #lastValue = 1;
  #order = 0;
  #additions: Addition[] = [];
  #watchers = 0;

  constructor(sectors: number, backingSectors: number) {
    this.backing = Array.from({ length: backingSectors }, () => [1]);
    this.now = Array.from({ length: sectors }, (_, sector) => this.backing[sector] ?? ZERO);
    this.#left = this.now.slice();
    this.#sizes = [sectors];
  }

  get sectors(): number {
    return this.now.length;
  }

  /** A value that was never written. */
  nextValue(): number {
    return ++this.#lastValue;
  }

  expectation(): Expectation {
    return { sizes: this.#sizes, sectors: this.#left.slice(), snapshots: this.snapshots.slice() };
  }

  #add(first: number, count: number, values: (sector: number) => Values): void {
    if (this.#watchers > 0) this.#additions.push({ first, count, values, order: ++this.#order });
    for (let sector = first; sector < first + count; sector++) {
      this.#left[sector] = union(this.#left[sector] ?? [], values(sector));
      if (sector < this.now.length) this.now[sector] = union(this.now[sector]!, values(sector));
    }
  }

  /** A write begins: each sector has its old value or the new one. */
  begin(first: number, count: number, value: number): void {
    this.#add(first, count, () => [value]);
  }

  /** It ends well: the guest reads the new value. */
  end(first: number, count: number, value: number): void {
    for (let sector = first; sector < first + count; sector++) this.now[sector] = [value];
  }

  /** A flush begins; the returned function takes its end: well, and what was there is durable, or not. */
  flush(): (well: boolean) => void {
    const before = this.now.slice();
    const stop = this.#watch();
    return (well) => {
      const added = stop();
      if (!well) return;
      this.#left = this.#left.map((_, sector) => before[sector] ?? ZERO).slice(0, this.now.length);
      for (const { first, count, values } of added) {
        for (let sector = first; sector < first + count; sector++) {
          this.#left[sector] = union(this.#left[sector] ?? [], values(sector));
        }
      }
    };
  }

  /** These sectors were written through: power loss leaves the value. */
  durable(first: number, count: number, value: number): void {
    for (let sector = first; sector < first + count; sector++) this.#left[sector] = [value];
  }

  /** A resize or an apply was refused: nothing has changed. */
  refused(): void {
    this.#sizes = [this.sectors];
    this.#left = this.#left.slice(0, this.sectors);
  }

  /** A read begins; at its end the function tells what sectors may be. */
  read(first: number, count: number): () => Values[] {
    const before = this.now.slice(first, first + count);
    const stop = this.#watch();
    return () => {
      for (const addition of stop()) {
        for (let i = 0; i < addition.count; i++) {
          const at = addition.first + i - first;
          if (at >= 0 && at < count) before[at] = union(before[at]!, addition.values(addition.first + i));
        }
      }
      return before;
    };
  }

  #watch(): () => Addition[] {
    this.#watchers++;
    const order = this.#order;
    return () => {
      const added = this.#additions.filter((one) => one.order > order);
      if (--this.#watchers === 0) this.#additions = [];
      return added;
    };
  }

  /** Nobody waits for an answer any more. */
  forgetRequests(): void {
    this.#watchers = 0;
    this.#additions = [];
  }

  /** The size begins to change: what goes away may be gone, what comes may show the backing file for a moment. */
  beginResize(sectors: number): void {
    const from = Math.min(sectors, this.sectors);
    if (sectors < this.sectors) {
      this.#add(from, this.sectors - from, (sector) => union(ZERO, this.backing[sector] ?? ZERO));
    } else for (let sector = from; sector < sectors; sector++) this.#left[sector] = ZERO;
    this.#sizes = [this.sectors, sectors];
  }

  endResize(sectors: number): void {
    this.now = Array.from({ length: sectors }, (_, sector) => this.now[sector] ?? ZERO);
    this.#left = Array.from({ length: sectors }, (_, sector) => this.#left[sector] ?? ZERO);
    this.#sizes = [sectors];
  }

  /** A snapshot's state begins to become the active one. */
  beginApply(snapshot: SnapshotModel): void {
    const sectors = Math.max(snapshot.sectors.length, this.sectors);
    for (let sector = 0; sector < sectors; sector++) {
      this.#left[sector] = union(this.#left[sector] ?? [], snapshot.sectors[sector] ?? []);
    }
    this.#sizes = [this.sectors, snapshot.sectors.length];
  }

  endApply(snapshot: SnapshotModel): void {
    this.now = snapshot.sectors.slice();
    this.#left = snapshot.sectors.slice();
    this.#sizes = [this.now.length];
  }

  /** Everything in the disk may have gone into the backing file, and snapshots show what they do not hold themselves. */
  committed(): void {
    const { now, backing } = this;
    for (let sector = 0; sector < now.length; sector++) {
      backing[sector] = union(backing[sector] ?? ZERO, now[sector]!);
    }
    this.snapshots = this.snapshots.map((snapshot) => ({
      ...snapshot,
      sectors: snapshot.sectors.map((values, sector) => union(values, now[sector] ?? values)),
    }));
  }

  /** After power was lost: what was found is what is there. */
  found(values: readonly number[], snapshots: readonly string[]): void {
    this.forgetRequests();
    this.now = values.map((value) => [value]);
    this.#left = this.now.slice();
    this.#sizes = [this.now.length];
    this.snapshots = this.snapshots.filter(({ name }) => snapshots.includes(name))
      .map((snapshot) => ({ ...snapshot, uncertain: false }));
  }
}

function union(a: Values, b: Values): Values {
  if (b.every((value) => a.includes(value))) return a;
  return [...new Set([...a, ...b])];
}
