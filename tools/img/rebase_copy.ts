/**
 * The data side of a safe rebase: where the overlay holds nothing and its old and its new backing file differ, what the
 * old one has is written into the overlay, which then reads the same over either.
 *
 * Backing files end where they end: behind that there are zeroes.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { IoVector } from "../../base/io_vector.ts";
import { MiB, SECTOR_BYTES } from "../../base/units.ts";
import { errnoText } from "../../base/errno.ts";
import { BlockError, type BlockNode, chainStatus, errnoOf, isAllocatedAbove } from "../../block/mod.ts";

/** What is rebased on what. */
export interface RebasePlan {
  readonly overlay: BlockNode;
  readonly oldBacking: BlockNode | undefined;
  readonly newBacking: BlockNode | undefined;
  /** The new backing file where it is a layer of the old chain: what lies above it alone can differ. */
  readonly keptBelow: BlockNode | undefined;
}

const PIECE_BYTES = 2 * MiB;

/** Makes the overlay independent of which of the two it stands on; yields the bytes that are done. */
export async function* copyDifferences(plan: RebasePlan): AsyncGenerator<number, void, void> {
  const { overlay, oldBacking, newBacking, keptBelow } = plan;
  const total = overlay.size;
  const room = Math.min(PIECE_BYTES, Math.max(total, 1));
  const oldBytes = new Uint8Array(room);
  const newBytes = new Uint8Array(room);
  const oldSize = oldBacking?.size ?? 0;
  const newSize = newBacking?.size ?? 0;
  for (let at = 0; at < total;) {
    const extent = await overlay.status(at, total - at);
    let length = Math.min(extent.lengthBytes, total - at);
    let same = extent.kind !== "unallocated";
    if (!same && keptBelow !== undefined && overlay.backing !== undefined) {
      const above = await isAllocatedAbove(overlay.backing, keptBelow, at, length);
      length = above.lengthBytes;
      same = !above.allocated;
    }
    if (!same) {
      const zeroBytes = Math.min(await zeroesAt(oldBacking, at, length), await zeroesAt(newBacking, at, length));
      same = zeroBytes > 0;
      length = same ? zeroBytes : Math.min(length, PIECE_BYTES);
    }
    if (!same) {
      if (at < oldSize) length = Math.min(length, oldSize - at);
      if (at < newSize) length = Math.min(length, newSize - at);
      await readOrZero(oldBacking, "old", at, oldBytes.subarray(0, length));
      await readOrZero(newBacking, "new", at, newBytes.subarray(0, length));
      await writeDifferences(overlay, at, oldBytes.subarray(0, length), newBytes, at >= oldSize);
    }
    at += length;
    yield at;
  }
}

/** How many of the `length` bytes at `at` are surely zero, from the first one on, without reading them. */
async function zeroesAt(backing: BlockNode | undefined, at: number, length: number): Promise<number> {
  if (backing === undefined || at >= backing.size) return length;
  const run = await chainStatus(backing, at, Math.min(length, backing.size - at));
  return run.kind === "zero" ? run.lengthBytes : 0;
}

async function readOrZero(
  backing: BlockNode | undefined,
  which: "old" | "new",
  at: number,
  into: Uint8Array,
): Promise<void> {
  if (backing === undefined || at >= backing.size) return void into.fill(0);
  try {
    await backing.read(at, IoVector.of(into));
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    throw stateError(`error while reading from ${which} backing file`, error);
  }
}

/** Writes the sectors in which the two differ. */
async function writeDifferences(
  overlay: BlockNode,
  at: number,
  oldBytes: Uint8Array,
  newBytes: Uint8Array,
  zeroes: boolean,
): Promise<void> {
  const same = (start: number, end: number) =>
    Buffer.compare(oldBytes.subarray(start, end), newBytes.subarray(start, end)) === 0;
  if (same(0, oldBytes.length)) return;
  const differs = (start: number) => !same(start, Math.min(start + SECTOR_BYTES, oldBytes.length));
  for (let start = 0; start < oldBytes.length;) {
    const different = differs(start);
    let end = start + SECTOR_BYTES;
    while (end < oldBytes.length && differs(end) === different) end += SECTOR_BYTES;
    end = Math.min(end, oldBytes.length);
    if (different) {
      try {
        if (zeroes) await overlay.writeZeroes(at + start, end - start);
        else await overlay.write(at + start, IoVector.of(oldBytes.subarray(start, end)));
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
        throw stateError("Error while writing to COW image", error);
      }
    }
    start = end;
  }
}

function stateError(what: string, error: BlockError): BlockError {
  const errno = errnoOf(error);
  return new BlockError({ kind: "state", text: `${what}: ${errnoText(errno)}`, errno }, { cause: error });
}
