/**
 * Counting who refers to which cluster, by walking everything that the header leads to, with QEMU's text for what is
 * wrong on the way.
 *
 * The entries of L2 tables are in check_l2.ts, the refcount table in check_blocks.ts, bitmaps in check_bitmaps.ts.
 *
 * Source: [QCOW2] "Host cluster management", "Cluster mapping", "Snapshots".
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { BlockError } from "../../errors.ts";
import { addBitmaps } from "./check_bitmaps.ts";
import { walkRefcountTable } from "./check_blocks.ts";
import { entryHex, type Findings, type Fix, References } from "./check_findings.ts";
import { L2Walk } from "./check_l2.ts";
import { hex } from "./failures.ts";
import { INCOMPATIBLE, MAX_L1_BYTES } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { ENTRY_BYTES, entryOffset } from "./mapping.ts";
import { exactL1Offset } from "./snapshot_table.ts";

const SECTOR_BYTES = 512;

/** Walks one image. */
export class ReferenceWalk {
  readonly image: Qcow2Image;
  readonly findings: Findings;
  readonly fix: Fix;
  readonly references: References;
  /** Guest data lies in another file, which nothing here counts. */
  readonly hasDataFile: boolean;
  /** Some entry of an active L2 table is not marked as the only one that refers to its cluster, or was not looked at. */
  unmarked = false;
  readonly #l2Bytes: Uint8Array<ArrayBuffer>;
  #fileBytes = 0;

  constructor(image: Qcow2Image, findings: Findings, fix: Fix) {
    this.image = image;
    this.findings = findings;
    this.fix = fix;
    this.hasDataFile = (image.header.incompatible & BigInt(INCOMPATIBLE.dataFile)) !== 0n;
    this.#l2Bytes = new Uint8Array(image.clusterSize);
    this.references = new References(divideCeil(this.fileBytes, image.clusterSize), image.header.refcountOrder);
  }

  /** The file's length, of whole sectors as a disk has. */
  get fileBytes(): number {
    return divideCeil(this.image.file.size, SECTOR_BYTES) * SECTOR_BYTES;
  }

  /** Counts everything. @throws {BlockError} where the check cannot go on */
  async run(): Promise<void> {
    const { image } = this;
    const { header } = image;
    this.#fileBytes = this.fileBytes;
    this.add(0, image.clusterSize);
    await this.#walkL1(header.l1Offset, header.l1Entries, true);
    await this.#walkSnapshots();
    this.add(header.snapshotsOffset, image.snapshotTableBytes);
    const { encryption } = image.extensions;
    if (encryption !== undefined) this.add(encryption.offset, encryption.lengthBytes);
    await addBitmaps(this);
    this.add(header.refcountTableOffset, header.refcountTableClusters * image.clusterSize);
    await walkRefcountTable(this);
  }

  async #walkSnapshots(): Promise<void> {
    const { image } = this;
    if (this.hasDataFile && image.snapshots.length > 0) {
      this.error(`ERROR ${image.snapshots.length} snapshots in image with data file`);
    }
    for (const snapshot of image.snapshots) {
      const { id, name, l1Offset, l1Entries } = snapshot;
      const who = `ERROR snapshot ${id} (${name})`;
      const exact = exactL1Offset(snapshot);
      if (exact % BigInt(image.clusterSize) !== 0n) {
        this.error(
          `${who} l1_offset=0x${exact.toString(16)}: L1 table is not cluster aligned; snapshot table entry corrupted`,
        );
      } else if (l1Entries * ENTRY_BYTES > MAX_L1_BYTES) {
        this.error(`${who} l1_size=${hex(l1Entries)}: L1 table is too large; snapshot table entry corrupted`);
      } else await this.#walkL1(l1Offset, l1Entries, false);
    }
  }

  error(message: string): void {
    this.findings.messages.push(message);
    this.findings.corruptions++;
  }

  /** The file has another length, or the walk begins again: what is counted is compared with it. */
  measureFile(): void {
    this.#fileBytes = this.fileBytes;
  }

  /** One reference more to the clusters that `length` bytes at `offset` touch; `shown` where a double is too coarse. */
  add(offset: number, length: number, shown?: bigint): void {
    if (length <= 0) return;
    const { clusterSize, refcounts } = this.image;
    if (offset + length - this.#fileBytes >= clusterSize) {
      return this.error(
        "ERROR: counting reference for region exceeding the end of the file by one cluster or more: " +
          `offset 0x${(shown ?? BigInt(offset)).toString(16)} size 0x${length.toString(16)}`,
      );
    }
    const last = Math.floor((offset + length - 1) / clusterSize);
    for (let cluster = Math.floor(offset / clusterSize); cluster <= last; cluster++) {
      const count = this.references.get(cluster);
      if (count < refcounts.max) this.references.set(cluster, count + 1);
      else this.#overflow(cluster);
    }
  }

  #overflow(cluster: number): void {
    this.error(`ERROR: overflow cluster offset=0x${(cluster * this.image.clusterSize).toString(16)}`);
    this.findings.messages.push(
      "Use qemu-img amend to increase the refcount entry width or qemu-img convert to create a clean copy if the image " +
        "cannot be opened for writing",
    );
  }

  async #walkL1(offset: number, entries: number, active: boolean): Promise<void> {
    if (entries === 0) return;
    const { clusterSize } = this.image;
    this.add(offset, entries * ENTRY_BYTES);
    const view = new DataView((await this.readTable(offset, entries * ENTRY_BYTES, "check_refcounts_l1")).buffer);
    const l2 = new L2Walk(this, active);
    for (let index = 0; index < entries; index++) {
      const high = view.getUint32(index * ENTRY_BYTES);
      const low = view.getUint32(index * ENTRY_BYTES + 4);
      if (high === 0 && low === 0) continue;
      if ((high & 0x7f00_0000) !== 0 || (low & 0x1ff) !== 0) {
        this.error(`ERROR found L1 entry with reserved bits set: ${entryHex(high, low)}`);
      }
      const l2Offset = entryOffset(high, low);
      this.add(l2Offset, clusterSize);
      if (l2Offset % clusterSize !== 0) {
        this.error(`ERROR l2_offset=${l2Offset.toString(16)}: Table is not cluster aligned; L1 entry corrupted`);
      }
      await l2.table(l2Offset);
    }
  }

  /** The L2 table at `offset`, good until the next one is read. @throws {BlockError} EIO, said of `who` */
  async readL2(offset: number, who: string): Promise<DataView<ArrayBuffer>> {
    const bytes = this.#l2Bytes;
    if (offset >= this.#fileBytes) bytes.fill(0);
    else await this.image.file.read(offset, IoVector.of(bytes)).catch((error: unknown) => this.#unreadable(who, error));
    return new DataView(bytes.buffer);
  }

  /** A table's bytes, zeroes where the file has ended. @throws {BlockError} EIO, said of `who` */
  async readTable(offset: number, length: number, who: string): Promise<Uint8Array<ArrayBuffer>> {
    // So far out nothing can be.
    if (offset >= this.#fileBytes) return new Uint8Array(length);
    return await this.image.file.readBytes(offset, length).catch((error: unknown) => this.#unreadable(who, error));
  }

  #unreadable(who: string, cause: unknown): never {
    this.findings.messages.push(`ERROR: I/O error in ${who}`);
    this.findings.checkErrors++;
    throw new BlockError({ kind: "io", operation: "read", errno: "EIO" }, { cause });
  }
}
