/**
 * Counting who refers to which cluster, by walking everything that the header leads to, with QEMU's text for what is
 * wrong on the way.
 *
 * Source: [QCOW2] "Host cluster management", "Cluster mapping", "Snapshots", "Bitmaps".
 *
 * @module
 */
import { alignUp, divideCeil } from "../../../base/bits.ts";
import { errnoText } from "../../../base/errno.ts";
import { MiB } from "../../../base/units.ts";
import { errnoOf, ioError } from "../../errors.ts";
import { AUTOCLEAR, MAX_L1_BYTES, readUint64 } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { COPIED_HIGH, decodeEntry, ENTRY_BYTES, entryOffset } from "./mapping.ts";

const MAX_CLUSTERS = 2 ** 28;
const BITMAP_RECORD_BYTES = 24;
const MAX_BITMAP_DIRECTORY_BYTES = 64 * MiB;
const MAX_BITMAP_TABLE_ENTRIES = 8 * MiB;

/** Whether and what a check repairs. */
export type Fix = "none" | "leaks" | "all";

/** What a check has found so far. */
export interface Findings {
  readonly messages: string[];
  corruptions: number;
  leaks: number;
  corruptionsFixed: number;
  leaksFixed: number;
  checkErrors: number;
  imageEndOffset: number;
  allocatedClusters: number;
  fragmentedClusters: number;
  compressedClusters: number;
  /** Refcounts cannot be mended one by one. */
  rebuild: boolean;
}

/** No findings yet. */
export function noFindings(): Findings {
  return {
    messages: [],
    corruptions: 0,
    leaks: 0,
    corruptionsFixed: 0,
    leaksFixed: 0,
    checkErrors: 0,
    imageEndOffset: 0,
    allocatedClusters: 0,
    fragmentedClusters: 0,
    compressedClusters: 0,
    rebuild: false,
  };
}

/** References by cluster, as many as the file has clusters. */
export class Counts {
  #counts: Float64Array;
  length: number;

  constructor(length: number) {
    if (length > MAX_CLUSTERS) throw ioError("status", "ENOMEM");
    this.length = length;
    this.#counts = new Float64Array(length);
  }

  get(cluster: number): number {
    return this.#counts[cluster] ?? 0;
  }

  set(cluster: number, value: number): void {
    if (cluster >= this.length) this.extend(cluster + 1);
    this.#counts[cluster] = value;
  }

  extend(length: number): void {
    if (length > MAX_CLUSTERS) throw ioError("status", "ENOMEM");
    if (length > this.#counts.length) {
      const counts = new Float64Array(Math.max(length, this.#counts.length * 2));
      counts.set(this.#counts);
      this.#counts = counts;
    }
    this.length = Math.max(this.length, length);
  }
}

/** Entries print as C's `%lx` of 64 bits. */
export function entryHex(high: number, low: number): string {
  return (BigInt(high >>> 0) << 32n | BigInt(low >>> 0)).toString(16);
}

/** Walks one image. */
export class ReferenceWalk {
  readonly image: Qcow2Image;
  readonly findings: Findings;
  readonly fix: Fix;
  readonly counts: Counts;
  #nextContiguous = 0;

  constructor(image: Qcow2Image, findings: Findings, fix: Fix) {
    this.image = image;
    this.findings = findings;
    this.fix = fix;
    this.counts = new Counts(divideCeil(image.file.size, image.clusterSize));
  }

  /** Counts everything. */
  async run(): Promise<void> {
    const { image } = this;
    const { header } = image;
    this.add(0, image.clusterSize);
    await this.#walkL1(header.l1Offset, image.l1.bytes, true);
    for (const snapshot of image.snapshots) {
      const who = `ERROR snapshot ${snapshot.id} (${snapshot.name})`;
      if (snapshot.l1Offset % image.clusterSize !== 0) {
        this.error(
          `${who} l1_offset=0x${snapshot.l1Offset.toString(16)}: L1 table is not cluster aligned; ` +
            "snapshot table entry corrupted",
        );
        continue;
      }
      if (snapshot.l1Entries * ENTRY_BYTES > MAX_L1_BYTES) {
        this.error(
          `${who} l1_size=0x${snapshot.l1Entries.toString(16)}: L1 table is too large; snapshot table entry corrupted`,
        );
        continue;
      }
      const l1 = await image.file.readBytes(snapshot.l1Offset, snapshot.l1Entries * ENTRY_BYTES);
      await this.#walkL1(snapshot.l1Offset, l1, false);
    }
    this.add(header.snapshotsOffset, image.snapshotTableBytes);
    await this.#addBitmaps();
    this.add(header.refcountTableOffset, header.refcountTableClusters * image.clusterSize);
    await this.#walkRefcountTable();
  }

  error(message: string): void {
    this.findings.messages.push(message);
    this.findings.corruptions++;
  }

  /** One reference more to the clusters that `length` bytes at `offset` touch. */
  add(offset: number, length: number): void {
    if (length <= 0) return;
    const { clusterSize, file, refcounts } = this.image;
    if (offset + length - file.size >= clusterSize) {
      return this.error(
        "ERROR: counting reference for region exceeding the end of the file by one cluster or more: " +
          `offset 0x${offset.toString(16)} size 0x${length.toString(16)}`,
      );
    }
    const last = Math.floor((offset + length - 1) / clusterSize);
    for (let cluster = Math.floor(offset / clusterSize); cluster <= last; cluster++) {
      const count = this.counts.get(cluster);
      if (count >= refcounts.max) {
        this.error(`ERROR: overflow cluster offset=0x${(cluster * clusterSize).toString(16)}`);
      } else this.counts.set(cluster, count + 1);
    }
  }

  /** The directory of persistent bitmaps, each bitmap's table, and the clusters that it leads to. */
  async #addBitmaps(): Promise<void> {
    const { image } = this;
    const { bitmaps } = image.extensions;
    // Without its bit the extension is stale, and what it leads to is nobody's.
    if (bitmaps === undefined || (image.header.autoclear & BigInt(AUTOCLEAR.bitmaps)) === 0n) return;
    this.add(bitmaps.directoryOffset, bitmaps.directoryBytes);
    const directory = await image.file.readBytes(
      bitmaps.directoryOffset,
      Math.min(bitmaps.directoryBytes, MAX_BITMAP_DIRECTORY_BYTES),
    );
    const view = new DataView(directory.buffer);
    for (let at = 0; at + BITMAP_RECORD_BYTES <= directory.length;) {
      await this.#addBitmapTable(readUint64(view, at), Math.min(view.getUint32(at + 8), MAX_BITMAP_TABLE_ENTRIES));
      at += alignUp(BITMAP_RECORD_BYTES + view.getUint16(at + 18) + view.getUint32(at + 20), 8);
    }
  }

  async #addBitmapTable(offset: number, entries: number): Promise<void> {
    this.add(offset, entries * ENTRY_BYTES);
    const table = await this.image.file.readBytes(offset, entries * ENTRY_BYTES);
    const view = new DataView(table.buffer);
    for (let index = 0; index < entries; index++) {
      const data = entryOffset(view.getUint32(index * ENTRY_BYTES), view.getUint32(index * ENTRY_BYTES + 4));
      if (data !== 0) this.add(data, this.image.clusterSize);
    }
  }

  async #walkL1(offset: number, l1: Uint8Array, active: boolean): Promise<void> {
    const { clusterSize, file } = this.image;
    this.add(offset, l1.length);
    const view = new DataView(l1.buffer, l1.byteOffset, l1.byteLength);
    for (let index = 0; index < l1.length / ENTRY_BYTES; index++) {
      const high = view.getUint32(index * ENTRY_BYTES);
      const low = view.getUint32(index * ENTRY_BYTES + 4);
      const l2Offset = entryOffset(high, low);
      if (high === 0 && low === 0) continue;
      if ((high & 0x7f00_0000) !== 0 || (low & 0x1ff) !== 0) {
        this.error(`ERROR found L1 entry with reserved bits set: ${entryHex(high, low)}`);
      }
      if (l2Offset === 0) continue;
      this.add(l2Offset, clusterSize);
      if (l2Offset % clusterSize !== 0) {
        this.error(`ERROR l2_offset=${l2Offset.toString(16)}: Table is not cluster aligned; L1 entry corrupted`);
      }
      try {
        await this.#walkL2(await file.readBytes(l2Offset, clusterSize), l2Offset, active);
      } catch (error) {
        this.findings.messages.push("ERROR: I/O error in check_refcounts_l2");
        this.findings.checkErrors++;
        if (this.image.broken) throw error;
      }
    }
  }

  async #walkL2(table: Uint8Array<ArrayBuffer>, tableOffset: number, active: boolean): Promise<void> {
    const { clusterSize, header } = this.image;
    this.#nextContiguous = 0;
    const view = new DataView(table.buffer);
    for (let index = 0; index < clusterSize / ENTRY_BYTES; index++) {
      const high = view.getUint32(index * ENTRY_BYTES);
      const low = view.getUint32(index * ENTRY_BYTES + 4);
      if (high === 0 && low === 0) continue;
      const mapping = decodeEntry(high, low, header.clusterBits);
      if (mapping.kind === "compressed") {
        if (high >= COPIED_HIGH) {
          this.error(
            `ERROR: coffset=0x${mapping.host.toString(16)}: copied flag must never be set for compressed clusters`,
          );
        }
        if (active) {
          this.findings.compressedClusters++;
          this.findings.allocatedClusters++;
          this.findings.fragmentedClusters++;
        }
        this.add(mapping.host, mapping.length);
        continue;
      }
      if ((high & 0x3f00_0000) !== 0 || (low & 0x1fe) !== 0) {
        this.error(`ERROR found l2 entry with reserved bits set: ${entryHex(high, low)}`);
      }
      if (mapping.kind === "unallocated" || mapping.host === 0) continue;
      if (active) this.#countFragments(mapping.host);
      if (mapping.host % clusterSize !== 0) {
        const repaired = await this.#unaligned(mapping.kind, mapping.host, tableOffset + index * ENTRY_BYTES);
        if (repaired) continue;
      }
      this.add(mapping.host, clusterSize);
    }
  }

  #countFragments(host: number): void {
    this.findings.allocatedClusters++;
    if (this.#nextContiguous !== 0 && host !== this.#nextContiguous) this.findings.fragmentedClusters++;
    this.#nextContiguous = host + this.image.clusterSize;
  }

  /** An unaligned cluster: one that only was kept for zeroes can be let go, one with data cannot. */
  async #unaligned(kind: "data" | "zero", host: number, entryOffsetInFile: number): Promise<boolean> {
    const offset = host.toString(16);
    if (kind === "data") {
      this.error(`ERROR offset=${offset}: Data cluster is not properly aligned; L2 entry corrupted.`);
      return false;
    }
    const what = `offset=${offset}: Preallocated cluster is not properly aligned; L2 entry corrupted.`;
    if (this.fix !== "all") {
      this.error(`ERROR ${what}`);
      return false;
    }
    this.findings.messages.push(`Repairing ${what}`);
    const { l2, file } = this.image;
    const zero = new Uint8Array(ENTRY_BYTES);
    zero[ENTRY_BYTES - 1] = 1;
    await file.write(entryOffsetInFile, zero);
    l2.forget(entryOffsetInFile - entryOffsetInFile % l2.pieceBytes, l2.pieceBytes);
    this.findings.corruptionsFixed++;
    this.findings.allocatedClusters--;
    return true;
  }

  async #walkRefcountTable(): Promise<void> {
    const { file, refcounts, clusterSize, header } = this.image;
    const raw = await file.readBytes(header.refcountTableOffset, refcounts.tableBytes);
    const view = new DataView(raw.buffer);
    for (let index = 0; index < refcounts.table.length; index++) {
      const offset = refcounts.table[index]!;
      const low = view.getUint32(index * ENTRY_BYTES + 4);
      if ((low & 0x1ff) !== 0) {
        this.error(`ERROR refcount table entry ${index} has reserved bits set`);
        this.findings.rebuild = true;
        continue;
      }
      // The lower half, since a large offset has lost its last bits as a number.
      if (low % clusterSize !== 0) {
        this.error(`ERROR refcount block ${index} is not cluster aligned; refcount table entry corrupted`);
        this.findings.rebuild = true;
        continue;
      }
      const cluster = offset / clusterSize;
      if (cluster >= this.counts.length) {
        await this.#blockOutside(index, offset);
        if (this.fix !== "all") continue;
      }
      if (offset === 0) continue;
      this.add(offset, clusterSize);
      const count = this.counts.get(cluster);
      if (count !== 1) {
        this.error(`ERROR refcount block ${index} refcount=${count}`);
        this.findings.rebuild = true;
      }
    }
  }

  async #blockOutside(index: number, offset: number): Promise<void> {
    if (this.fix !== "all") return this.error(`ERROR refcount block ${index} is outside image`);
    this.findings.messages.push(`Repairing refcount block ${index} is outside image`);
    const { file, clusterSize } = this.image;
    try {
      if (offset > Number.MAX_SAFE_INTEGER - clusterSize) throw ioError("truncate", "EINVAL");
      await file.truncate(offset + clusterSize);
      this.counts.extend(offset / clusterSize + 1);
      this.findings.corruptionsFixed++;
    } catch (error) {
      this.findings.corruptions++;
      this.findings.messages.push(`ERROR could not resize image: ${errnoText(errnoOf(error))}`);
    }
  }
}
