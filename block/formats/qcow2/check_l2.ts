/**
 * The entries of an L2 table in a check: what they may say, which clusters they refer to, and the two kinds of damage
 * that can be mended on the spot without losing data.
 *
 * Source: [QCOW2] "Cluster mapping", "Extended L2 Entries".
 *
 * @module
 */
import { errnoText } from "../../../base/errno.ts";
import { afterZeroPages, isPageStart } from "../../../base/io_vector.ts";
import { BlockError, errnoOf } from "../../errors.ts";
import { entryHex } from "./check_findings.ts";
import type { ReferenceWalk } from "./check_references.ts";
import { INCOMPATIBLE } from "./header.ts";
import { COPIED_HIGH, decodeEntry, ENTRY_BYTES, entryOffset, ZERO_LOW } from "./mapping.ts";
import { AREA } from "./overlap.ts";

const EXTENDED_ENTRY_BYTES = 16;
const COMPRESSED_HIGH = 0x4000_0000;
const RESERVED_HIGH = 0x3f00_0000;
const RESERVED_LOW = 0x1fe;

/** An entry in pieces. */
interface Entry {
  readonly index: number;
  readonly high: number;
  readonly low: number;
  /** Extended entries: subclusters that read as zeroes, and that are allocated. */
  readonly zeroBits: number;
  readonly allocatedBits: number;
  /** Where the entry lies in the file. */
  readonly at: number;
}

/** Walks the L2 tables of one L1 table. */
export class L2Walk {
  readonly #walk: ReferenceWalk;
  readonly #active: boolean;
  readonly #extended: boolean;
  readonly #entryBytes: number;
  /** Where the next cluster would lie if there was no gap. */
  #nextContiguous = 0;

  constructor(walk: ReferenceWalk, active: boolean) {
    this.#walk = walk;
    this.#active = active;
    this.#extended = (walk.image.header.incompatible & BigInt(INCOMPATIBLE.extendedL2)) !== 0n;
    this.#entryBytes = this.#extended ? EXTENDED_ENTRY_BYTES : ENTRY_BYTES;
  }

  /** Counts what the table at `offset` refers to. @throws {BlockError} EIO where it cannot be read */
  async table(offset: number): Promise<void> {
    const { clusterSize } = this.#walk.image;
    const view = await this.#walk.readL2(offset, "check_refcounts_l2");
    this.#nextContiguous = 0;
    for (let at = this.#plain(view, 0); at < clusterSize; at = this.#plain(view, at + this.#entryBytes)) {
      const entry: Entry = {
        index: at / this.#entryBytes,
        high: view.getUint32(at),
        low: view.getUint32(at + 4),
        zeroBits: this.#extended ? view.getUint32(at + 8) : 0,
        allocatedBits: this.#extended ? view.getUint32(at + 12) : 0,
        at: offset + at,
      };
      if (this.#active) this.#walk.unmarked = true;
      if ((entry.high & COMPRESSED_HIGH) !== 0) this.#compressed(entry);
      else await this.#standard(entry);
    }
  }

  /**
   * Counts entries from byte `at` on that need no second look, as nearly all do: nothing at all, and plain data inside
   * the file. Where the first other one begins, or the table ends.
   */
  #plain(view: DataView<ArrayBuffer>, at: number): number {
    const { image, findings, references, hasDataFile } = this.#walk;
    const { counts } = references;
    const { clusterSize } = image;
    if (this.#extended || hasDataFile) return this.#afterEmpty(view, at);
    const { max } = image.refcounts;
    const perByte = 1 / clusterSize;
    const lastCluster = Math.floor(this.#walk.fileBytes * perByte) - 1;
    const alignMask = (clusterSize - 1) | RESERVED_LOW | ZERO_LOW;
    // A process that checks one image runs this before it is compiled: elements of an array are read quickly even then,
    // and the high half, which changes once in 4 GiB, is taken apart when it changes.
    const words = new Int32Array(view.buffer, view.byteOffset, clusterSize / 4);
    let lastHigh = 0;
    let base = 0;
    let marked = false;
    let plain = true;
    let unmarked = false;
    let shared = false;
    let next = this.#nextContiguous;
    let allocated = 0;
    let fragmented = 0;
    for (; at < clusterSize; at += ENTRY_BYTES) {
      const word = at >> 2;
      const high = words[word]!;
      const swapped = words[word + 1]!;
      if ((swapped | high) === 0) continue;
      if (high !== lastHigh) {
        lastHigh = high;
        const value = view.getUint32(at);
        base = (value & 0x00ff_ffff) * 0x1_0000_0000;
        marked = value >= COPIED_HIGH;
        plain = (value & ~COPIED_HIGH & 0xff00_0000) === 0;
      }
      const low = swapped >>> 24 | swapped >>> 8 & 0xff00 | (swapped & 0xff00) << 8 | swapped << 24;
      if (!plain || (low & alignMask) !== 0) break;
      const host = base + (low >>> 0);
      const place = host * perByte;
      if (host === 0 || place > lastCluster) break;
      // There are fewer clusters than 2^31, and an integer is the quicker index.
      const cluster = place | 0;
      const count = counts[cluster]!;
      if (count >= max) break;
      counts[cluster] = count + 1;
      if (count !== 0) shared = true;
      if (!marked) unmarked = true;
      allocated++;
      if (next !== 0 && host !== next) fragmented++;
      next = host + clusterSize;
    }
    if (shared) references.shared = true;
    if (this.#active) {
      if (unmarked) this.#walk.unmarked = true;
      this.#nextContiguous = next;
      findings.allocatedClusters += allocated;
      findings.fragmentedClusters += fragmented;
    }
    return at;
  }

  /** Where the first entry from byte `at` on begins that says anything, or the table ends. */
  #afterEmpty(view: DataView<ArrayBuffer>, at: number): number {
    const { clusterSize } = this.#walk.image;
    const bytes = new Uint8Array(view.buffer, view.byteOffset, clusterSize);
    const words = new Int32Array(view.buffer, view.byteOffset, clusterSize / 4);
    for (; at < clusterSize; at += this.#entryBytes) {
      if (isPageStart(at)) at = afterZeroPages(bytes, at);
      const end = (at + this.#entryBytes) >> 2;
      for (let word = at >> 2; word < end; word++) if ((words[word] ?? 0) !== 0) return at;
    }
    return clusterSize;
  }

  #countFragment(host: number): void {
    const { findings, image } = this.#walk;
    findings.allocatedClusters++;
    if (this.#nextContiguous !== 0 && host !== this.#nextContiguous) findings.fragmentedClusters++;
    this.#nextContiguous = host + image.clusterSize;
  }

  #compressed(entry: Entry): void {
    const { findings, image } = this.#walk;
    const { high, low } = entry;
    const mapping = decodeEntry(high, low, image.header.clusterBits);
    if (mapping.kind !== "compressed") return;
    // Such an offset may have more bits than a double.
    const offsetBits = 62 - (image.header.clusterBits - 8);
    const exact = ((BigInt(high) << 32n) | BigInt(low)) & ((1n << BigInt(offsetBits)) - 1n);
    let cleared = high;
    if (high >= COPIED_HIGH) {
      // The text has the whole of what is taken for the offset.
      const taken = ((BigInt(high) << 32n) | BigInt(low)) & ((1n << BigInt(offsetBits)) - 1n);
      this.#walk.error(
        `ERROR: coffset=0x${taken.toString(16)}: copied flag must never be set for compressed clusters`,
      );
      cleared = high & ~COPIED_HIGH;
    }
    if (this.#walk.hasDataFile) {
      return this.#walk.error(
        `ERROR compressed cluster ${entry.index} with data file, entry=0x${entryHex(cleared, low)}`,
      );
    }
    if (entry.zeroBits !== 0 || entry.allocatedBits !== 0) {
      return this.#walk.error(
        `ERROR compressed cluster ${entry.index} with non-zero subcluster allocation bitmap, ` +
          `entry=0x${entryHex(cleared, low)}`,
      );
    }
    const sectors = Number(((BigInt(high) & 0x3fff_ffffn) << 32n | BigInt(low)) >> BigInt(offsetBits)) + 1;
    this.#walk.add(mapping.host, sectors * 512 - Number(exact & 511n), exact);
    if (!this.#active) return;
    findings.compressedClusters++;
    findings.allocatedClusters++;
    findings.fragmentedClusters++;
  }

  async #standard(entry: Entry): Promise<void> {
    const { image, findings, hasDataFile } = this.#walk;
    const { high, low, zeroBits, allocatedBits } = entry;
    if ((high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0) {
      this.#walk.error(`ERROR found l2 entry with reserved bits set: ${entryHex(high, low)}`);
    }
    const host = entryOffset(high, low);
    const isZero = !this.#extended && (low & ZERO_LOW) !== 0;
    if (host === 0 && !(hasDataFile && !isZero && high >= COPIED_HIGH)) {
      if (allocatedBits !== 0) this.#walk.error("ERROR: Unallocated cluster has non-zero subcluster allocation map");
      return;
    }
    const offset = host.toString(16);
    if ((zeroBits & allocatedBits) !== 0) {
      this.#walk.error(`ERROR offset=${offset}: Allocated cluster has corrupted subcluster allocation bitmap`);
    }
    if (this.#active) this.#countFragment(host);
    if (host % image.clusterSize !== 0) {
      const holdsData = this.#extended ? allocatedBits !== 0 : !isZero;
      if (holdsData) {
        this.#walk.error(`ERROR offset=${offset}: Data cluster is not properly aligned; L2 entry corrupted.`);
      } else {
        const mend = this.#walk.fix === "all";
        this.#walk.error(
          `${mend ? "Repairing" : "ERROR"} offset=${offset}: Preallocated cluster is not properly aligned; ` +
            "L2 entry corrupted.",
        );
        if (mend && await this.#writeZero(entry)) {
          // It is no cluster any more.
          if (this.#active) findings.allocatedClusters--;
          return;
        }
      }
    }
    if (!hasDataFile) this.#walk.add(host, image.clusterSize);
  }

  /** Makes an entry say "zeroes", which loses no data that could be read. @throws {BlockError} where metadata lies there */
  async #writeZero(entry: Entry): Promise<boolean> {
    const { image, findings } = this.#walk;
    const bytes = new Uint8Array(ENTRY_BYTES);
    // In an extended entry the bitmap behind it says already which subclusters are zeroes, and that none is data.
    if (!this.#extended) bytes[7] = ZERO_LOW;
    try {
      image.checkOverlap(entry.at, bytes.length, this.#active ? AREA.activeL2 : AREA.inactiveL2);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      findings.messages.push("ERROR: Overlap check failed");
      findings.checkErrors++;
      throw error;
    }
    try {
      await image.file.write(entry.at, bytes);
      image.l2.forget(entry.at - entry.at % image.l2.pieceBytes, image.l2.pieceBytes);
    } catch (error) {
      findings.messages.push(`ERROR: Failed to overwrite L2 table entry: ${errnoText(errnoOf(error))}`);
      findings.checkErrors++;
      return false;
    }
    findings.corruptions--;
    findings.corruptionsFixed++;
    return true;
  }
}
