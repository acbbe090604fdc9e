/**
 * The filter of a backup: before the guest writes over something that is to be copied and has not been, it is copied.
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import type { DirtyBitmap } from "../bitmap.ts";
import type { ZeroOptions } from "../driver.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, Permission, type PermissionPair } from "../permissions.ts";
import { CopyError, type CopyHow, copyRange, PIECE_BYTES } from "./copy.ts";
import { PassThrough } from "./pass_through.ts";
import { RangeTurns } from "./range_turns.ts";

/** Copies before writes, and at the job's wish. */
export class CopyBeforeWrite extends PassThrough {
  /** What has still to be copied. */
  readonly left: DirtyBitmap;
  readonly #target: BlockNode;
  readonly #how: CopyHow;
  readonly #turns = new RangeTurns();

  constructor(
    source: BlockNode,
    options: {
      readonly target: BlockNode;
      readonly left: DirtyBitmap;
      readonly how: CopyHow;
      readonly isImplicit: boolean;
    },
  ) {
    super("copy-before-write", source, options.isImplicit);
    this.#target = options.target;
    this.left = options.left;
    this.#how = options.how;
  }

  /** Copies what of the range is still left; how many bytes that were. @throws {CopyError} */
  async copy(at: number, end: number): Promise<number> {
    const { left } = this;
    let copied = 0;
    for (;;) {
      const other = this.#turns.find(at, end);
      if (other !== undefined) {
        await other.ended;
        continue;
      }
      const dirty = left.nextDirty(at, end, PIECE_BYTES);
      if (dirty === undefined) return copied;
      copied += await this.copyUnits(...left.unitsOf(dirty));
    }
  }

  /** Copies the units from `start` to `stop` unless somebody has. @throws {CopyError} */
  async copyUnits(start: number, stop: number): Promise<number> {
    // A unit may reach over what was asked for, where somebody is at work.
    const turn = await this.#turns.take(start, stop);
    try {
      if (this.left.nextDirty(start, stop) === undefined) return 0;
      this.left.clear(start, stop - start);
      await copyRange(this.below, this.#target, start, stop - start, this.#how);
      return stop - start;
    } catch (error) {
      this.left.set(start, stop - start);
      throw error;
    } finally {
      this.#turns.give(turn);
    }
  }

  /** Before the guest writes. What the target refuses fails the write: the backup stays whole. */
  async #rescue(at: number, length: number): Promise<void> {
    try {
      await this.copy(at, at + length);
    } catch (error) {
      throw error instanceof CopyError ? error.cause : error;
    }
  }

  override async write(at: number, from: IoVector): Promise<void> {
    await this.#rescue(at, from.length);
    await this.below.write(at, from);
  }

  override async writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    await this.#rescue(at, length);
    await this.below.writeZeroes(at, length, how);
  }

  override async discard(at: number, length: number): Promise<void> {
    await this.#rescue(at, length);
    await this.below.discard(at, length);
  }

  override childPermissions(role: string, asked: PermissionPair): PermissionPair {
    const { write, resize } = Permission;
    // The guest's disk may lie below the target, and is written to.
    if (role === "target") return { used: write, shared: ALL_PERMISSIONS & ~resize };
    return super.childPermissions(role, asked);
  }
}
