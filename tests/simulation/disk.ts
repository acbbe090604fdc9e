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

/** What a write did, as plants see it. */
export interface WriteSeen {
  readonly at: number;
  readonly length: number;
}

/** One file. */
export class SimulatedDisk {
  #durable: Uint8Array;
  #durableSize: number;
  #bytes: Uint8Array;
  #size: number;
  #order = 0;
  readonly #versions = new Map<number, Version[]>();
  #sizes: { order: number; size: number }[] = [];
  readonly #underWay = new Set<UnderWay>();

  constructor(content: Uint8Array = new Uint8Array(0)) {
    const room = Math.max(1 << 16, content.length);
    this.#bytes = new Uint8Array(room);
    this.#bytes.set(content);
    this.#durable = this.#bytes.slice();
    this.#size = this.#durableSize = content.length;
  }

  get size(): number {
    return this.#size;
  }

  /** What readers see; a view, to be used at once. */
  get volatile(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  read(at: number, length: number): Uint8Array {
    return this.#bytes.subarray(at, at + length);
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
    this.#reserve(write.at + length);
    this.#bytes.set(write.bytes.subarray(0, length), write.at);
    this.#changed(write.at, length, true, late);
    if (write.at + length > this.#size) this.#resized(write.at + length);
  }

  /** Zeroes that make the file no longer. */
  erase(at: number, length: number): void {
    const inside = Math.min(length, this.#size - at);
    if (inside <= 0) return;
    this.#bytes.fill(0, at, at + inside);
    this.#changed(at, inside, false, 0);
  }

  truncate(size: number): void {
    if (size < this.#size) this.erase(size, this.#size - size);
    this.#reserve(size);
    this.#resized(size);
  }

  #resized(size: number): void {
    this.#size = size;
    this.#sizes.push({ order: ++this.#order, size });
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const room = Math.max(size, this.#bytes.length * 2);
    const grown = (old: Uint8Array) => {
      const bytes = new Uint8Array(room);
      bytes.set(old);
      return bytes;
    };
    this.#bytes = grown(this.#bytes);
    this.#durable = grown(this.#durable);
  }

  #changed(at: number, length: number, isWrite: boolean, late: number): void {
    const order = ++this.#order;
    for (let sector = Math.floor(at / SECTOR_BYTES); sector * SECTOR_BYTES < at + length; sector++) {
      const bytes = this.#bytes.slice(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
      const versions = this.#versions.get(sector);
      const version = { order, bytes, isWrite, late };
      if (versions === undefined) this.#versions.set(sector, [version]);
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
      this.#durable.set(versions[covered - 1]!.bytes, sector * SECTOR_BYTES);
      if (covered === versions.length) this.#versions.delete(sector);
      else versions.splice(0, covered);
    }
    for (const { order, size } of this.#sizes) if (order <= mark) this.#durableSize = size;
    this.#sizes = this.#sizes.filter(({ order }) => order > mark);
  }

  /** What power loss at this moment leaves. */
  afterPowerLoss(random: Random): Uint8Array {
    const survives = this.#chooseSurvivors(random);
    const image = this.#durable.slice();
    const sizes = [this.#durableSize, ...this.#sizes.map(({ size }) => size)];
    let size = sizes[random.below(sizes.length)]!;
    for (const [sector, versions] of this.#versions) {
      const version = versions.findLast(({ order }) => survives(order));
      if (version === undefined) continue;
      image.set(version.bytes, sector * SECTOR_BYTES);
      if (version.isWrite) size = Math.max(size, Math.min((sector + 1) * SECTOR_BYTES, this.#size));
    }
    const torn = [...this.#underWay].filter(() => random.below(2) === 0);
    let end = size;
    for (const { at, bytes } of torn) end = Math.max(end, at + bytes.length);
    const left = new Uint8Array(end);
    left.set(image.subarray(0, Math.min(size, image.length)));
    for (const { at, bytes } of torn) {
      for (let done = 0; done < bytes.length;) {
        const length = Math.min(SECTOR_BYTES - (at + done) % SECTOR_BYTES, bytes.length - done);
        if (random.below(2) === 0) {
          left.set(bytes.subarray(done, done + length), at + done);
          size = Math.max(size, at + done + length);
        }
        done += length;
      }
    }
    return left.subarray(0, size);
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
