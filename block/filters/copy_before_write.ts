/**
 * `copy-before-write`: keeps in a target what the guest writes over, so that the disk of the moment at which the filter
 * was put in can still be read, by `snapshot-access` or with the target as an overlay (fleecing).
 *
 * Copies are made in whole units; what is read for the snapshot and not copied yet keeps writes away meanwhile. Where a
 * copy fails, the guest's write fails with it or (`break-snapshot`) the snapshot is lost from then on.
 *
 * Source: qapi/block-core.json, BlockdevOptionsCbw; docs/interop/live-block-operations.
 *
 * @module
 */
import type { Clock, Timer } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { KiB, NS_PER_S } from "../../base/units.ts";
import { DirtyBitmap } from "../bitmap.ts";
import { findBitmap } from "../bitmap_actions.ts";
import { chainStatus } from "../chain.ts";
import type { DriverDefinition, Extent, OpenContext, SnapshotView, ZeroOptions } from "../driver.ts";
import { BlockError, ioError } from "../errors.ts";
import { RangeTurns } from "../jobs/range_turns.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsCopyBeforeWrite } from "../options/blockdev.ts";
import { ALL_PERMISSIONS, Permission, type PermissionPair } from "../permissions.ts";
import { Filter } from "./filter.ts";

const DEFAULT_UNIT_BYTES = 64 * KiB;
/** Copied at once. */
const PIECE_BYTES = 1024 * KiB;

interface Settings {
  readonly unitBytes: number;
  /** What the snapshot is of; without it, all. */
  readonly bitmap: DirtyBitmap | undefined;
  readonly breaksSnapshot: boolean;
  /** 0: no limit. */
  readonly timeoutNs: number;
  readonly clock: Clock;
}

class CopyBeforeWriteDriver extends Filter implements SnapshotView {
  readonly #target: BlockNode;
  readonly #settings: Settings;
  /** What is to be copied before it is written. */
  readonly #left: DirtyBitmap;
  /** What the target holds. */
  readonly #done: DirtyBitmap;
  /** What of the snapshot may be read. */
  readonly #access: DirtyBitmap;
  readonly #turns = new RangeTurns();
  #broken = false;

  constructor(below: BlockNode, target: BlockNode, settings: Settings) {
    super("copy-before-write", below);
    this.#target = target;
    this.#settings = settings;
    const whole = { sizeBytes: below.size, granularityBytes: settings.unitBytes };
    [this.#left, this.#done, this.#access] = [new DirtyBitmap(whole), new DirtyBitmap(whole), new DirtyBitmap(whole)];
    if (settings.bitmap === undefined) this.#left.set(0, below.size);
    else this.#left.merge(settings.bitmap);
    this.#access.merge(this.#left);
  }

  get snapshotView(): SnapshotView {
    return this;
  }

  override write(at: number, from: IoVector): Promise<void> {
    return this.#before(at, from.length, () => super.write(at, from));
  }

  override writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    return this.#before(at, length, () => super.writeZeroes(at, length, how));
  }

  override discard(at: number, length: number): Promise<void> {
    return this.#before(at, length, () => super.discard(at, length));
  }

  override truncate(): Promise<void> {
    const text = "Image format driver does not support resize";
    return Promise.reject(new BlockError({ kind: "unsupported", feature: "truncate", text }));
  }

  childPermissions(role: string, { used, shared }: PermissionPair): PermissionPair {
    const { write, resize, consistentRead } = Permission;
    if (role === "target") return { used: write, shared: ALL_PERMISSIONS };
    // Nobody above: nobody to protect yet.
    if (used === 0 && shared === ALL_PERMISSIONS) return { used, shared };
    const reading = (used & write) === 0 ? 0 : consistentRead;
    return { used: used | reading, shared: shared & ~(write | resize) };
  }

  /** Reads the disk as it was. */
  async readSnapshot(at: number, into: IoVector): Promise<void> {
    for (let done = 0; done < into.length;) {
      this.#checkReadable(at + done, into.length - done);
      const copied = this.#done.has(at + done);
      const end = at + into.length;
      const next = copied ? this.#done.nextZero(at + done, end) : this.#done.nextDirty(at + done, end);
      const length = Math.min(next?.at ?? end, end) - at - done;
      const part = into.slice(done, length);
      if (copied) await this.#target.read(at + done, part);
      else if (!await this.#readBelow(at + done, part)) continue;
      done += length;
    }
  }

  async snapshotStatus(at: number, length: number): Promise<Extent> {
    this.#checkReadable(at, length);
    const copied = this.#done.has(at);
    const next = copied ? this.#done.nextZero(at, at + length) : this.#done.nextDirty(at, at + length);
    const run = Math.min(next?.at ?? at + length, at + length) - at;
    const { kind, lengthBytes } = await chainStatus(copied ? this.#target : this.filtered, at, run);
    return { kind, lengthBytes, allocated: true };
  }

  /** The snapshot's user needs the range no more: nothing of it is copied from now on. */
  async discardSnapshot(at: number, length: number): Promise<void> {
    const unit = this.#settings.unitBytes;
    const start = Math.ceil(at / unit) * unit;
    const end = at + length >= this.size ? this.size : Math.floor((at + length) / unit) * unit;
    if (end <= start) return;
    this.#left.clear(start, end - start);
    this.#access.clear(start, end - start);
    await this.#target.discard(start, end - start);
  }

  #checkReadable(at: number, length: number): void {
    if (!this.#broken && this.#access.nextZero(at, at + length) === undefined) return;
    throw ioError("read", "EACCES", { offsetBytes: at, lengthBytes: length });
  }

  /** Reads what was not copied, while nobody writes there; false where somebody has been first. */
  async #readBelow(at: number, into: IoVector): Promise<boolean> {
    const turn = await this.#turns.take(at, at + into.length);
    try {
      if (this.#done.nextDirty(at, at + into.length) !== undefined) return false;
      await this.filtered.read(at, into);
      return true;
    } finally {
      this.#turns.give(turn);
    }
  }

  #before(at: number, length: number, write: () => Promise<void>): Promise<void> {
    const end = Math.min(at + length, this.size);
    const isFree = this.#turns.find(at, end) === undefined;
    if (isFree && (this.#broken || this.#left.nextDirty(at, end) === undefined)) return write();
    return this.#copy(at, end).then(write);
  }

  async #copy(at: number, end: number): Promise<void> {
    const unit = this.#settings.unitBytes;
    const start = Math.floor(at / unit) * unit;
    const stop = Math.min(Math.ceil(end / unit) * unit, this.size);
    const turn = await this.#turns.take(start, stop);
    try {
      while (!this.#broken) {
        const range = this.#left.nextDirty(start, stop, PIECE_BYTES);
        if (range === undefined) return;
        await this.#copyInTime(range.at, range.length);
        this.#done.set(range.at, range.length);
        this.#left.clear(range.at, range.length);
      }
    } catch (error) {
      if (!this.#settings.breaksSnapshot) throw error;
      this.#broken = true;
    } finally {
      this.#turns.give(turn);
    }
  }

  async #copyPiece(at: number, length: number, isLate: () => boolean): Promise<void> {
    const inside = Math.min(length, this.#target.size - at);
    if (inside < length) throw ioError("write", "EIO", { node: this.#target.name, offsetBytes: at });
    const bytes = IoVector.allocate(length);
    await this.filtered.read(at, bytes);
    // What is read too late may be what the guest wrote meanwhile.
    if (isLate()) return;
    if (bytes.isZero()) await this.#target.writeZeroes(at, length);
    else await this.#target.write(at, bytes);
  }

  async #copyInTime(at: number, length: number): Promise<void> {
    const { timeoutNs, clock } = this.#settings;
    if (timeoutNs === 0) return await this.#copyPiece(at, length, () => false);
    let timer: Timer | undefined;
    let isLate = false;
    const late = new Promise<never>((_, reject) => {
      timer = clock.setTimer(clock.nowNs() + timeoutNs, () => {
        isLate = true;
        reject(ioError("write", "ETIMEDOUT"));
      });
    });
    const work = this.#copyPiece(at, length, () => isLate);
    // Whoever comes too late is nobody's error any more.
    work.catch(() => {});
    late.catch(() => {});
    try {
      await Promise.race([work, late]);
    } finally {
      timer?.cancel();
    }
  }
}

async function unitOf(target: BlockNode, context: OpenContext): Promise<number> {
  const { clusterSizeBytes } = await target.driver.info?.() ?? {};
  if (clusterSizeBytes === undefined && target.backing === undefined) {
    context.warn(
      "The target block device doesn't provide information about the block size and it doesn't have a backing file. " +
        `The default block size of ${DEFAULT_UNIT_BYTES} bytes is used. If the actual block size of the target exceeds ` +
        "this default, the backup may be unusable",
    );
  }
  return Math.max(DEFAULT_UNIT_BYTES, clusterSizeBytes ?? 0);
}

function bitmapOf(options: BlockdevOptionsCopyBeforeWrite, context: OpenContext): DirtyBitmap | undefined {
  if (options.bitmap === undefined) return undefined;
  const node = context.find?.(options.bitmap.node);
  if (node === undefined) throw new BlockError({ kind: "state", text: `Node '${options.bitmap.node}' not found` });
  return findBitmap(node, options.bitmap.name);
}

/** The `copy-before-write` filter. */
export const copyBeforeWrite: DriverDefinition<BlockdevOptionsCopyBeforeWrite> = {
  name: "copy-before-write",
  kind: "filter",
  overFile: true,
  sharesName: true,
  async open(options, context) {
    if (options.target === undefined) {
      throw new BlockError({ kind: "option", option: "target", text: "Parameter 'target' is missing" });
    }
    const below = await context.openChild("file", options.file);
    const target = await context.openChild("target", options.target, { anyDriver: true });
    const bitmap = bitmapOf(options, context);
    return new CopyBeforeWriteDriver(below, target, {
      unitBytes: await unitOf(target, context),
      bitmap,
      breaksSnapshot: options["on-cbw-error"] === "break-snapshot",
      timeoutNs: (options["cbw-timeout"] ?? 0) * NS_PER_S,
      clock: context.clocks.realtime,
    });
  },
};
