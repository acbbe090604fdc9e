/**
 * The filter of a mirror: it knows what the guest wrote that the target has not, and in the mode `write-blocking` it
 * writes both.
 *
 * In the mode `background` a range is marked when its write has ended: whoever copies it earlier copies it again. In the
 * other, writes and copies of one range take turns.
 *
 * @module
 */
import { alignDown, alignUp } from "../../base/bits.ts";
import type { IoVector } from "../../base/io_vector.ts";
import { DirtyBitmap } from "../bitmap.ts";
import type { ZeroOptions } from "../driver.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, Permission, type PermissionPair } from "../permissions.ts";
import { copyRange, PieceBuffers } from "./copy.ts";
import { PassThrough } from "./pass_through.ts";
import { RangeTurns } from "./range_turns.ts";

/** What a mirror's filter is made with. */
export interface MirrorTopOptions {
  readonly source: BlockNode;
  readonly target: BlockNode;
  readonly isImplicit: boolean;
  readonly unitBytes: number;
  /** Of a unit no part may be copied alone. */
  readonly isWhole: boolean;
  /** Writes of the guest end when the target has them too. */
  readonly isBlocking: boolean;
  /** The target lies below the source: what others may see of it is no matter while the job runs. */
  readonly isCommit: boolean;
  /** A write that the target refused; it is copied again. */
  readonly failed: (error: unknown) => void;
}

/** Between the guest and the source of a mirror. */
export class MirrorTop extends PassThrough {
  /** What the target has not. */
  readonly dirty: DirtyBitmap;
  /** Who is at work where. */
  readonly turns: RangeTurns = new RangeTurns();
  readonly #options: MirrorTopOptions;
  readonly #buffers = new PieceBuffers();
  #wake: (() => void) | undefined;

  constructor(options: MirrorTopOptions) {
    super("mirror_top", options.source, options.isImplicit);
    this.#options = options;
    const { source, unitBytes } = options;
    this.dirty = new DirtyBitmap({ sizeBytes: source.size, granularityBytes: unitBytes });
  }

  /** Resolves when something was written that has to be copied. */
  get written(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  override write(at: number, from: IoVector): Promise<void> {
    return this.#both(at, from.length, () => this.below.write(at, from), (target) => target.write(at, from));
  }

  override writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    const zero = (node: BlockNode) => node.writeZeroes(at, length, how);
    return this.#both(at, length, () => zero(this.below), zero);
  }

  override discard(at: number, length: number): Promise<void> {
    // What a discarded range reads as is the source's affair: it is looked at again.
    return this.#marked(at, length, this.below.discard(at, length));
  }

  override childPermissions(_role: string, asked: PermissionPair): PermissionPair {
    const used = this.#options.isCommit ? asked.used & ~Permission.consistentRead : asked.used;
    return { used, shared: ALL_PERMISSIONS };
  }

  #both(
    at: number,
    length: number,
    write: () => Promise<void>,
    copy: (target: BlockNode) => Promise<void>,
  ): Promise<void> {
    return this.#options.isBlocking ? this.#blocking(at, length, write, copy) : this.#marked(at, length, write());
  }

  async #marked(at: number, length: number, work: Promise<void>): Promise<void> {
    try {
      await work;
    } finally {
      // Of a write that failed a part may be there.
      this.#mark(at, length);
    }
  }

  async #blocking(
    at: number,
    length: number,
    write: () => Promise<void>,
    copy: (target: BlockNode) => Promise<void>,
  ): Promise<void> {
    const { target, isWhole, unitBytes } = this.#options;
    const start = isWhole ? alignDown(at, unitBytes) : at;
    const end = isWhole ? Math.min(alignUp(at + length, unitBytes), this.dirty.sizeBytes) : at + length;
    const isPart = start < at || end > at + length;
    const turn = await this.turns.take(start, end);
    try {
      await write();
      const copied = isPart
        ? copyRange(this.below, target, start, end - start, { buffers: this.#buffers, unmap: false })
        : copy(target);
      await copied.catch((error) => {
        this.#mark(at, length);
        this.#options.failed(error);
      });
    } catch (error) {
      this.#mark(at, length);
      throw error;
    } finally {
      this.turns.give(turn);
    }
  }

  #mark(at: number, length: number): void {
    this.dirty.set(at, Math.min(length, this.dirty.sizeBytes - at));
    this.#wake?.();
    this.#wake = undefined;
  }
}
