/**
 * The active L1 table, wholly in memory; changed entries are written back by sectors of 512 bytes.
 *
 * Source: [QCOW2] "Cluster mapping".
 *
 * @module
 */
import { COPIED_HIGH, ENTRY_BYTES, entryOffset } from "./mapping.ts";

const SECTOR_BYTES = 512;

/** Pointers to L2 tables. */
export class L1Table {
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView;
  readonly #dirtySectors = new Set<number>();

  constructor(offset: number, bytes: Uint8Array<ArrayBuffer>) {
    this.offset = offset;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  get length(): number {
    return this.bytes.length / ENTRY_BYTES;
  }

  get isDirty(): boolean {
    return this.#dirtySectors.size > 0;
  }

  high(index: number): number {
    return this.view.getUint32(index * ENTRY_BYTES);
  }

  /** The L2 table's offset; 0 where there is none, beyond the end too. */
  l2Offset(index: number): number {
    if (index >= this.length) return 0;
    return entryOffset(this.view.getUint32(index * ENTRY_BYTES), this.view.getUint32(index * ENTRY_BYTES + 4));
  }

  isCopied(index: number): boolean {
    return (this.high(index) & COPIED_HIGH) !== 0;
  }

  set(index: number, l2Offset: number, copied: boolean): void {
    const at = index * ENTRY_BYTES;
    this.view.setUint32(at, Math.floor(l2Offset / 0x1_0000_0000) + (copied ? COPIED_HIGH : 0));
    this.view.setUint32(at + 4, l2Offset % 0x1_0000_0000);
    this.#dirtySectors.add(Math.floor(at / SECTOR_BYTES));
  }

  /** Takes over another table, which is on disk already. */
  replace(offset: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.offset = offset;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    this.#dirtySectors.clear();
  }

  /** The changed pieces with their offsets in the file, in order; each to be {@link written}. */
  dirtyPieces(): { offset: number; bytes: Uint8Array; sector: number }[] {
    return [...this.#dirtySectors].sort((a, b) => a - b).map((sector) => ({
      sector,
      offset: this.offset + sector * SECTOR_BYTES,
      bytes: this.bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES),
    }));
  }

  /** A piece has reached the file. */
  written(sector: number): void {
    this.#dirtySectors.delete(sector);
  }
}
