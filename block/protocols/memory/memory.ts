/**
 * A disk in memory, gone when it is closed: for tests, lessons and scratch.
 *
 * Space is allocated in pieces of 64 KiB when it is first written, so a large empty disk costs nothing. It grows when it
 * is written or truncated beyond its end. QEMU has no such driver; images of it are seen by moa only.
 *
 * @module
 */
import type { IoVector } from "../../../base/io_vector.ts";
import type { BlockDriver, DriverDefinition, Extent, RequestLimits, TruncateOptions } from "../../driver.ts";
import type { BlockdevOptionsMemory } from "../../options/blockdev.ts";

const PIECE_BYTES = 64 * 1024;

/** A sparse array of bytes as a block driver. */
export class MemoryDriver implements BlockDriver {
  readonly name: string = "memory";
  readonly limits: RequestLimits;
  #size: number;
  readonly #pieces = new Map<number, Uint8Array>();

  /** An empty disk of `size` bytes; `limits` other than the default are for tests. */
  constructor(size: number, limits: RequestLimits = { alignBytes: 1 }) {
    this.#size = size;
    this.limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  async read(at: number, into: IoVector): Promise<void> {
    this.#walk(at, into, (piece, start, slice) => {
      if (piece === undefined) slice.fill(0);
      else slice.set(piece.subarray(start, start + slice.length));
    }, false);
  }

  async write(at: number, from: IoVector): Promise<void> {
    this.#walk(at, from, (piece, start, slice) => piece!.set(slice, start), true);
    if (at + from.length > this.#size) this.#size = at + from.length;
  }

  async writeZeroes(at: number, length: number): Promise<void> {
    const end = at + length;
    for (let from = at; from < end;) {
      const index = Math.floor(from / PIECE_BYTES);
      const start = from - index * PIECE_BYTES;
      const count = Math.min(PIECE_BYTES - start, end - from);
      if (count === PIECE_BYTES) this.#pieces.delete(index);
      else this.#pieces.get(index)?.fill(0, start, start + count);
      from += count;
    }
    if (end > this.#size) this.#size = end;
  }

  discard(at: number, length: number): Promise<void> {
    return this.writeZeroes(at, Math.min(length, Math.max(0, this.#size - at)));
  }

  async flush(): Promise<void> {}

  async status(at: number, length: number): Promise<Extent> {
    const first = this.#pieces.has(Math.floor(at / PIECE_BYTES));
    let end = (Math.floor(at / PIECE_BYTES) + 1) * PIECE_BYTES;
    while (end < at + length && this.#pieces.has(end / PIECE_BYTES) === first) end += PIECE_BYTES;
    return {
      lengthBytes: Math.min(end - at, length),
      kind: first ? "data" : "zero",
      hostOffset: at,
      allocated: true,
    };
  }

  async truncate(size: number, _how?: TruncateOptions): Promise<void> {
    if (size < this.#size) {
      await this.writeZeroes(size, this.#size - size);
      for (const index of this.#pieces.keys()) if (index * PIECE_BYTES >= size) this.#pieces.delete(index);
    }
    this.#size = size;
  }

  async allocatedBytes(): Promise<number> {
    return this.#pieces.size * PIECE_BYTES;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pieces.clear();
  }

  #walk(
    at: number,
    data: IoVector,
    visit: (piece: Uint8Array | undefined, start: number, slice: Uint8Array) => void,
    allocate: boolean,
  ): void {
    let position = at;
    for (const slice of data.slices) {
      for (let done = 0; done < slice.length;) {
        const index = Math.floor(position / PIECE_BYTES);
        const start = position - index * PIECE_BYTES;
        const count = Math.min(PIECE_BYTES - start, slice.length - done);
        let piece = this.#pieces.get(index);
        if (piece === undefined && allocate) this.#pieces.set(index, piece = new Uint8Array(PIECE_BYTES));
        visit(piece, start, count === slice.length ? slice : slice.subarray(done, done + count));
        done += count;
        position += count;
      }
    }
  }
}

/** The `memory` driver. */
export const memory: DriverDefinition<BlockdevOptionsMemory> = {
  name: "memory",
  kind: "protocol",
  async open(options) {
    return new MemoryDriver(options.size ?? 0);
  },
};
