/**
 * Writing guest data: in place where this image alone holds the cluster, else to fresh clusters that are linked in when
 * their data has been written.
 *
 * An allocating write goes through three steps: clusters are taken (under the lock), data and what surrounds it is
 * written (not under the lock, so that others go on), the L2 entries are set (under the lock). Until then the guest
 * clusters count as being allocated, and whoever else wants to change them waits.
 *
 * @module
 */
import { alignDown, alignUp } from "../../../base/bits.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { DONE } from "../../done.ts";
import { linkAtOnce, takeAtOnce, type Taken } from "./at_once.ts";
import { Claims } from "./claims.ts";
import { freeNow, pack } from "./compressed.ts";
import { hex } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";
import { copiedRange, countInPlace, type GuestRange, isOwn, isWritten, linked, preallocated } from "./copy_on_write.ts";
import { ioError } from "../../errors.ts";
import { ensureSlice, releaseMapping, setMapping, updateMapping } from "./l2_update.ts";
import type { Mapping } from "./mapping.ts";
import { readGuestBytes, readsAsZero } from "./read.ts";
import { checkExternal, entryPlace, mappingAt } from "./runs.ts";
import type { Table } from "./table_cache.ts";

/** A piece of an allocating write: guest clusters from `start`, host clusters from `host`. */
interface Allocation {
  readonly start: number;
  readonly host: number;
  readonly clusters: number;
  /** False: in place, no L2 entry changes. */
  readonly link: boolean;
  readonly claim: { readonly end: () => void } | undefined;
  /** Nobody ever wrote to the clusters: what is not written now reads as zeroes. */
  readonly fresh: boolean;
  /** The clusters were this image's own before. */
  readonly kept: boolean;
  /** What is written, the data and what surrounds it. */
  readonly copied: GuestRange;
}

/** The write side of one image. */
export class Writer {
  readonly #image: Qcow2Image;
  readonly #claims = new Claims();
  /** Ends when the compressed writes that were asked for before have been done. */
  #packing: Promise<void> = Promise.resolve();

  constructor(image: Qcow2Image) {
    this.#image = image;
  }

  /** Ends what the writer has besides the image. */
  close(): void {
    this.#image.packers.close();
  }

  /** Writes `from` at guest offset `at`. */
  write(at: number, from: IoVector): Promise<void> {
    return this.#writeAtOnce(at, from) ?? this.#writeInPieces(at, from);
  }

  /** An allocating write that has to wait for its data at most; `undefined` where there is more to be waited for. */
  #writeAtOnce(at: number, from: IoVector): Promise<void> | undefined {
    const image = this.#image;
    const { clusterSize } = image;
    if (!image.lock.isFree || this.#claims.blocker(alignDown(at, clusterSize), at + from.length)) return undefined;
    const taken = takeAtOnce(image, at, from.length);
    if (taken === undefined) return undefined;
    const { start, host, clusters, fresh } = taken;
    image.file.node.debugEvent("write_aio");
    const work = fresh
      ? this.#writeAlone(taken, at, from)
      : image.data.write(host, start, betweenZeroes(at - start, from, clusters * clusterSize));
    if (work !== DONE || !linkAtOnce(image, taken)) return this.#complete(this.#claimed(taken), work);
    return image.needsRelief ? image.lock.run(() => image.relieve()) : DONE;
  }

  /** Clusters that were taken at once, as the long way goes on with them. */
  #claimed(taken: Taken): Allocation {
    const { start, clusters } = taken;
    const copied = { at: start, end: start + clusters * this.#image.clusterSize };
    return { ...taken, link: true, claim: this.#claim(start, clusters), kept: false, copied };
  }

  async #writeInPieces(at: number, from: IoVector): Promise<void> {
    const image = this.#image;
    image.ensureWorking("write");
    let expected = 0;
    for (let done = 0; done < from.length;) {
      const position = at + done;
      const allocation = await this.#locate(position, from.length - done, expected);
      if (allocation === undefined) {
        expected = 0;
        continue;
      }
      const inCluster = position - allocation.start;
      const length = Math.min(from.length - done, allocation.clusters * image.clusterSize - inCluster);
      await this.#perform(allocation, position, from.slice(done, length));
      expected = allocation.host + allocation.clusters * image.clusterSize;
      done += length;
    }
  }

  /** Under the lock: where the bytes at `at` go. `undefined`: ask again, without expecting a place. */
  async #locate(at: number, length: number, expected: number): Promise<Allocation | undefined> {
    const image = this.#image;
    for (;;) {
      const start = alignDown(at, image.clusterSize);
      const blocker = this.#claims.blocker(start, start + image.clusterSize);
      if (blocker !== undefined) {
        await blocker.done;
        image.ensureWorking("write");
        continue;
      }
      const found = await image.lock.run<Allocation | "again" | undefined>(() => {
        image.ensureWorking("write");
        // Another write may have claimed the cluster while this one waited for the lock.
        if (this.#claims.blocker(start, start + image.clusterSize) !== undefined) return "again";
        // Most often this is enough, and nobody else has to wait.
        const isAlone = expected === 0 && at + length <= this.#claims.freeUntil(start);
        const taken = isAlone ? takeAtOnce(image, at, length) : undefined;
        return taken === undefined ? this.#locateLocked(at, length, expected) : this.#claimed(taken);
      });
      if (found !== "again") return found;
    }
  }

  async #locateLocked(at: number, length: number, expected: number): Promise<Allocation | undefined> {
    const image = this.#image;
    const { clusterSize } = image;
    const start = alignDown(at, clusterSize);
    const wanted = Math.min(
      alignUp(at + length, clusterSize) - start,
      (image.sliceEntries - image.sliceIndex(at)) * clusterSize,
      this.#claims.freeUntil(start) - start,
    ) / clusterSize;
    const slice = await ensureSlice(image, at);
    const index = image.sliceIndex(at);
    const old: Mapping[] = [];
    for (let i = 0; i < wanted; i++) old.push(mappingAt(image, slice, index + i));
    const first = old[0]!;
    this.#checkEntry(first, start, slice, index);
    const touched = { at, end: at + length };
    if (isOwn(image, first)) {
      const clusters = countInPlace(image, old, start, touched);
      const link = !isWritten(image, first, start, touched);
      const target = { start, clusters, first, last: old[clusters - 1]!, kept: true };
      const copied = copiedRange(image, target, { at, end: Math.min(touched.end, start + clusters * clusterSize) });
      const claim = link ? this.#claim(start, clusters) : undefined;
      return { start, host: first.host, clusters, link, claim, fresh: false, kept: true, copied };
    }
    let count = 1;
    while (count < wanted && !isOwn(image, old[count]!)) count++;
    const { freshOffset } = image.allocator;
    const place = await this.#take(start, count, expected);
    if (place === undefined) return undefined;
    const { host, clusters } = place;
    const target = { start, clusters, first, last: old[clusters - 1]!, kept: false };
    const copied = copiedRange(image, target, { at, end: Math.min(touched.end, start + clusters * clusterSize) });
    const claim = this.#claim(start, clusters);
    const fresh = !image.isExternal && host >= freshOffset;
    return { start, host, clusters, link: true, claim, fresh, kept: false, copied };
  }

  /** Clusters for up to `count` guest clusters from `start`; `undefined` where `expected` is not to be had. */
  async #take(start: number, count: number, expected: number): Promise<{ host: number; clusters: number } | undefined> {
    const image = this.#image;
    if (image.isExternal) {
      image.dataDiscards.keep(start, count * image.clusterSize);
      return { host: start, clusters: count };
    }
    if (expected === 0) return { host: await image.allocator.allocate(count), clusters: count };
    const clusters = await image.allocator.allocateAt(expected, count);
    return clusters === 0 ? undefined : { host: expected, clusters };
  }

  #checkEntry(mapping: Mapping, guest: number, table: Table, index: number): void {
    const image = this.#image;
    if (image.isExternal) checkExternal(image, mapping, { guest, table, index });
    if (mapping.kind === "unallocated" || mapping.kind === "compressed") return;
    if (mapping.kind === "invalid") {
      image.contradiction(`Invalid cluster entry found ${entryPlace(image, table, index)}`, mapping.host);
    }
    if (mapping.host % this.#image.clusterSize === 0) return;
    const what = mapping.kind === "zero" ? "Preallocated zero cluster offset" : "Data cluster offset";
    this.#image.contradiction(`${what} ${hex(mapping.host)} unaligned (guest offset: ${hex(guest)})`, mapping.host);
  }

  /** Writes the data of one piece, with what surrounds it in fresh clusters, and links these. */
  async #perform(allocation: Allocation, at: number, from: IoVector): Promise<void> {
    const image = this.#image;
    const inCluster = at - allocation.start;
    if (!allocation.link) {
      if (!image.isExternal) image.checkOverlap(allocation.host + inCluster, from.length);
      image.file.node.debugEvent("write_aio");
      return await image.data.write(allocation.host + inCluster, at, from);
    }
    await this.#complete(allocation, this.#writeFresh(allocation, at, from));
  }

  /** Writes the data of one piece to its clusters, with what surrounds it. */
  async #writeFresh(allocation: Allocation, at: number, from: IoVector): Promise<void> {
    const image = this.#image;
    const { start, host, copied } = allocation;
    const head = at - copied.at;
    const tail = copied.end - (at + from.length);
    if (!image.isExternal) image.checkOverlap(host, allocation.clusters * image.clusterSize);
    const alone = allocation.fresh && image.data.isPlain && await readsAsZero(image, copied.at, head) &&
      await readsAsZero(image, at + from.length, tail);
    if (alone) {
      image.file.node.debugEvent("write_aio");
      return await this.#writeAlone(allocation, at, from);
    }
    if (head > 0 || tail > 0) image.file.node.debugEvent("cow_read");
    const before = head > 0 ? await readGuestBytes(image, copied.at, head) : EMPTY;
    const after = tail > 0 ? await readGuestBytes(image, at + from.length, tail) : EMPTY;
    image.file.node.debugEvent("write_aio");
    const whole = IoVector.from([before, ...from.slices, after]);
    await image.data.write(host + (copied.at - start), copied.at, whole);
  }

  /** Writes just the data to fresh clusters: what surrounds it are zeroes, as the file has them. */
  #writeAlone({ start, host }: Pick<Taken, "start" | "host">, at: number, from: IoVector): Promise<void> {
    const image = this.#image;
    const end = host + alignUp(at + from.length - start, image.subclusterSize);
    image.partialEnd = Math.max(image.partialEnd, end);
    return image.data.write(host + (at - start), at, from);
  }

  /** Links the clusters of a piece once `work` has written them, and ends its claim; gives them back if it fails. */
  async #complete(allocation: Allocation, work: Promise<void>): Promise<void> {
    const image = this.#image;
    try {
      await work;
      await image.lock.run(() => this.#link(allocation));
    } catch (error) {
      if (!image.broken) await image.lock.run(() => this.#giveBack(allocation));
      throw error;
    } finally {
      allocation.claim?.end();
    }
  }

  /** Under the lock. */
  #link(allocation: Allocation): void | Promise<void> {
    const image = this.#image;
    image.ensureWorking("write");
    if (!linkAtOnce(image, allocation)) return this.#linkEach(allocation);
    if (image.needsRelief) return image.relieve();
  }

  async #linkEach(allocation: Allocation): Promise<void> {
    const image = this.#image;
    for (let i = 0; i < allocation.clusters; i++) {
      const guest = allocation.start + i * image.clusterSize;
      const host = allocation.host + i * image.clusterSize;
      const old = await updateMapping(image, guest, (old) => linked(image, old, guest, host, allocation.copied));
      if ("host" in old && old.host !== host) await releaseMapping(image, old, "nobody");
    }
    if (image.needsRelief) await image.relieve();
  }

  /** After a failed write: clusters that were taken for it are free again, unless they were kept for it before. */
  async #giveBack(allocation: Allocation): Promise<void> {
    const slice = await this.#image.loadSlice(allocation.start);
    if (slice === undefined || allocation.kept || this.#image.isExternal) return;
    const mapping = mappingAt(this.#image, slice, this.#image.sliceIndex(allocation.start));
    if ("host" in mapping && mapping.host === allocation.host) return;
    await this.#image.allocator.free(allocation.host, allocation.clusters * this.#image.clusterSize, "nobody");
  }

  /**
   * Writes compressed clusters, plain where that is no shorter. All are packed at once and put into the file in the
   * order of the calls, so that the same calls give the same image.
   *
   * @throws {BlockError} EINVAL for parts of clusters, but for the last one of the disk
   */
  async writeCompressed(at: number, from: IoVector): Promise<void> {
    const image = this.#image;
    image.ensureWorking("write");
    if (image.isExternal) throw ioError("write", "ENOTSUP", { node: image.settings.nodeName });
    const { clusterSize } = image;
    const isWhole = from.length % clusterSize === 0 || at + from.length === image.header.size;
    if (at % clusterSize !== 0 || !isWhole) throw ioError("write", "EINVAL", { node: image.settings.nodeName });
    const pieces: { guest: number; plain: IoVector; packed: Promise<Uint8Array | undefined> }[] = [];
    for (let done = 0; done < from.length; done += clusterSize) {
      const plain = from.slice(done, Math.min(clusterSize, from.length - done));
      const cluster = wholeCluster(plain, clusterSize);
      const packed = from.length > clusterSize ? image.packers.pool.pack(cluster) : pack(image.compression, cluster);
      // One that fails is met when its turn comes; the others must not go unhandled.
      packed.catch(() => {});
      pieces.push({ guest: at + done, plain, packed });
    }
    const before = this.#packing;
    const work = (async () => {
      await before;
      for (const { guest, plain, packed } of pieces) {
        const bytes = await packed;
        if (bytes === undefined) await this.write(guest, plain);
        else {
          await this.#writePacked(guest, bytes);
          if (bytes.byteLength === bytes.buffer.byteLength) freeNow(bytes);
        }
      }
    })();
    this.#packing = work.catch(() => {});
    await work;
  }

  async #writePacked(guest: number, packed: Uint8Array): Promise<void> {
    const image = this.#image;
    await this.exclusive(guest, guest + image.clusterSize, async () => {
      await ensureSlice(image, guest);
      const host = await image.allocator.allocateBytes(packed.length);
      image.checkOverlap(host, packed.length);
      image.file.node.debugEvent("write_compressed");
      try {
        await image.file.writeData(host, IoVector.of(packed));
      } catch (error) {
        if (!image.broken) await image.allocator.free(host, packed.length, "nobody");
        throw error;
      }
      const old = await setMapping(image, guest, { kind: "compressed", host, length: packed.length });
      await releaseMapping(image, old, "other");
    });
  }

  /** Takes clusters for guest bytes `start` to `end` as writes would, without data; says where the last one ends. */
  async preallocate(start: number, end: number): Promise<number> {
    let last = 0;
    let expected = 0;
    for (let at = start; at < end;) {
      const allocation = await this.#locate(at, end - at, expected);
      if (allocation === undefined) {
        expected = 0;
        continue;
      }
      const bytes = allocation.clusters * this.#image.clusterSize;
      const inFile = alignUp(Math.min(end - allocation.start, bytes), this.#image.subclusterSize);
      if (allocation.link) {
        await this.#clear(allocation.host, inFile);
        await this.#image.lock.run(() => this.#linkBeforehand(allocation));
      }
      allocation.claim?.end();
      expected = allocation.host + bytes;
      last = Math.max(last, allocation.host + inFile);
      at = allocation.start + bytes;
    }
    return last;
  }

  async #linkBeforehand({ start, host, clusters, kept }: Allocation): Promise<void> {
    const image = this.#image;
    // A cluster of its own keeps what its subclusters are.
    if (kept && image.entries.extended) return;
    for (let i = 0; i < clusters; i++) {
      const at = i * image.clusterSize;
      const old = await updateMapping(image, start + at, (old) => preallocated(image, old, host + at));
      if ("host" in old && old.host !== host + at) await releaseMapping(image, old, "nobody");
    }
    await image.relieve();
  }

  /** Clusters that the guest sees before it has written them are zeroes, and inside the file, whenever power is lost. */
  async #clear(host: number, length: number): Promise<void> {
    // An external file has the size of the disk, and nothing in it that is not the disk's.
    if (this.#image.isExternal) return;
    const { file, entries } = this.#image;
    const stale = Math.min(length, file.size - host);
    // Subclusters of which nothing is said are not seen.
    if (stale > 0 && !entries.extended) await file.writeZeroes(host, stale, { unmap: true });
    if (stale < length) await file.truncate(host + length);
  }

  /** Runs `body` under the lock, at a moment when nobody allocates in guest bytes `start` to `end`. */
  async exclusive<T>(start: number, end: number, body: () => Promise<T>): Promise<T> {
    for (;;) {
      const blocker = this.#claims.blocker(start, end);
      if (blocker !== undefined) {
        await blocker.done;
        continue;
      }
      const outcome = await this.#image.lock.run(async () => {
        if (this.#claims.blocker(start, end) !== undefined) return undefined;
        this.#image.ensureWorking("write");
        return { value: await body() };
      });
      if (outcome !== undefined) return outcome.value;
    }
  }

  #claim(start: number, clusters: number): { readonly end: () => void } {
    return this.#claims.claim(start, start + clusters * this.#image.clusterSize);
  }
}

const EMPTY = new Uint8Array(0);

/** `from` with zeroes before and after it: `bytes` in all, `before` of them before. */
function betweenZeroes(before: number, from: IoVector, bytes: number): IoVector {
  return IoVector.from([new Uint8Array(before), ...from.slices, new Uint8Array(bytes - before - from.length)]);
}

/** The bytes of a cluster, zeroes behind the end of the disk; a view where they lie in one piece. */
function wholeCluster(plain: IoVector, clusterSize: number): Uint8Array {
  if (plain.length === clusterSize) return plain.toBytes();
  const cluster = new Uint8Array(clusterSize);
  plain.copyTo(cluster);
  return cluster;
}
