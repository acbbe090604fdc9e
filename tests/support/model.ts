/**
 * A disk as a plain byte array: the independent truth that random operations are compared with.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";

/** The model; offsets and lengths in bytes, all within `size`. */
export class ModelDisk {
  #bytes: Uint8Array;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  get size(): number {
    return this.#bytes.length;
  }

  read(at: number, length: number): Uint8Array {
    return this.#bytes.slice(at, at + length);
  }

  write(at: number, data: Uint8Array): void {
    this.#bytes.set(data, at);
  }

  fill(at: number, length: number, byte: number): void {
    this.#bytes.fill(byte, at, at + length);
  }

  /** Grows with zeroes, or cuts. */
  truncate(size: number): void {
    const grown = new Uint8Array(size);
    grown.set(this.#bytes.subarray(0, size));
    this.#bytes = grown;
  }

  /** What a snapshot keeps. */
  copy(): ModelDisk {
    const other = new ModelDisk(0);
    other.#bytes = this.#bytes.slice();
    return other;
  }

  /** Fails at the first sector that differs, and says which. */
  assertSame(actual: Uint8Array, at = 0): void {
    const expected = this.#bytes.subarray(at, at + actual.length);
    if (Buffer.compare(actual, expected) === 0) return;
    const first = expected.findIndex((byte, index) => byte !== actual[index]);
    const sector = Math.floor(first / 512) * 512;
    assertEquals(
      actual.slice(sector, sector + 512).toHex(),
      expected.slice(sector, sector + 512).toHex(),
      `the disk differs first at byte ${at + first}`,
    );
  }
}
