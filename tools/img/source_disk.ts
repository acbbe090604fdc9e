/**
 * The disk that `convert` reads: one image, or several one after the other.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { type BlockNode, blockStatus } from "../../block/mod.ts";

/** A run of the disk: bytes to be read, zeroes, or what the target's backing file shows anyway. */
export interface SourceRun {
  readonly kind: "data" | "zero" | "backing";
  readonly lengthBytes: number;
}

/** One of the images: its first byte is byte `start` of the disk. */
export interface Part {
  readonly node: BlockNode;
  readonly start: number;
}

/** Images in a row. */
export class SourceDisk {
  readonly sizeBytes: number;
  readonly #parts: readonly Part[];
  /** The target has a backing file too: what the (only) source's own layer does not hold is left out. */
  readonly #overlay: { readonly backingBytes: number } | undefined;

  /** With `overlay`, the target has a backing file; behind its `backingBytes` all is zero before anything is written. */
  constructor(nodes: readonly BlockNode[], overlay?: { readonly backingBytes: number }) {
    const parts: Part[] = [];
    let start = 0;
    for (const node of nodes) {
      parts.push({ node, start });
      start += node.size;
    }
    this.sizeBytes = start;
    this.#parts = parts;
    this.#overlay = overlay;
  }

  /** The image that `at` lies in, by its place in the row. */
  partAt(at: number): Part {
    return this.#parts.length === 1
      ? this.#parts[0]!
      : this.#parts.findLast(({ start, node }) => start <= at && at < start + node.size)!;
  }

  /** The first run of `length` bytes at `at`. */
  async status(at: number, length: number): Promise<SourceRun> {
    const { node, start } = this.partAt(at);
    const most = Math.min(length, start + node.size - at);
    const overlay = this.#overlay;
    if (overlay === undefined) {
      const { lengthBytes, zero } = await blockStatus(node, at - start, most);
      return { kind: zero ? "zero" : "data", lengthBytes };
    }
    const { kind, lengthBytes } = await node.status(at, most);
    if (kind === "data") return { kind, lengthBytes };
    // Behind the end of its own backing file the source is zero, though no layer says so.
    const shown = kind === "unallocated" && at < (node.backing?.size ?? 0);
    return { kind: shown || at >= overlay.backingBytes ? "backing" : "zero", lengthBytes };
  }

  /** Reads across borders. */
  read(at: number, into: IoVector): Promise<void> {
    const { node, start } = this.partAt(at);
    return at + into.length <= start + node.size ? node.read(at - start, into) : this.#readAcross(at, into);
  }

  async #readAcross(at: number, into: IoVector): Promise<void> {
    for (let done = 0; done < into.length;) {
      const { node, start } = this.partAt(at + done);
      const length = Math.min(into.length - done, start + node.size - at - done);
      await node.read(at + done - start, done === 0 && length === into.length ? into : into.slice(done, length));
      done += length;
    }
  }
}
