/**
 * An open image: its tables, their caches, and the order in which changes reach the file.
 *
 * The order that every crash survives: refcounts that go up, then L2 tables that refer to the clusters, then the L1
 * table, then refcounts that go down, with a flush of the file between one and the next. What is cached is written back
 * in that order, in batches: at a flush, when too much is dirty, and at the end.
 *
 * Everything that changes metadata runs under {@link Qcow2Image.lock}; reads and writes in place do not take it.
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import { afterZeroPages, isPageStart } from "../../../base/io_vector.ts";
import type { OpenContext } from "../../driver.ts";
import { BlockError, ioError } from "../../errors.ts";
import type { BlockNode } from "../../node.ts";
import { Allocator } from "./allocator.ts";
import { type Compression, COMPRESSIONS } from "./compressed.ts";
import type { StoredBitmap } from "./bitmap_directory.ts";
import { encodeExtensions, type Extensions } from "./header_extensions.ts";
import { AUTOCLEAR, COMPATIBLE, encodeHeader, type Header, INCOMPATIBLE } from "./header.ts";
import { DataDiscards } from "./data_discards.ts";
import { formatError, hex } from "./failures.ts";
import type { ClusterData } from "./cluster_data.ts";
import type { HostFile } from "./host_file.ts";
import type { L1Table } from "./l1_table.ts";
import { ENTRY_BYTES, EntryFormat, entryOffset, isPlainData, SUBCLUSTERS } from "./mapping.ts";
import { Mutex } from "./mutex.ts";
import { AREA, type MetadataMap } from "./overlap.ts";
import { plainExtended } from "./plain_extended.ts";
import { Packers } from "./pack_pool.ts";
import type { Refcounts } from "./refcounts.ts";
import { type Snapshot, snapshotL1Problem } from "./snapshot_table.ts";
import { type Table, TableCache } from "./table_cache.ts";

/** Behaviour that options choose. */
export interface ImageSettings {
  readonly nodeName: string;
  readonly readOnly: boolean;
  readonly lazyRefcounts: boolean;
  /** Which freed clusters are discarded in the file, by who freed them. */
  readonly passDiscard: { readonly request: boolean; readonly snapshot: boolean; readonly other: boolean };
  readonly l2SliceBytes: number;
  readonly l2CacheSlices: number;
  readonly tell?: OpenContext["tell"] | undefined;
  warn(message: string): void;
}

/** Who frees a cluster: decides whether the file is told. */
export type FreedBy = "request" | "snapshot" | "other" | "nobody";

/** Clusters that may wait to become free. */
const MAX_DEFERRED = 1 << 16;

const utf8 = new TextEncoder();

/** The state of one open image. */
export class Qcow2Image {
  /** The image's own file: metadata, compressed clusters, and mostly data too. */
  readonly file: HostFile;
  /** Where data clusters are. */
  readonly data: ClusterData;
  readonly header: Header;
  readonly extensions: Extensions;
  readonly l1: L1Table;
  l2: TableCache;
  /** Another one after their width has changed (refcount_width.ts). */
  refcounts: Refcounts;
  readonly allocator: Allocator;
  readonly metadata: MetadataMap;
  readonly lock = new Mutex();
  readonly packers = new Packers(() => this.compression);
  settings: ImageSettings;
  backing: BlockNode | undefined;
  /** The name in the header; empty for none. */
  backingName = "";
  snapshots: Snapshot[] = [];
  /** Persistent bitmaps as the file has them. */
  storedBitmaps: readonly StoredBitmap[] = [];
  /** The header in the file names bitmaps that are no longer to be trusted. */
  staleBitmaps = false;
  /** Bytes that the snapshot table takes. */
  snapshotTableBytes = 0;
  /** A contradiction was found while writing was allowed: nothing works any more. */
  broken = false;

  /** An operation that changes refcounts in many places ended half-way: the dirty bit stays. */
  needsRepair = false;

  /** The end of the last data cluster of which only a part was written, the rest being zeroes that nobody wrote. */
  partialEnd = 0;

  /** Clusters of the external data file that wait to be discarded there. */
  readonly dataDiscards: DataDiscards;

  readonly clusterSize: number;
  /** What can be allocated or zeroed by itself: a 32nd of a cluster with extended L2 entries, else the cluster. */
  readonly subclusterSize: number;
  /** How L2 entries are laid out. */
  readonly entries: EntryFormat;
  /** Entries of a whole L2 table. */
  readonly l2Entries: number;
  sliceEntries: number;
  readonly #perCluster: number;
  #perSlice: number;
  #slicesPerTable: number;
  readonly #extended: boolean;
  #complained = false;

  constructor(parts: {
    file: HostFile;
    data: ClusterData;
    header: Header;
    extensions: Extensions;
    l1: L1Table;
    refcounts: Refcounts;
    metadata: MetadataMap;
    settings: ImageSettings;
  }) {
    this.file = parts.file;
    this.data = parts.data;
    this.header = parts.header;
    this.extensions = parts.extensions;
    this.l1 = parts.l1;
    this.refcounts = parts.refcounts;
    this.metadata = parts.metadata;
    this.settings = parts.settings;
    this.clusterSize = 2 ** parts.header.clusterBits;
    this.#extended = this.hasFeature(INCOMPATIBLE.extendedL2);
    this.subclusterSize = this.#extended ? this.clusterSize / SUBCLUSTERS : this.clusterSize;
    this.dataDiscards = new DataDiscards(parts.data.file, this.clusterSize);
    this.entries = new EntryFormat({
      clusterBits: parts.header.clusterBits,
      extended: this.#extended,
      external: this.isExternal,
    });
    this.l2Entries = this.clusterSize / this.entries.entryBytes;
    this.sliceEntries = parts.settings.l2SliceBytes / this.entries.entryBytes;
    this.#perCluster = 1 / this.clusterSize;
    this.#perSlice = 1 / this.sliceEntries;
    this.#slicesPerTable = this.l2Entries / this.sliceEntries;
    this.l2 = new TableCache(parts.file, parts.settings.l2SliceBytes, parts.settings.l2CacheSlices, "l2_load");
    this.allocator = new Allocator(this);
  }

  /** Cuts L2 tables into slices of another size; nothing is dirty. */
  cutSlices(bytes: number, count: number): void {
    this.sliceEntries = bytes / this.entries.entryBytes;
    this.#perSlice = 1 / this.sliceEntries;
    this.#slicesPerTable = this.l2Entries / this.sliceEntries;
    this.l2 = new TableCache(this.file, bytes, count, "l2_load");
  }

  /** Takes over what `fresh`, the same file read anew, says; caches start empty. */
  reload(fresh: Qcow2Image): void {
    Object.assign(this.header, fresh.header);
    this.l1.replace(fresh.l1.offset, fresh.l1.bytes);
    this.l2.clear();
    this.refcounts.cache.clear();
    this.refcounts.deferred.clear();
    this.refcounts.table = fresh.refcounts.table;
    this.refcounts.tableOffset = fresh.refcounts.tableOffset;
    this.snapshots = fresh.snapshots;
    this.snapshotTableBytes = fresh.snapshotTableBytes;
    this.backingName = fresh.backingName;
    this.staleBitmaps = fresh.staleBitmaps;
    Object.assign(this.extensions, fresh.extensions);
    this.allocator.resetHint();
    if (!this.readOnly) this.registerMetadata();
  }

  /** Enters all known metadata into the overlap map. */
  registerMetadata(): void {
    const { metadata, header, refcounts, clusterSize } = this;
    metadata.clear();
    metadata.add(AREA.activeL1, header.l1Offset, this.l1.bytes.length);
    metadata.add(AREA.refcountTable, header.refcountTableOffset, refcounts.tableBytes);
    const { table } = refcounts;
    const bytes = new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
    for (let index = 0; index < table.length; index++) {
      if (isPageStart(index * ENTRY_BYTES)) index = afterZeroPages(bytes, index * ENTRY_BYTES) / ENTRY_BYTES;
      if (index >= table.length) break;
      if (table[index] !== 0) metadata.add(AREA.refcountBlock, table[index]!, clusterSize);
    }
    this.registerL2();
    metadata.add(AREA.snapshotTable, header.snapshotsOffset, this.snapshotTableBytes);
    for (const snapshot of this.snapshots) {
      if (snapshotL1Problem(snapshot, clusterSize) !== undefined) continue;
      metadata.add(AREA.inactiveL1, snapshot.l1Offset, snapshot.l1Entries * ENTRY_BYTES);
    }
    const { bitmaps } = this.extensions;
    if (bitmaps !== undefined) metadata.add(AREA.bitmapDirectory, bitmaps.directoryOffset, bitmaps.directoryBytes);
  }

  /** Enters the active L2 tables. */
  registerL2(): void {
    for (let index = 0; index < this.l1.length; index++) {
      const offset = this.l1.l2Offset(index);
      if (offset !== 0) this.metadata.add(AREA.activeL2, offset, this.clusterSize);
    }
  }

  /** Whether the header has one of the `INCOMPATIBLE` features. */
  hasFeature(bit: number): boolean {
    return (this.header.incompatible & BigInt(bit)) !== 0n;
  }

  /** Data clusters are in a file of their own, each at its guest offset, and not counted. */
  get isExternal(): boolean {
    return this.hasFeature(INCOMPATIBLE.dataFile);
  }

  /** The data file alone, read as a raw image, must be the disk. */
  get isDataRaw(): boolean {
    return (this.header.autoclear & BigInt(AUTOCLEAR.dataFileRaw)) !== 0n;
  }

  get readOnly(): boolean {
    return this.settings.readOnly;
  }

  /** Bytes that one L1 entry stands for. */
  get bytesPerL1Entry(): number {
    return this.l2Entries * this.clusterSize;
  }

  /** Where the VM state begins: at the first L1 entry that stands for no byte of the disk. */
  get vmStateOffset(): number {
    return divideCeil(this.header.size, this.bytesPerL1Entry) * this.bytesPerL1Entry;
  }

  /** How compressed clusters are packed. */
  get compression(): Compression {
    return COMPRESSIONS[this.header.compressionType] ?? "zlib";
  }

  get isLazy(): boolean {
    return this.settings.lazyRefcounts;
  }

  /** @throws {BlockError} ENOMEDIUM once the image has been found broken */
  ensureWorking(operation: "read" | "write" | "flush" | "discard" | "status" | "truncate" = "read"): void {
    if (this.broken) throw ioError(operation, "ENOMEDIUM", { node: this.settings.nodeName });
  }

  // --- looking up ---------------------------------------------------------------------------------------------------

  /** The cached L2 slice for guest offset `at`, or `undefined` where none is cached or there is none. */
  cachedSlice(at: number): Table | undefined {
    const slice = Math.floor(at * this.#perCluster * this.#perSlice);
    const l1Index = Math.floor(slice / this.#slicesPerTable);
    const table = this.l1.l2Offset(l1Index);
    if (table === 0) return undefined;
    return this.l2.lookup(table + (slice - l1Index * this.#slicesPerTable) * this.l2.pieceBytes);
  }

  /** The L2 slice for `at`, read if need be; `undefined` where the L1 table has none. */
  async loadSlice(at: number): Promise<Table | undefined> {
    const cluster = Math.floor(at / this.clusterSize);
    const l1Index = Math.floor(cluster / this.l2Entries);
    const table = this.l1.l2Offset(l1Index);
    if (table === 0) return undefined;
    this.#checkL2Offset(table, l1Index);
    const inTable = Math.floor((cluster % this.l2Entries) / this.sliceEntries);
    return await this.l2.load(table + inTable * this.l2.pieceBytes);
  }

  #checkL2Offset(offset: number, l1Index: number): void {
    if (offset % this.clusterSize === 0) return;
    this.contradiction(
      `L2 table offset ${hex(offset)} unaligned (L1 index: ${hex(l1Index)})`,
      offset,
    );
  }

  /** The index in its slice of the entry for guest offset `at`. */
  sliceIndex(at: number): number {
    return Math.floor(at / this.clusterSize) % this.sliceEntries;
  }

  /**
   * Where `length` bytes at guest offset `at` lie in the file, if that can be told without waiting: when they are plain
   * data in one piece whose L2 slice is cached; else -1. With `inPlace`, only what may be overwritten there.
   */
  plainRun(at: number, length: number, inPlace: boolean): number {
    const first = Math.floor(at * this.#perCluster);
    const slice = Math.floor(first * this.#perSlice);
    const l1Index = Math.floor(slice / this.#slicesPerTable);
    const l2Offset = this.l1.l2Offset(l1Index);
    if (l2Offset === 0 || this.broken) return -1;
    const table = this.l2.lookup(l2Offset + (slice - l1Index * this.#slicesPerTable) * this.l2.pieceBytes);
    if (table === undefined) return -1;
    const { view } = table;
    const clusterSize = this.clusterSize;
    const index = first - slice * this.sliceEntries;
    const clusters = Math.floor((at + length - 1) * this.#perCluster) - first + 1;
    if (index + clusters > this.sliceEntries) return -1;
    if (this.#extended) {
      return plainExtended(this, view, { index, inCluster: at - first * clusterSize, length, inPlace });
    }
    const high = view.getUint32(index * ENTRY_BYTES);
    const low = view.getUint32(index * ENTRY_BYTES + 4);
    if (!isPlainData(high, low) || (inPlace && high < 0x8000_0000)) return -1;
    const host = entryOffset(high, low);
    if (host % clusterSize !== 0) return -1;
    let expected = host + clusterSize;
    for (let i = 1; i < clusters; i++) {
      const nextHigh = view.getUint32((index + i) * ENTRY_BYTES);
      const nextLow = view.getUint32((index + i) * ENTRY_BYTES + 4);
      if (!isPlainData(nextHigh, nextLow) || (inPlace && nextHigh < 0x8000_0000)) return -1;
      if (entryOffset(nextHigh, nextLow) !== expected) return -1;
      expected += clusterSize;
    }
    return host + (at - first * clusterSize);
  }

  // --- writing metadata ---------------------------------------------------------------------------------------------

  /** Says that the image contradicts itself; it is marked corrupt where it can be, and fails from now on. */
  contradiction(text: string, offsetBytes?: number, sizeBytes?: number): never {
    const fatal = !this.readOnly;
    if (!this.#complained || (fatal && !this.broken)) {
      this.settings.warn(
        fatal
          ? `qcow2: Marking image as corrupt: ${text}; further corruption events will be suppressed`
          : `qcow2: Image is corrupt: ${text}; further non-fatal corruption events will be suppressed`,
      );
      const place = sizeBytes === undefined ? {} : { offset: offsetBytes!, size: sizeBytes };
      const data = { "node-name": this.settings.nodeName, msg: text, ...place, fatal };
      this.settings.tell?.({ name: "BLOCK_IMAGE_CORRUPTED", data });
    }
    this.#complained = true;
    if (fatal) {
      this.broken = true;
      this.#markCorrupt();
    }
    const failure = { kind: "corrupt", node: this.settings.nodeName, text } as const;
    throw new BlockError(offsetBytes === undefined ? failure : { ...failure, offsetBytes });
  }

  #markCorrupt(): void {
    this.header.incompatible |= BigInt(INCOMPATIBLE.corrupt);
    if (this.header.version < 3) return;
    // Not awaited: who found the contradiction is told at once, and closing waits for the write.
    this.#marking = this.writeHeader().catch(() => {});
  }
  #marking: Promise<void> = Promise.resolve();

  /** Resolves when the corrupt bit, if it was set, has been written. */
  corruptMarkWritten(): Promise<void> {
    return this.#marking;
  }

  /** Refuses a write that would hit metadata, kinds in `except` apart. */
  checkOverlap(offset: number, length: number, except = 0): void {
    const name = this.metadata.hit(offset, length, except);
    if (name !== undefined) {
      this.contradiction(`Preventing invalid write on metadata (overlaps with ${name})`, offset, length);
    }
  }

  /** Writes header, extensions and backing name into the first cluster. */
  async writeHeader(): Promise<void> {
    const { bytes } = this.composeHeader();
    await this.file.write(0, bytes);
  }

  /** The first cluster's bytes as the present state asks for them; ENOSPC where they do not fit. */
  composeHeader(): { bytes: Uint8Array } {
    const { header } = this;
    const extensions = encodeExtensions(this.extensions, header.version, this.clusterSize);
    const name = utf8.encode(this.backingName);
    const fixed = encodeHeader(header).length;
    const at = fixed + extensions.length;
    if (at + name.length > this.clusterSize) throw formatError("No space left on device", "ENOSPC");
    header.backingFileOffset = name.length === 0 ? 0 : at;
    header.backingFileLength = name.length;
    const bytes = new Uint8Array(this.clusterSize);
    bytes.set(encodeHeader(header));
    bytes.set(extensions, fixed);
    bytes.set(name, at);
    return { bytes };
  }

  /** The dirty bit is set. */
  get isMarkedDirty(): boolean {
    return (this.header.incompatible & BigInt(INCOMPATIBLE.dirty)) !== 0n;
  }

  /** Before refcounts on disk fall behind: says so in the header, durably. */
  async markDirty(): Promise<void> {
    const bit = BigInt(INCOMPATIBLE.dirty);
    if ((this.header.incompatible & bit) !== 0n) return;
    this.header.incompatible |= bit;
    try {
      await this.#writeFeatures();
      await this.file.flush();
    } catch (error) {
      // Whoever comes next must not take it for said.
      this.header.incompatible &= ~bit;
      throw error;
    }
  }

  /** After all refcounts have been written: the dirty bit off, unless there is something to repair. */
  async markClean(): Promise<void> {
    const bit = BigInt(INCOMPATIBLE.dirty);
    if (this.needsRepair || (this.header.incompatible & bit) === 0n) return;
    await this.flushAll();
    this.header.incompatible &= ~bit;
    await this.#writeFeatures();
    await this.file.flush();
  }

  async #writeFeatures(): Promise<void> {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, this.header.incompatible);
    await this.file.write(72, bytes);
  }

  /** Switches a compatible feature (lazy refcounts) in the header. */
  setLazyFeature(on: boolean): void {
    const bit = BigInt(COMPATIBLE.lazyRefcounts);
    this.header.compatible = on ? this.header.compatible | bit : this.header.compatible & ~bit;
  }

  /** Writes back what is dirty, in the order of the head comment; lazily kept refcounts only where `all`. */
  async writeBack(all = false): Promise<void> {
    if (this.broken) return;
    if (all || !this.isLazy) await this.#writeRefcounts();
    const tables = this.l2.dirtyTables();
    if (tables.length === 0 && !this.l1.isDirty) return;
    await this.file.barrier();
    for (const table of tables) {
      this.checkOverlap(table.offset, table.bytes.length, AREA.activeL2);
      this.file.node.debugEvent("l2_update");
      await this.l2.writeBack(table);
    }
    if (!this.l1.isDirty) return;
    await this.file.barrier();
    for (const { offset, bytes, sector } of this.l1.dirtyPieces()) {
      this.checkOverlap(offset, bytes.length, AREA.activeL1);
      this.file.node.debugEvent("l1_update");
      await this.file.write(offset, bytes);
      this.l1.written(sector);
    }
  }

  async #writeRefcounts(): Promise<void> {
    for (const block of this.refcounts.cache.dirtyTables()) {
      this.checkOverlap(block.offset, block.bytes.length, AREA.refcountBlock);
      this.file.node.debugEvent("refblock_update_part");
      await this.refcounts.cache.writeBack(block);
    }
  }

  /** Makes all that was done so far durable, and lets counts go down that waited for it. */
  async settle(): Promise<void> {
    await this.writeBack();
    await this.file.barrier();
    if (this.dataDiscards.size > 0) await this.dataDiscards.apply();
    if (this.refcounts.deferred.size === 0) return;
    await this.file.settleData();
    await this.allocator.applyDeferred();
  }

  /** {@link settle}, with nothing left to be written afterwards. */
  async flushAll(): Promise<void> {
    await this.settle();
    await this.writeBack(true);
    await this.file.barrier();
  }

  /** At the end, with nothing in flight: a data cluster that the file ends with is whole, though its end was not written. */
  async fillLastCluster(): Promise<void> {
    const end = this.partialEnd;
    if (this.file.size > end - this.clusterSize && this.file.size < end) await this.file.truncate(end);
  }

  /** The caches hold too much that is dirty, or too much waits for it to be written. */
  get needsRelief(): boolean {
    return this.refcounts.cache.isFull || this.l2.isFull || this.#waitsTooMuch;
  }

  get #waitsTooMuch(): boolean {
    return this.refcounts.deferred.size > MAX_DEFERRED || this.dataDiscards.size > MAX_DEFERRED;
  }

  /** After a change: writes back where {@link needsRelief} says so. */
  async relieve(): Promise<void> {
    if (this.refcounts.cache.isFull) await this.#writeRefcounts();
    if (this.l2.isFull) await this.writeBack();
    if (this.#waitsTooMuch) await this.settle();
  }
}
