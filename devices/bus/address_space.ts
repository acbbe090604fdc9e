/**
 * An address space: a memory tree as somebody sees it, and accesses to it.
 *
 * The flat view is made anew on the first access after a change. The space of 64 Ki ports is dispatched through a table,
 * one look-up an access; a memory space by binary search, after a look at the range that was hit last.
 *
 * What is not there reads as zeroes in memory and as ones among ports; writes to it are lost.
 *
 * @module
 */
import { accessSize, isValidAccess, readRegisters, swapped, writeRegisters } from "./access.ts";
import { type FlatRange, flatten } from "./flat_view.ts";
import type { MemoryRegion } from "./memory_region.ts";
import type { GuestRam } from "./ram.ts";

/** One view of a memory tree. Addresses and lengths are bytes below 2^53. */
export class AddressSpace implements GuestRam, Disposable {
  readonly name: string;
  readonly root: MemoryRegion;
  /** What a byte where nothing is reads as. */
  readonly #absent: number;
  readonly #forget: () => void;
  #ranges: FlatRange[] | undefined;
  #last: FlatRange | undefined;

  constructor(name: string, root: MemoryRegion, options: { absent?: 0x00 | 0xff } = {}) {
    this.name = name;
    this.root = root;
    this.#absent = options.absent ?? 0;
    this.#forget = root.observe(() => {
      this.#ranges = undefined;
      this.#last = undefined;
    });
  }

  /** As far as a `number` counts, or the size of the root. */
  get sizeBytes(): number {
    return Math.min(Number(this.root.sizeBytes), Number.MAX_SAFE_INTEGER);
  }

  /** What is seen, in ascending order. */
  get ranges(): readonly FlatRange[] {
    return this.#ranges ??= flatten(this.root);
  }

  /** The range at `address`, where there is one. */
  find(address: number): FlatRange | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.start && address < last.end) return last;
    const { ranges } = this;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]!.end <= address) low = middle + 1;
      else high = middle;
    }
    const range = ranges[low];
    return range !== undefined && range.start <= address ? this.#last = range : undefined;
  }

  /** A little-endian value of 1, 2 or 4 bytes, as a CPU loads it. */
  readValue(address: number, size: number): number {
    const range = this.find(address);
    if (range?.handlers !== undefined && address + size <= range.end) {
      const offset = range.offset + (address - range.start);
      if (accessSize(range.handlers, offset, size) === size) return this.#readOnce(range, offset, size);
    }
    const bytes = new Uint8Array(size);
    this.read(address, bytes);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[i]!;
    return value;
  }

  /** Stores a little-endian value of 1, 2 or 4 bytes, as a CPU does. */
  writeValue(address: number, size: number, value: number): void {
    const range = this.find(address);
    if (range?.handlers !== undefined && address + size <= range.end) {
      const offset = range.offset + (address - range.start);
      if (accessSize(range.handlers, offset, size) === size) return this.#writeOnce(range, offset, size, value);
    }
    const bytes = new Uint8Array(size);
    for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
    this.write(address, bytes);
  }

  read(address: number, into: Uint8Array): void {
    this.#each(address, into.length, (range, at, offset, length) => {
      const part = into.subarray(at, at + length);
      if (range?.ram !== undefined) range.ram.read(offset, part);
      else if (range?.handlers === undefined) part.fill(this.#absent);
      else this.#readRegisters(range, offset, part);
    });
  }

  write(address: number, bytes: Uint8Array): void {
    this.#each(address, bytes.length, (range, at, offset, length) => {
      if (range === undefined || range.readonly) return;
      const part = bytes.subarray(at, at + length);
      if (range.ram !== undefined) {
        range.ram.write(offset, part);
        range.ram.changed(offset, length);
      } else this.#writeRegisters(range, offset, part);
    });
  }

  /**
   * The RAM at `address` itself; where not all of it is one piece of writable RAM, a copy, and what is written to that
   * reaches nothing.
   */
  slice(address: number, lengthBytes: number): Uint8Array {
    const range = this.find(address);
    if (range?.ram !== undefined && !range.readonly && address + lengthBytes <= range.end) {
      return range.ram.slice(range.offset + (address - range.start), lengthBytes);
    }
    const bytes = new Uint8Array(lengthBytes);
    this.read(address, bytes);
    return bytes;
  }

  changed(address: number, lengthBytes: number): void {
    this.#each(address, lengthBytes, (range, _at, offset, length) => range?.ram?.changed(offset, length));
  }

  /** How many bytes from `address` on lie in the same range or the same hole, `lengthBytes` at most. */
  runLength(address: number, lengthBytes: number): number {
    let shortest = lengthBytes;
    this.#each(address, lengthBytes, (_range, at, _offset, length) => {
      if (at === 0) shortest = length;
    });
    return shortest;
  }

  [Symbol.dispose](): void {
    this.#forget();
  }

  #each(
    address: number,
    lengthBytes: number,
    visit: (range: FlatRange | undefined, at: number, offset: number, length: number) => void,
  ): void {
    let at = 0;
    while (at < lengthBytes) {
      const here = address + at;
      const range = this.find(here);
      const end = range?.end ?? this.#nextStart(here);
      const length = Math.min(lengthBytes - at, end - here);
      visit(range, at, range === undefined ? 0 : range.offset + (here - range.start), length);
      at += length;
    }
  }

  #nextStart(address: number): number {
    let end = Infinity;
    for (const range of this.ranges) if (range.start > address) end = Math.min(end, range.start);
    return end;
  }

  #readRegisters(range: FlatRange, offset: number, into: Uint8Array): void {
    for (let at = 0; at < into.length;) {
      const size = accessSize(range.handlers!, offset + at, into.length - at);
      if (size > 4) {
        // Handlers take 4 bytes at most: the two halves of 8 go one after the other.
        for (let half = 0; half < size; half += 4) {
          store(into, at + half, 4, this.#readOnce(range, offset + at + half, 4));
        }
      } else store(into, at, size, this.#readOnce(range, offset + at, size));
      at += size;
    }
  }

  #writeRegisters(range: FlatRange, offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const size = accessSize(range.handlers!, offset + at, bytes.length - at);
      for (let part = 0; part < size; part += 4) {
        const width = Math.min(4, size);
        this.#writeOnce(range, offset + at + part, width, load(bytes, at + part, width));
      }
      at += size;
    }
  }

  #readOnce(range: FlatRange, offset: number, size: number): number {
    const handlers = range.handlers!;
    if (!isValidAccess(handlers, offset, size)) return this.#absent === 0 ? 0 : 2 ** (size * 8) - 1;
    const value = readRegisters(handlers, offset, size);
    return handlers.endian === "big" ? swapped(value, size) : value;
  }

  #writeOnce(range: FlatRange, offset: number, size: number, value: number): void {
    const handlers = range.handlers!;
    if (!isValidAccess(handlers, offset, size)) return;
    writeRegisters(handlers, offset, size, handlers.endian === "big" ? swapped(value, size) : value);
  }
}

function store(into: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256)) into[at + i] = rest % 256;
}

function load(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

/** How many ports there are. */
export const PORT_COUNT = 0x1_0000;

/** The port space: an address space of 64 Ki with one table look-up an access. */
export class PortSpace extends AddressSpace {
  #table: (FlatRange | undefined)[] | undefined;

  constructor(root: MemoryRegion) {
    super("I/O", root, { absent: 0xff });
    root.observe(() => this.#table = undefined);
  }

  override find(port: number): FlatRange | undefined {
    return (this.#table ??= this.#tabulate())[port];
  }

  #tabulate(): (FlatRange | undefined)[] {
    const table = new Array<FlatRange | undefined>(PORT_COUNT).fill(undefined);
    for (const range of this.ranges) table.fill(range, range.start, range.end);
    return table;
  }
}
