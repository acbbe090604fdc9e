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
import { accessSize, isValidAccess, masked, readRegisters, swapped, writeRegisters } from "./access.ts";
import { type FlatRange, flatten } from "./flat_view.ts";
import { type IoHandlers, MemoryRegion } from "./memory_region.ts";
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
    if (range?.handlers !== undefined) {
      const offset = range.offset + (address - range.start);
      if (accessSize(range.handlers, offset, size) === size) return this.#readOnce(range.handlers, offset, size);
    } else if (range?.ram !== undefined && address + size <= range.end) {
      return load(range.ram.slice(range.offset + (address - range.start), size), 0, size);
    }
    const bytes = new Uint8Array(size);
    this.read(address, bytes);
    return load(bytes, 0, size);
  }

  /** Stores a little-endian value of 1, 2 or 4 bytes, as a CPU does. */
  writeValue(address: number, size: number, value: number): void {
    const range = this.find(address);
    if (range?.handlers !== undefined) {
      const offset = range.offset + (address - range.start);
      if (accessSize(range.handlers, offset, size) === size) {
        this.#writeOnce(range.handlers, offset, size, value);
        return;
      }
    } else if (range?.ram !== undefined && address + size <= range.end) {
      if (range.readonly) return;
      const offset = range.offset + (address - range.start);
      store(range.ram.slice(offset, size), 0, size, value);
      range.ram.changed(offset, size);
      return;
    }
    const bytes = new Uint8Array(size);
    store(bytes, 0, size, value);
    this.write(address, bytes);
  }

  /** Fills `into`; returns whether everything was there to be read. */
  read(address: number, into: Uint8Array): boolean {
    let complete = true;
    this.#each(address, into.length, (range, at, offset, length) => {
      const part = into.subarray(at, at + length);
      if (range?.ram !== undefined) range.ram.read(offset, part);
      else if (range?.handlers === undefined) {
        part.fill(this.#absent);
        complete = false;
      } else {
        if (!isValidAccess(range.handlers, offset, length)) complete = false;
        for (let done = 0; done < length; done += 4) {
          const size = Math.min(4, length);
          store(part, done, size, this.#readOnce(range.handlers, offset + done, size));
        }
      }
    });
    return complete;
  }

  /** Writes `bytes`; returns whether there was something everywhere. */
  write(address: number, bytes: Uint8Array): boolean {
    let complete = true;
    this.#each(address, bytes.length, (range, at, offset, length) => {
      const part = bytes.subarray(at, at + length);
      if (range?.ram !== undefined) {
        if (range.readonly) return;
        range.ram.write(offset, part);
        range.ram.changed(offset, length);
      } else if (range?.handlers === undefined) complete = false;
      else {
        for (let done = 0; done < length; done += 4) {
          const size = Math.min(4, length);
          this.#writeOnce(range.handlers, offset + done, size, load(part, done, size));
        }
      }
    });
    return complete;
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

  /**
   * As much of `lengthBytes` at `address` as is one piece of RAM, the bytes themselves; `undefined` where there is no RAM,
   * or, `forWriting`, none that takes writes. Nothing but RAM is touched.
   */
  ramAt(address: number, lengthBytes: number, forWriting: boolean): Uint8Array | undefined {
    const range = this.find(address);
    if (range?.ram === undefined || (forWriting && range.readonly)) return undefined;
    return range.ram.slice(range.offset + (address - range.start), Math.min(lengthBytes, range.end - address));
  }

  changed(address: number, lengthBytes: number): void {
    const range = this.find(address);
    if (range?.ram !== undefined && address + lengthBytes <= range.end) {
      range.ram.changed(range.offset + (address - range.start), lengthBytes);
      return;
    }
    this.#each(address, lengthBytes, (range, _at, offset, length) => range?.ram?.changed(offset, length));
  }

  [Symbol.dispose](): void {
    this.#forget();
  }

  /**
   * Cuts an access into pieces: as much of one RAM block as there is, or one access to registers. The latter goes to
   * the region that its first byte lies in, even where it reaches beyond it: hardware decodes the address only.
   */
  #each(
    address: number,
    lengthBytes: number,
    visit: (range: FlatRange | undefined, at: number, offset: number, length: number) => void,
  ): void {
    let at = 0;
    while (at < lengthBytes) {
      const here = address + at;
      const range = this.find(here);
      const left = lengthBytes - at;
      const offset = range === undefined ? 0 : range.offset + (here - range.start);
      let length: number;
      if (range?.handlers !== undefined) length = accessSize(range.handlers, offset, left);
      else length = Math.min(left, (range?.end ?? this.#nextStart(here)) - here);
      visit(range, at, offset, length);
      at += length;
    }
  }

  #nextStart(address: number): number {
    let end = Infinity;
    for (const range of this.ranges) if (range.start > address) end = Math.min(end, range.start);
    return end;
  }

  #readOnce(handlers: IoHandlers, offset: number, size: number): number {
    if (!isValidAccess(handlers, offset, size)) return this.#absent === 0 ? 0 : 2 ** (size * 8) - 1;
    const value = readRegisters(handlers, offset, size);
    return handlers.endian === "big" ? swapped(value, size) : value;
  }

  #writeOnce(handlers: IoHandlers, offset: number, size: number, value: number): void {
    if (!isValidAccess(handlers, offset, size)) return;
    writeRegisters(handlers, offset, size, handlers.endian === "big" ? swapped(value, size) : masked(value, size));
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

/** The region of all ports: an empty one reads as ones. */
export function portRegion(): MemoryRegion {
  return MemoryRegion.io("io", PORT_COUNT, {
    read: (_offset, size) => 2 ** (size * 8) - 1,
    write() {},
    validSizes: { min: 1, max: 4, unaligned: true },
    accessSizes: { min: 1, max: 4, unaligned: true },
  });
}

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
