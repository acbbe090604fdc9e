/**
 * Which host clusters are taken next, and how the refcount structures grow to describe them.
 *
 * The policy is QEMU's, so that the same writes give the same layout: the first run of free clusters from a hint that
 * moves on with each allocation and goes back when a cluster below it is freed. All of it runs under the image's lock.
 *
 * Source: [QCOW2] "Host cluster management".
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import { divideCeil } from "../../../base/bits.ts";
import { nextTurn } from "../../../base/turn.ts";
import { formatError, hex } from "./failures.ts";
import { ioError } from "../../errors.ts";
import { MAX_REFCOUNT_TABLE_BYTES, writeUint64 } from "./header.ts";
import { writeHeaderField } from "./header_update.ts";
import type { FreedBy, Qcow2Image } from "./image.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { AREA } from "./overlap.ts";
import { decodeRefcountTable, type Refcounts, writeCount } from "./refcounts.ts";

/** Entry offsets have 56 bits; numbers here have 53. */
const MAX_HOST_OFFSET = Number.MAX_SAFE_INTEGER;

/** Clusters that a search looks at before it gives others a turn: some 50 ms. */
const CLUSTERS_PER_TURN = 2 ** 20;

/** Clusters that {@link Allocator.allocateAtOnce} looks at before it leaves the search to the long way. */
const CLUSTERS_AT_ONCE = 1024;

/** Takes and frees host clusters. */
export class Allocator {
  readonly #image: Qcow2Image;
  /** Where the search for free clusters begins. */
  #hint = 0;
  /** Where the next compressed cluster goes, if it fits; 0 for a new cluster. */
  #nextByte = 0;
  /** Where the clusters end that were ever taken here. */
  #takenEnd = 0;

  constructor(image: Qcow2Image) {
    this.#image = image;
  }

  /** `count` free clusters in a row, counted once each; their offset. */
  async allocate(count: number): Promise<number> {
    this.#image.file.node.debugEvent("cluster_alloc");
    for (;;) {
      const first = await this.#findFree(count);
      if (await this.#take(first, count)) return first * this.#image.clusterSize;
    }
  }

  /**
   * {@link allocate} where nothing has to be waited for: the counts are cached, no structure has to grow, no cluster has
   * to become free first. Else -1, and nothing has changed. The lock is free or held by the caller.
   */
  allocateAtOnce(count: number): number {
    const image = this.#image;
    const { refcounts, clusterSize } = image;
    if (image.isLazy && !image.isMarkedDirty) return -1;
    let cluster = this.#hint;
    const limit = cluster + CLUSTERS_AT_ONCE + count;
    for (let run = 0; run < count; cluster++) {
      const offset = refcounts.blockOffset(cluster);
      if (cluster > limit || offset === 0 || offset % clusterSize !== 0) return -1;
      const known = refcounts.peek(cluster);
      if (known < 0 || (known === 0 && refcounts.deferred.has(cluster))) return -1;
      run = known === 0 ? run + 1 : 0;
    }
    const first = cluster - count;
    const host = first * clusterSize;
    if (host > MAX_HOST_OFFSET || image.metadata.hit(host, count * clusterSize) !== undefined) return -1;
    image.file.node.debugEvent("cluster_alloc");
    refcounts.takeCached(first, count);
    this.#hint = cluster;
    this.#takenEnd = Math.max(this.#takenEnd, cluster);
    return host;
  }

  /** Where the clusters begin that were never written: there the file reads as zeroes until somebody writes. */
  get freshOffset(): number {
    const { clusterSize, file } = this.#image;
    return Math.max(this.#takenEnd, divideCeil(file.size, clusterSize)) * clusterSize;
  }

  /** As many clusters from `offset` on as are free, up to `count`; how many were taken. */
  async allocateAt(offset: number, count: number): Promise<number> {
    const first = offset / this.#image.clusterSize;
    for (;;) {
      let free = 0;
      while (free < count && await this.#count(first + free) === 0) free++;
      if (free === 0) return 0;
      if (await this.#take(first, free)) return free;
    }
  }

  /** Room for `length` bytes of a compressed cluster, not aligned; counts each cluster that it touches. */
  async allocateBytes(length: number): Promise<number> {
    const { clusterSize, refcounts } = this.#image;
    this.#image.file.node.debugEvent("cluster_alloc_bytes");
    let offset = this.#nextByte;
    if (offset !== 0 && await this.#count(Math.floor(offset / clusterSize)) >= refcounts.max) offset = 0;
    for (;;) {
      const room = offset === 0 ? 0 : clusterSize - offset % clusterSize;
      if (room < length) {
        const fresh = await this.#findFree(1) * clusterSize;
        if (fresh === 0) {
          this.#image.contradiction("Preventing invalid allocation of compressed cluster at offset 0");
        }
        if (offset === 0 || divideCeil(offset, clusterSize) * clusterSize !== fresh) offset = fresh;
      }
      const first = Math.floor(offset / clusterSize);
      const last = Math.floor((offset + length - 1) / clusterSize);
      if (await this.#take(first, last - first + 1)) break;
      offset = 0;
    }
    this.#nextByte = (offset + length) % clusterSize === 0 ? 0 : offset + length;
    return offset;
  }

  /** One reference more to each of `count` clusters that are in use. */
  async reference(first: number, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      if (!await this.#take(first + i, 1)) i--;
    }
  }

  /** One reference less to each cluster that `length` bytes from `offset` touch, when that is safe. */
  async free(offset: number, length: number, by: FreedBy): Promise<void> {
    if (length <= 0) return;
    this.#image.file.node.debugEvent("cluster_free");
    const { clusterSize, refcounts } = this.#image;
    const last = Math.floor((offset + length - 1) / clusterSize);
    for (let cluster = Math.floor(offset / clusterSize); cluster <= last; cluster++) {
      const count = await this.#count(cluster);
      if (count <= 0) {
        this.#image.settings.warn("qcow2_free_clusters failed: Invalid argument");
        return;
      }
      refcounts.deferred.set(cluster, (refcounts.deferred.get(cluster) ?? 0) + 1);
      if (count > 1) continue;
      this.#hint = Math.min(this.#hint, cluster);
      if (this.#nextByte !== 0 && Math.floor(this.#nextByte / clusterSize) === cluster) this.#nextByte = 0;
      if (by !== "nobody" && this.#image.settings.passDiscard[by]) refcounts.toDiscard.add(cluster);
    }
    await this.#image.relieve();
  }

  /** Lets counts go down: everything that no longer refers to the clusters is durable. */
  async applyDeferred(): Promise<void> {
    const { refcounts } = this.#image;
    const discards: number[] = [];
    for (const [cluster, decrease] of [...refcounts.deferred]) {
      const left = await refcounts.stored(cluster) - decrease;
      refcounts.deferred.delete(cluster);
      await refcounts.set(cluster, Math.max(0, left));
      // An image that refers to its own metadata as data must not lose it, whatever its refcounts say.
      const isMetadata = this.#image.metadata.hit(cluster * this.#image.clusterSize, 1) !== undefined;
      if (left <= 0 && refcounts.toDiscard.has(cluster) && !isMetadata) discards.push(cluster);
    }
    refcounts.toDiscard.clear();
    await this.#discard(discards.sort((a, b) => a - b));
  }

  async #discard(clusters: readonly number[]): Promise<void> {
    const { clusterSize, file } = this.#image;
    for (let i = 0; i < clusters.length;) {
      let end = i + 1;
      while (end < clusters.length && clusters[end] === clusters[end - 1]! + 1) end++;
      try {
        await file.discard(clusters[i]! * clusterSize, (end - i) * clusterSize);
      } catch {
        // A file that cannot give space back keeps it; nothing is lost.
      }
      i = end;
    }
  }

  /** Starts the search over, since another set of clusters is in use. */
  resetHint(): void {
    this.#hint = 0;
    this.#nextByte = 0;
  }

  /** The count of `cluster`, deferred changes included. */
  async #count(cluster: number): Promise<number> {
    const { refcounts } = this.#image;
    this.#checkBlock(cluster);
    const known = refcounts.peek(cluster);
    return known >= 0 ? known : await refcounts.get(cluster);
  }

  #checkBlock(cluster: number): void {
    const { refcounts, clusterSize } = this.#image;
    const offset = refcounts.blockOffset(cluster);
    const isPossible = offset <= Number.MAX_SAFE_INTEGER;
    if (offset % clusterSize === 0 && isPossible) return;
    const index = Math.floor(cluster / refcounts.blockEntries);
    this.#image.contradiction(
      `Refblock offset ${hex(offset)} ${isPossible ? "unaligned" : "is in no file"} (reftable index: ${hex(index)})`,
      offset,
    );
  }

  /** The count of `cluster` for others than the allocator, with the image's checks. */
  refcount(cluster: number): Promise<number> {
    return this.#count(cluster);
  }

  async #findFree(count: number): Promise<number> {
    const { clusterSize } = this.#image;
    let run = 0;
    while (run < count) {
      const cluster = this.#hint++;
      // A table may name one full block a million times: a search as long as that lets others go on.
      if (cluster % CLUSTERS_PER_TURN === CLUSTERS_PER_TURN - 1) await nextTurn();
      if (cluster * clusterSize > MAX_HOST_OFFSET) throw ioError("write", "EFBIG");
      run = await this.#count(cluster) === 0 ? run + 1 : 0;
    }
    return this.#hint - count;
  }

  /**
   * Counts `count` clusters from `first` once more. False where refcount structures had to grow first: then nothing has
   * been counted and the search begins again, for the new structures may lie there.
   */
  async #take(first: number, count: number): Promise<boolean> {
    const { refcounts } = this.#image;
    if (refcounts.deferred.size > 0) await this.#settleBeforeReuse(first, count);
    if (this.#image.isLazy) await this.#image.markDirty();
    for (let cluster = first; cluster < first + count; cluster++) {
      this.#checkBlock(cluster);
      const stored = refcounts.blockOffset(cluster) === 0 ? -1 : await refcounts.stored(cluster);
      if (stored >= refcounts.max) {
        await this.#untake(first, cluster - first);
        throw ioError("write", "EINVAL");
      }
      if (stored < 0) {
        // The block comes after what was to be taken, which the next search finds again.
        await this.#addBlock(cluster);
        await this.#untake(first, cluster - first);
        this.#hint = Math.min(this.#hint, first);
        return false;
      }
      await refcounts.set(cluster, stored + 1);
    }
    this.#takenEnd = Math.max(this.#takenEnd, first + count);
    await this.#image.relieve();
    return true;
  }

  async #untake(first: number, count: number): Promise<void> {
    for (let cluster = first; cluster < first + count; cluster++) {
      const left = await this.#image.refcounts.stored(cluster) - 1;
      await this.#image.refcounts.set(cluster, left);
      if (left === 0) this.#hint = Math.min(this.#hint, cluster);
    }
  }

  /** A cluster that is about to be free must be so on disk before somebody else writes to it. */
  async #settleBeforeReuse(first: number, count: number): Promise<void> {
    for (let cluster = first; cluster < first + count; cluster++) {
      if (this.#image.refcounts.deferred.has(cluster)) return await this.#image.settle();
    }
  }

  /** Adds the refcount block that covers `cluster`. */
  async #addBlock(cluster: number): Promise<void> {
    const { refcounts, clusterSize } = this.#image;
    this.#image.file.node.debugEvent("refblock_alloc");
    const tableIndex = Math.floor(cluster / refcounts.blockEntries);
    const block = await this.#findFree(1);
    if (block === 0) this.#image.contradiction("Preventing invalid allocation of refcount block at offset 0");
    const offset = block * clusterSize;
    if (refcounts.deferred.size > 0) await this.#settleBeforeReuse(block, 1);
    const describesItself = Math.floor(block / refcounts.blockEntries) === tableIndex;
    // A block that another one describes needs that one first; it may come into being right here.
    if (!describesItself && !await this.#take(block, 1)) return;
    const bytes = new Uint8Array(clusterSize);
    if (describesItself) writeCount(new DataView(bytes.buffer), block % refcounts.blockEntries, refcounts.order, 1);
    if (tableIndex >= refcounts.table.length) {
      return await this.#growTable(cluster, block, { index: tableIndex, offset, bytes });
    }
    this.#image.checkOverlap(offset, clusterSize);
    await this.#image.file.write(offset, bytes);
    await this.#image.writeBack();
    await this.#image.file.barrier();
    refcounts.cache.forget(offset, clusterSize);
    await this.#writeTableEntry(tableIndex, offset);
    this.#image.metadata.add(AREA.refcountBlock, offset, clusterSize);
  }

  async #writeTableEntry(index: number, offset: number): Promise<void> {
    const { refcounts, file } = this.#image;
    const bytes = new Uint8Array(ENTRY_BYTES);
    writeUint64(new DataView(bytes.buffer), 0, offset);
    const at = refcounts.tableOffset + index * ENTRY_BYTES;
    this.#image.checkOverlap(at, ENTRY_BYTES, AREA.refcountTable);
    await file.write(at, bytes);
    refcounts.table[index] = offset;
    await file.flush();
  }

  /** Makes room for a block that the table has no entry for: table and new blocks move behind all that is described. */
  async #growTable(
    cluster: number,
    block: number,
    fresh: { index: number; offset: number; bytes: Uint8Array<ArrayBuffer> },
  ): Promise<void> {
    const { refcounts, clusterSize, file } = this.#image;
    const described = divideCeil(Math.max(cluster, block) + 1, refcounts.blockEntries);
    this.#image.checkOverlap(fresh.offset, clusterSize);
    await file.write(fresh.offset, fresh.bytes);
    await this.placeTable(described * refcounts.blockEntries, 0, { exact: false, fresh });
    this.#image.metadata.add(AREA.refcountBlock, fresh.offset, clusterSize);
  }

  /**
   * Writes a new refcount table at cluster `start`, with blocks for itself and for `additional` clusters after it, which
   * are counted once each; the old table is freed. All these clusters are unused.
   *
   * @returns the first of the additional clusters
   */
  async placeTable(
    start: number,
    additional: number,
    how: {
      exact: boolean;
      /** How many of the additional clusters are counted; the others only get blocks. */
      counted?: number;
      fresh?: { index: number; offset: number };
    },
  ): Promise<number> {
    const { refcounts, clusterSize, file, header } = this.#image;
    for (let index = 0; index < refcounts.table.length; index++) this.#checkBlock(index * refcounts.blockEntries);
    const plan = planTable(start, additional, refcounts, how);
    if (plan === undefined) {
      this.#image.settings.warn(
        "This operation would make the refcount table grow beyond the maximum size supported by QEMU, aborting",
      );
      throw formatError("File too large", "EFBIG");
    }
    // Blocks are read from the file below: lazily kept counts, too, must be there.
    await this.#image.writeBack(true);
    const end = start + plan.newBlocks.length + plan.tableClusters + (how.counted ?? additional);
    const table = new Float64Array(plan.tableEntries);
    table.set(refcounts.table.subarray(0, Math.min(refcounts.table.length, table.length)));
    if (how.fresh !== undefined) table[how.fresh.index] = how.fresh.offset;
    plan.newBlocks.forEach((index, i) => table[index] = (start + i) * clusterSize);
    await this.#countArea(table, start, end, new Set(plan.newBlocks));

    const tableOffset = (start + plan.newBlocks.length) * clusterSize;
    const bytes = new Uint8Array(plan.tableClusters * clusterSize);
    const view = new DataView(bytes.buffer);
    table.forEach((offset, i) => writeUint64(view, i * ENTRY_BYTES, offset));
    this.#image.checkOverlap(tableOffset, bytes.length);
    await file.write(tableOffset, bytes);
    await file.flush();

    const old = { offset: refcounts.tableOffset, bytes: refcounts.tableBytes };
    const field = new Uint8Array(12);
    writeUint64(new DataView(field.buffer), 0, tableOffset);
    new DataView(field.buffer).setUint32(8, plan.tableClusters);
    await writeHeaderField(this.#image, 48, field);
    // What is in memory follows the file at once: a flush that fails must not part them.
    refcounts.table = decodeRefcountTable(bytes);
    refcounts.tableOffset = tableOffset;
    header.refcountTableOffset = tableOffset;
    header.refcountTableClusters = plan.tableClusters;
    await file.flush();

    this.#image.metadata.remove(AREA.refcountTable, old.offset, old.bytes);
    this.#image.metadata.add(AREA.refcountTable, tableOffset, bytes.length);
    for (const index of plan.newBlocks) this.#image.metadata.add(AREA.refcountBlock, table[index]!, clusterSize);
    await this.free(old.offset, old.bytes, "other");
    return start + plan.newBlocks.length + plan.tableClusters;
  }

  /** Counts clusters `start` to `end` once in the blocks of `table`, and writes those blocks. */
  async #countArea(table: Float64Array, start: number, end: number, fresh: ReadonlySet<number>): Promise<void> {
    const { refcounts, clusterSize, file } = this.#image;
    const entries = refcounts.blockEntries;
    for (
      let index = Math.floor(start / entries);
      index <= Math.floor((end - 1) / entries) || fresh.has(index);
      index++
    ) {
      const offset = table[index] ?? 0;
      assert(offset !== 0, `refcount block ${index} was planned`);
      const bytes = fresh.has(index) ? new Uint8Array(clusterSize) : await file.readBytes(offset, clusterSize);
      const view = new DataView(bytes.buffer);
      const from = Math.max(start, index * entries);
      const to = Math.min(end, (index + 1) * entries);
      for (let cluster = from; cluster < to; cluster++) writeCount(view, cluster % entries, refcounts.order, 1);
      refcounts.cache.forget(offset, clusterSize);
      this.#image.checkOverlap(offset, clusterSize, AREA.refcountBlock);
      await file.write(offset, bytes);
    }
  }
}

/**
 * How many blocks and table clusters there must be when an area is added that they describe as well: found by trying until
 * it fits; `undefined` where the table would be too large. As in QEMU, room is planned as if all blocks were new, which sometimes gives one to spare.
 */
function planTable(
  start: number,
  additional: number,
  refcounts: Refcounts,
  how: { exact: boolean; fresh?: { index: number; offset: number } },
): { newBlocks: number[]; tableClusters: number; tableEntries: number } | undefined {
  const { blockEntries, clusterSize, table } = refcounts;
  const perCluster = clusterSize / ENTRY_BYTES;
  let blocks = 0;
  let tableClusters = 0;
  for (;;) {
    const needed = divideCeil(start + additional + blocks + tableClusters, blockEntries);
    const used = Math.max(needed, (how.fresh?.index ?? 0) + 1, how.exact ? 0 : table.length);
    const clusters = divideCeil(how.exact ? used : used + divideCeil(used, 2), perCluster);
    if (needed === blocks && clusters === tableClusters) break;
    blocks = needed;
    tableClusters = clusters;
  }
  if (tableClusters * clusterSize > MAX_REFCOUNT_TABLE_BYTES) return undefined;
  const newBlocks: number[] = [];
  for (let index = Math.floor(start / blockEntries); index < blocks; index++) {
    if ((table[index] ?? 0) === 0 && index !== how.fresh?.index) newBlocks.push(index);
  }
  return { newBlocks, tableClusters, tableEntries: tableClusters * perCluster };
}
