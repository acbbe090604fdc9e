/**
 * Reference counts of host clusters: the refcount table, its blocks, and counts that are to go down later.
 *
 * A count goes up at once. It goes down in memory only, and on disk when everything that no longer refers to the cluster
 * is durable (metadata.ts): so a crash leaks clusters and never loses any. Until then {@link Refcounts.deferred} holds it.
 *
 * Source: [QCOW2] "Host cluster management".
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { readUint64 } from "./header.ts";
import type { HostFile } from "./host_file.ts";
import { type Table, TableCache } from "./table_cache.ts";

const OFFSET_MASK_LOW = 0xffff_fe00;

/** Reads count `index` of a block of counts that are `2^order` bits wide. */
export function readCount(view: DataView, index: number, order: number): number {
  switch (order) {
    case 6:
      return readUint64(view, index * 8);
    case 5:
      return view.getUint32(index * 4);
    case 4:
      return view.getUint16(index * 2);
    case 3:
      return view.getUint8(index);
    default: {
      const perByte = 8 >> order;
      const width = 1 << order;
      return (view.getUint8(Math.floor(index / perByte)) >> ((index % perByte) * width)) & ((1 << width) - 1);
    }
  }
}

/** Sets count `index`; `value` fits into `2^order` bits. */
export function writeCount(view: DataView, index: number, order: number, value: number): void {
  switch (order) {
    case 6:
      view.setUint32(index * 8, Math.floor(value / 0x1_0000_0000));
      return view.setUint32(index * 8 + 4, value % 0x1_0000_0000);
    case 5:
      return view.setUint32(index * 4, value);
    case 4:
      return view.setUint16(index * 2, value);
    case 3:
      return view.setUint8(index, value);
    default: {
      const perByte = 8 >> order;
      const width = 1 << order;
      const shift = (index % perByte) * width;
      const at = Math.floor(index / perByte);
      view.setUint8(at, (view.getUint8(at) & ~(((1 << width) - 1) << shift)) | (value << shift));
    }
  }
}

/** The counts of one image. */
export class Refcounts {
  readonly order: number;
  /** The largest count that an entry holds. */
  readonly max: number;
  /** Counts in one block. */
  readonly blockEntries: number;
  readonly cache: TableCache;
  readonly clusterSize: number;
  tableOffset: number;
  /** Offsets of the blocks, 0 for none. */
  table: Float64Array;
  /** By cluster: how much its count is to go down once that is safe. */
  readonly deferred = new Map<number, number>();
  /** Clusters to discard in the file when they become free. */
  readonly toDiscard = new Set<number>();

  constructor(
    file: HostFile,
    options: { order: number; clusterSize: number; tableOffset: number; table: Float64Array; cachedBlocks: number },
  ) {
    this.order = options.order;
    this.max = options.order === 6 ? Number.MAX_SAFE_INTEGER : 2 ** (2 ** options.order) - 1;
    this.clusterSize = options.clusterSize;
    this.blockEntries = options.clusterSize * 8 / 2 ** options.order;
    this.tableOffset = options.tableOffset;
    this.table = options.table;
    this.cache = new TableCache(file, options.clusterSize, options.cachedBlocks, "refblock_load");
  }

  /** The table's size on disk: a whole number of clusters. */
  get tableBytes(): number {
    return this.table.length * ENTRY_BYTES;
  }

  /** The offset of the block that covers `cluster`, 0 for none. */
  blockOffset(cluster: number): number {
    return this.table[Math.floor(cluster / this.blockEntries)] ?? 0;
  }

  /** The count of `cluster`, or -1 where its block has to be read first. */
  peek(cluster: number): number {
    const offset = this.blockOffset(cluster);
    if (offset === 0) return 0;
    const block = this.cache.lookup(offset);
    return block === undefined ? -1 : this.#countIn(block, cluster);
  }

  /** The count of `cluster`, deferred changes included. */
  async get(cluster: number): Promise<number> {
    const offset = this.blockOffset(cluster);
    return offset === 0 ? 0 : this.#countIn(await this.cache.load(offset), cluster);
  }

  #countIn(block: Table, cluster: number): number {
    const stored = readCount(block.view, cluster % this.blockEntries, this.order);
    return this.deferred.size === 0 ? stored : stored - (this.deferred.get(cluster) ?? 0);
  }

  /** Counts `count` free clusters from `first` once each; their blocks are cached, and none of them waits to go down. */
  takeCached(first: number, count: number): void {
    for (let cluster = first; cluster < first + count; cluster++) {
      const block = this.cache.lookup(this.blockOffset(cluster));
      assert(block !== undefined, "the refcount block is cached");
      this.#write(block, cluster, 1);
    }
  }

  /** Sets the stored count; the block exists. */
  async set(cluster: number, value: number): Promise<void> {
    const offset = this.blockOffset(cluster);
    let block = this.cache.lookup(offset);
    while (block === undefined) {
      await this.cache.load(offset);
      block = this.cache.lookup(offset);
    }
    this.#write(block, cluster, value);
  }

  #write(block: Table, cluster: number, value: number): void {
    const index = cluster % this.blockEntries;
    writeCount(block.view, index, this.order, value);
    const byte = Math.floor(index * 2 ** this.order / 8);
    this.cache.markDirty(block, byte, byte + Math.max(1, 2 ** this.order / 8));
  }

  /** The stored count, deferred changes left out. */
  async stored(cluster: number): Promise<number> {
    const offset = this.blockOffset(cluster);
    if (offset === 0) return 0;
    return readCount((await this.cache.load(offset)).view, cluster % this.blockEntries, this.order);
  }
}

/** The offsets in a refcount table of `bytes`; reserved bits are left to checks. */
export function decodeRefcountTable(bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = new Float64Array(bytes.length / ENTRY_BYTES);
  // most entries of most tables are zero; this runs a few times in a process, so nothing here is ever compiled
  const halves = new Int32Array(bytes.byteOffset % 4 === 0 ? bytes.buffer : bytes.slice().buffer);
  const first = bytes.byteOffset % 4 === 0 ? bytes.byteOffset / 4 : 0;
  for (let i = 0; i < table.length; i++) {
    if ((halves[first + 2 * i]! | halves[first + 2 * i + 1]!) === 0) continue;
    const low = view.getUint32(i * ENTRY_BYTES + 4);
    table[i] = view.getUint32(i * ENTRY_BYTES) * 0x1_0000_0000 + ((low & OFFSET_MASK_LOW) >>> 0);
  }
  return table;
}
