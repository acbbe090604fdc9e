/**
 * A file whose volatile and durable bytes are kept apart.
 *
 * A write changes the volatile bytes; a flush makes durable what had been written when the flush was asked for. What
 * power loss leaves is made sector by sector: each holds its durable content or that after any later write to it, and a
 * write under way may have reached some of its sectors. Between two flushes the order of writes says nothing.
 *
 * @module
 */
import type { Random } from "../../base/random.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { type FileContent, Pages } from "./pages.ts";

/** The content of a sector after a write; only `isWrite` makes a file longer. */
interface Version {
  readonly order: number;
  readonly bytes: Uint8Array;
  readonly isWrite: boolean;
  /** How many flushes will pass it by: 0 in a sound file. */
  late: number;
}

interface UnderWay {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** One file. */
export class SimulatedDisk {
  readonly #durable: Pages;
  #durableSize: number;
  readonly #bytes: Pages;
  #size: number;
  #order = 0;
  readonly #versions = new Map<number, Version[]>();
  #sizes: { order: number; size: number }[] = [];
  readonly #underWay = new Set<UnderWay>();

  constructor(content: FileContent = { pages: new Pages(), size: 0 }) {
    this.#bytes = content.pages.copy();
    this.#durable = content.pages.copy();
    this.#size = this.#durableSize = content.size;
  }

  get size(): number {
    return this.#size;
  }

  /** What readers see, apart from what is written later. */
  content(): FileContent {
    return { pages: this.#bytes.copy(), size: this.#size };
  }

  /** Bytes as readers see them; zeroes beyond the end. */
  read(at: number, into: Uint8Array): void {
    this.#bytes.read(at, into);
  }

  /** A write is asked for; power may be lost in the middle of it from now on. */
  begin(at: number, bytes: Uint8Array): UnderWay {
    const write = { at, bytes };
    this.#underWay.add(write);
    return write;
  }

  /** The write ends, after `length` bytes of it; `late` flushes are to miss it. */
  end(write: UnderWay, length: number = write.bytes.length, late = 0): void {
    this.#underWay.delete(write);
    if (length === 0) return;
    this.#bytes.write(write.at, write.bytes.subarray(0, length));
    this.#changed(write.at, length, true, late);
    if (write.at + length > this.#size) this.#resized(write.at + length);
  }

  /** Zeroes that make the file no longer. */
  erase(at: number, length: number): void {
    const inside = Math.min(length, this.#size - at);
    if (inside <= 0) return;
    this.#bytes.clear(at, at + inside);
    this.#changed(at, inside, false, 0);
  }

  truncate(size: number): void {
    if (size < this.#size) this.erase(size, this.#size - size);
    this.#resized(size);
  }

  #resized(size: number): void {
    this.#size = size;
    this.#sizes.push({ order: ++this.#order, size });
  }

  #changed(at: number, length: number, isWrite: boolean, late: number): void {
    const order = ++this.#order;
    const first = Math.floor(at / SECTOR_BYTES);
    const count = Math.ceil((at + length) / SECTOR_BYTES) - first;
    const all = this.#bytes.slice(first * SECTOR_BYTES, count * SECTOR_BYTES);
    for (let i = 0; i < count; i++) {
      const bytes = all.subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES);
      const versions = this.#versions.get(first + i);
      const version = { order, bytes, isWrite, late };
      if (versions === undefined) this.#versions.set(first + i, [version]);
      else versions.push(version);
    }
  }

  /** What a flush that is asked for now will cover. */
  get flushMark(): number {
    return this.#order;
  }

  /** A flush ends that was asked for at `mark`. */
  flushed(mark: number): void {
    for (const [sector, versions] of this.#versions) {
      let covered = 0;
      while (covered < versions.length && versions[covered]!.order <= mark && versions[covered]!.late === 0) covered++;
      for (const version of versions) if (version.order <= mark && version.late > 0) version.late--;
      if (covered === 0) continue;
      this.#durable.write(sector * SECTOR_BYTES, versions[covered - 1]!.bytes);
      if (covered === versions.length) this.#versions.delete(sector);
      else versions.splice(0, covered);
    }
    for (const { order, size } of this.#sizes) if (order <= mark) this.#durableSize = size;
    this.#sizes = this.#sizes.filter(({ order }) => order > mark);
  }

  /** What power loss at this moment leaves. */
  afterPowerLoss(random: Random): FileContent {
    const survives = this.#chooseSurvivors(random);
    const left = this.#durable.copy();
    const sizes = [this.#durableSize, ...this.#sizes.map(({ size }) => size)];
    let size = sizes[random.below(sizes.length)]!;
    for (const [sector, versions] of this.#versions) {
      const version = versions.findLast(({ order }) => survives(order));
      if (version === undefined) continue;
      left.write(sector * SECTOR_BYTES, version.bytes);
      if (version.isWrite) size = Math.max(size, Math.min((sector + 1) * SECTOR_BYTES, this.#size));
    }
    left.cut(size);
    const torn = [...this.#underWay].filter(() => random.below(2) === 0);
    for (const { at, bytes } of torn) {
      for (let done = 0; done < bytes.length;) {
        const length = Math.min(SECTOR_BYTES - (at + done) % SECTOR_BYTES, bytes.length - done);
        if (random.below(2) === 0) {
          left.write(at + done, bytes.subarray(done, done + length));
          size = Math.max(size, at + done + length);
        }
        done += length;
      }
    }
    return { pages: left, size };
  }

  /** Which writes have reached the disk: all or none, one, all but one, the first ones, or sector by sector at random. */
  #chooseSurvivors(random: Random): (order: number) => boolean {
    const orders = [...new Set([...this.#versions.values()].flat().map(({ order }) => order))].sort((a, b) => a - b);
    const one = orders[random.below(Math.max(1, orders.length))] ?? 0;
    switch (random.below(8)) {
      case 0:
        return () => true;
      case 1:
        return () => false;
      case 2:
        return (order) => order === one;
      case 3:
        return (order) => order !== one;
      case 4:
        return (order) => order <= one;
      case 5: {
        const chosen = new Set(orders.filter(() => random.below(2) === 0));
        return (order) => chosen.has(order);
      }
      default: {
        const share = 1 + random.below(3);
        return () => random.below(4) < share;
      }
    }
  }
}
