/**
 * What users do with a node's dirty bitmaps by name: QMP's `block-dirty-bitmap-*` and `qemu-img bitmap`, with their
 * refusals.
 *
 * @module
 */
import { errnoText } from "../base/errno.ts";
import { isPowerOfTwo } from "../base/bits.ts";
import { KiB } from "../base/units.ts";
import { DirtyBitmap, type DirtyBitmapInfo, MIN_GRANULARITY_BYTES } from "./bitmap.ts";
import { BlockError } from "./errors.ts";
import type { BlockNode } from "./node.ts";

const MAX_NAME_BYTES = 1023;
const MAX_GRANULARITY_BYTES = 2 ** 31;
const HASH_PIECE_BYTES = 64 * KiB;
/** QEMU hashes words of this many bytes. */
const HASH_WORD_BYTES = 8;

/** A bitmap by its node and name. */
export interface BitmapAddress {
  readonly node: BlockNode;
  readonly name: string;
}

/** How a bitmap is made. */
export interface NewBitmap {
  readonly name: string;
  /** A power of two from 512 to 2 GiB; by default the cluster size, between 4 KiB and 64 KiB. */
  readonly granularityBytes?: number;
  /** The image keeps it. */
  readonly persistent?: boolean;
  /** Writes leave it as it is until it is enabled. */
  readonly disabled?: boolean;
}

/** The bitmap called `name`. @throws {BlockError} where the node has none of that name. */
export function findBitmap(node: BlockNode, name: string): DirtyBitmap {
  const found = node.bitmaps.find((bitmap) => bitmap.name === name);
  if (found === undefined) throw stateError(`Dirty bitmap '${name}' not found`);
  return found;
}

/** What lists show of all bitmaps of a node, the newest first. */
export function bitmapInfos(node: BlockNode): DirtyBitmapInfo[] {
  return node.bitmaps.map(({ info }) => info);
}

/**
 * Gives a node a bitmap in which nothing is dirty.
 *
 * @throws {BlockError} for a name that is taken or too long, a granularity that will not do, an image that cannot keep it
 * @example
 * ```ts
 * import { ManualClock } from "../base/clocks.ts";
 * import { IoVector } from "../base/io_vector.ts";
 * import { SeededRandom } from "../base/random.ts";
 * import { addBitmap, BlockGraph } from "./mod.ts";
 *
 * const clock = new ManualClock();
 * await using graph = new BlockGraph({
 *   clocks: { virtual: clock, realtime: clock, host: clock },
 *   random: new SeededRandom(1),
 * });
 * const node = await graph.open({ driver: "raw", file: { driver: "memory", size: 1024 * 1024 } });
 * const bitmap = await addBitmap(node, { name: "since-monday" });
 * await node.write(512, IoVector.of(new Uint8Array(512)));
 * console.log(bitmap.nextDirty()); // { at: 0, length: 65536 }
 * ```
 */
export async function addBitmap(node: BlockNode, wanted: NewBitmap): Promise<DirtyBitmap> {
  const { name, persistent = false } = wanted;
  if (name === "") throw stateError("Bitmap name cannot be empty");
  const granularityBytes = wanted.granularityBytes ?? await defaultGranularity(node);
  if (
    !isPowerOfTwo(granularityBytes) || granularityBytes < MIN_GRANULARITY_BYTES ||
    granularityBytes > MAX_GRANULARITY_BYTES
  ) {
    throw stateError("Granularity must be power of 2 and at least 512");
  }
  if (persistent) checkPersistent(node, name, granularityBytes);
  if (node.bitmaps.some((bitmap) => bitmap.name === name)) throw stateError(`Bitmap already exists: ${name}`);
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) throw stateError(`Bitmap name too long: ${name}`);
  const bitmap = new DirtyBitmap({ name, sizeBytes: node.size, granularityBytes });
  bitmap.persistent = persistent;
  bitmap.enabled = wanted.disabled !== true;
  node.bitmaps.unshift(bitmap);
  return bitmap;
}

function checkPersistent(node: BlockNode, name: string, granularityBytes: number): void {
  const store = node.driver.bitmapStore;
  if (store === undefined) {
    throw stateError(`Can't store persistent bitmaps to ${node.name}: ${errnoText("ENOTSUP")}`, "ENOTSUP");
  }
  store.checkNew(name, granularityBytes);
}

async function defaultGranularity(node: BlockNode): Promise<number> {
  const clusterBytes = (await node.driver.info?.())?.clusterSizeBytes ?? 64 * KiB;
  return Math.min(64 * KiB, Math.max(4 * KiB, clusterBytes));
}

/** Removes a bitmap, from the image too. @throws {BlockError} */
export async function removeBitmap(node: BlockNode, name: string): Promise<void> {
  const bitmap = findBitmap(node, name);
  bitmap.refuseUnusable({ inconsistent: true });
  if (bitmap.persistent) await node.driver.bitmapStore?.remove(name);
  node.bitmaps.splice(node.bitmaps.indexOf(bitmap), 1);
}

/** Nothing is dirty in it any more. @throws {BlockError} */
export function clearBitmap(node: BlockNode, name: string): void {
  const bitmap = findBitmap(node, name);
  bitmap.refuseUnusable();
  bitmap.clear();
}

/** Writes are marked from now on. @throws {BlockError} */
export function enableBitmap(node: BlockNode, name: string): void {
  const bitmap = findBitmap(node, name);
  bitmap.refuseUnusable({ readOnly: true });
  bitmap.enabled = true;
}

/** Writes are no longer marked. @throws {BlockError} */
export function disableBitmap(node: BlockNode, name: string): void {
  const bitmap = findBitmap(node, name);
  bitmap.refuseUnusable({ readOnly: true });
  bitmap.enabled = false;
}

/**
 * Marks in a bitmap what is dirty in any of `sources`: names of the same node, or of others. All of them are looked at
 * before anything is changed.
 *
 * @throws {BlockError} where one is not there, may not be used, or covers another size
 */
export function mergeBitmaps(node: BlockNode, name: string, sources: readonly (string | BitmapAddress)[]): void {
  const target = findBitmap(node, name);
  target.refuseUnusable();
  const bitmaps = sources.map((source) =>
    typeof source === "string" ? findBitmap(node, source) : findBitmap(source.node, source.name)
  );
  for (const source of bitmaps) {
    source.refuseUnusable({ readOnly: true });
    if (source.sizeBytes === target.sizeBytes) continue;
    throw stateError(
      `Bitmaps are of different sizes (destination size is ${target.sizeBytes}, source size is ${source.sizeBytes}) ` +
        "and can't be merged",
    );
  }
  for (const source of bitmaps) target.merge(source);
}

/** QMP's `x-debug-block-dirty-bitmap-sha256`: SHA-256 of the units as little-endian words of 64 bits, in hexadecimal. */
export async function bitmapSha256(node: BlockNode, name: string): Promise<string> {
  const { bits } = findBitmap(node, name);
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  const total = Math.max(Math.ceil(bits.byteLength / HASH_WORD_BYTES), 1) * HASH_WORD_BYTES;
  for (let at = 0; at < total;) {
    const piece = new Uint8Array(Math.min(HASH_PIECE_BYTES, total - at));
    bits.read(at, piece);
    hash.update(piece);
    at += piece.length;
  }
  return hash.digest("hex");
}

function stateError(text: string, errno: "EINVAL" | "ENOTSUP" = "EINVAL"): BlockError {
  return new BlockError({ kind: "state", text, errno });
}
