/**
 * A cache of pieces of metadata: L2 slices or refcount blocks, held as they are on disk.
 *
 * A hit is synchronous. A piece that has been looked up may be changed until the next await; after that look it up again.
 * Only clean pieces are dropped for room: who finds that {@link TableCache.isFull} writes the dirty ones back
 * (image.ts). Clean pieces stand in a ring of their own, so that finding one to drop does not mean passing dirty ones.
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import { alignDown, alignUp } from "../../../base/bits.ts";
import { IoVector } from "../../../base/io_vector.ts";
import type { HostFile } from "./host_file.ts";

/** What is written back is whole units of this: a page of the host's cache, so that no write means reading. */
const UNIT_BYTES = 4096;

/** One piece of metadata, `bytes` big-endian. */
export class Table {
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  dirty = false;
  /** Bytes that changed lie between these. */
  dirtyFrom = 0;
  dirtyTo = 0;
  /** Looked up since the clock hand went by. */
  used = true;
  /** Neighbours in the ring of clean pieces; itself where it stands in none. */
  previous: Table = this;
  next: Table = this;

  constructor(offset: number, bytes: Uint8Array<ArrayBuffer>) {
    this.offset = offset;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

/** Pieces of one size, by their offset in the file. */
export class TableCache {
  readonly pieceBytes: number;
  /** Pieces; it may change, and is kept to when the next is read. */
  capacity: number;
  readonly #file: HostFile;
  readonly #loadEvent: string;
  readonly #tables = new Map<number, Table>();
  readonly #loading = new Map<number, Promise<Table>>();
  readonly #dirty = new Set<Table>();
  /** The ring of clean pieces begins behind this one, which is none: the hand of the clock. */
  readonly #hand = new Table(-1, new Uint8Array(0));
  /** Since nothing was dirty, a piece came for which there was no room. */
  #crowded = false;
  /** Called once, when the first piece comes. */
  whenUsed: (() => void) | undefined;

  /** `capacity` in pieces, at least 2; `loadEvent` is what blkdebug calls a read of one. */
  constructor(file: HostFile, pieceBytes: number, capacity: number, loadEvent: string) {
    this.#file = file;
    this.#loadEvent = loadEvent;
    this.pieceBytes = pieceBytes;
    this.capacity = Math.max(2, capacity);
  }

  /** Dirty pieces leave too little room for others: time to write back. A cache that has room for all never says so. */
  get isFull(): boolean {
    return this.#crowded && this.#dirty.size * 2 > this.capacity;
  }

  /** The piece at `offset` if it is here. */
  lookup(offset: number): Table | undefined {
    const table = this.#tables.get(offset);
    if (table !== undefined) table.used = true;
    return table;
  }

  /** The piece at `offset`, read if need be. Before changing it, ask {@link lookup} whether it is still the one. */
  async load(offset: number): Promise<Table> {
    return this.lookup(offset) ?? await (this.#loading.get(offset) ?? this.#read(offset));
  }

  #read(offset: number): Promise<Table> {
    const reading = this.#readFresh(offset, () => this.#loading.get(offset) === reading);
    this.#loading.set(offset, reading);
    return reading;
  }

  /** `isWanted`: false once somebody has forgotten or replaced the piece, and so knows better than what is read. */
  async #readFresh(offset: number, isWanted: () => boolean): Promise<Table> {
    try {
      const table = new Table(offset, new Uint8Array(this.pieceBytes));
      this.#file.node.debugEvent(this.#loadEvent);
      await this.#file.read(offset, IoVector.of(table.bytes));
      if (!isWanted()) return this.#tables.get(offset) ?? table;
      this.#insert(table);
      return table;
    } finally {
      if (isWanted()) this.#loading.delete(offset);
    }
  }

  /** Puts a new piece at `offset`, of zeroes or of `bytes`, dirty; nothing is read. */
  create(offset: number, bytes: Uint8Array<ArrayBuffer> = new Uint8Array(this.pieceBytes)): Table {
    this.forget(offset, this.pieceBytes);
    const table = new Table(offset, bytes);
    this.#insert(table);
    this.markDirty(table);
    return table;
  }

  #insert(table: Table): void {
    const { whenUsed } = this;
    this.whenUsed = undefined;
    whenUsed?.();
    while (this.#tables.size >= this.capacity) {
      this.#crowded = true;
      if (!this.#dropOne()) break;
    }
    this.#tables.set(table.offset, table);
    this.#enter(table);
  }

  /** The clock rule: the first clean piece not looked up since the hand last passed; where all are dirty, none. */
  #dropOne(): boolean {
    const hand = this.#hand;
    if (hand.next === hand) return false;
    let table = hand.next;
    while (table.used) {
      table.used = false;
      this.#leave(table);
      this.#enter(table);
      table = hand.next;
    }
    this.#leave(table);
    this.#tables.delete(table.offset);
    return true;
  }

  /** Puts a clean piece last in the ring. */
  #enter(table: Table): void {
    const hand = this.#hand;
    table.previous = hand.previous;
    table.next = hand;
    hand.previous.next = table;
    hand.previous = table;
  }

  #leave(table: Table): void {
    table.previous.next = table.next;
    table.next.previous = table.previous;
    table.previous = table;
    table.next = table;
  }

  /** Bytes `from` to `to` of the piece have changed. */
  markDirty(table: Table, from = 0, to = table.bytes.length): void {
    if (table.dirty) {
      if (from < table.dirtyFrom) table.dirtyFrom = from;
      if (to > table.dirtyTo) table.dirtyTo = to;
      return;
    }
    assert(this.#tables.get(table.offset) === table, "a piece that is changed is in the cache");
    table.dirty = true;
    table.dirtyFrom = from;
    table.dirtyTo = to;
    this.#dirty.add(table);
    this.#leave(table);
  }

  /** Drops what is cached of `length` bytes from `offset`, dirty or not: the area is no table any more. */
  forget(offset: number, length: number): void {
    for (let at = offset; at < offset + length; at += this.pieceBytes) {
      this.#loading.delete(at);
      const table = this.#tables.get(at);
      if (table === undefined) continue;
      this.#dirty.delete(table);
      this.#leave(table);
      this.#tables.delete(at);
    }
  }

  /** The dirty pieces, in file order. */
  dirtyTables(): Table[] {
    return [...this.#dirty].sort((a, b) => a.offset - b.offset);
  }

  /** Writes what has changed of one dirty piece; the caller keeps everybody from changing it meanwhile. */
  async writeBack(table: Table): Promise<void> {
    const from = alignDown(table.dirtyFrom, UNIT_BYTES);
    const to = Math.min(alignUp(table.dirtyTo, UNIT_BYTES), table.bytes.length);
    await this.#file.write(table.offset + from, table.bytes.subarray(from, to));
    if (!this.#dirty.delete(table)) return;
    table.dirty = false;
    this.#enter(table);
    if (this.#dirty.size === 0) this.#crowded = false;
  }

  /** Drops all clean pieces that were not looked up since the last call. */
  dropUnused(): void {
    for (const [offset, table] of this.#tables) {
      if (!table.used && !table.dirty) {
        this.#leave(table);
        this.#tables.delete(offset);
      }
      table.used = false;
    }
  }

  /** Drops everything; nothing here may be dirty that is still wanted. */
  clear(): void {
    this.#tables.clear();
    this.#loading.clear();
    this.#dirty.clear();
    this.#hand.next = this.#hand;
    this.#hand.previous = this.#hand;
  }
}
