/**
 * Requests that do not fit a driver's limits, cut and padded into ones that do: the slow path of a node.
 *
 * A read is widened into a bounce buffer; a write reads what surrounds it in its first and last unit and writes whole
 * units (read-modify-write: the node has made it serialising); zeroes and discards are cut at the driver's own
 * granularity. Beyond the end of the driver everything reads as zeroes.
 *
 * @module
 */
import { alignDown, alignUp } from "../base/bits.ts";
import { IoVector } from "../base/io_vector.ts";
import type { BlockDriver, Extent, ZeroOptions } from "./driver.ts";
import { BlockError, errnoOf } from "./errors.ts";

/** The largest bounce buffer. */
const BOUNCE_BYTES = 1024 * 1024;

/** The largest piece of a request, in whole alignment units. */
function maxPiece(limit: number | undefined, alignBytes: number): number {
  const bytes = limit === undefined || limit === 0 ? 1024 * 1024 * 1024 : limit;
  return Math.max(alignDown(bytes, alignBytes), alignBytes);
}

/** Reads any range; what lies beyond the end reads as zeroes. */
export async function readUnaligned(driver: BlockDriver, at: number, into: IoVector): Promise<void> {
  const { alignBytes, maxTransferBytes, maxSlices } = driver.limits;
  const readable = alignUp(driver.size, alignBytes);
  if (at + into.length > readable) {
    const inside = Math.max(0, readable - at);
    into.fill(0, inside);
    if (inside === 0) return;
    into = into.slice(0, inside);
  }
  const piece = maxPiece(maxTransferBytes, alignBytes);
  const bounced = at % alignBytes !== 0 || into.length % alignBytes !== 0;
  const step = bounced ? alignUp(Math.min(piece, BOUNCE_BYTES), alignBytes) : piece;
  for (let done = 0; done < into.length;) {
    const from = alignDown(at + done, alignBytes);
    const to = Math.min(from + step, at + into.length);
    const part = into.slice(done, to - at - done);
    if (from === at + done && to % alignBytes === 0) {
      if (maxSlices !== undefined && part.slices.length > maxSlices) await readGathered(driver, from, part);
      else await driver.read(from, part);
    } else {
      const bounce = IoVector.allocate(alignUp(to, alignBytes) - from);
      await driver.read(from, bounce);
      part.copyFromVector(bounce.slice(at + done - from, part.length));
    }
    done = to - at;
  }
}

async function readGathered(driver: BlockDriver, at: number, into: IoVector): Promise<void> {
  const bounce = IoVector.allocate(into.length);
  await driver.read(at, bounce);
  into.copyFromVector(bounce);
}

/** Writes any range, with read-modify-write of the first and the last unit where they are not covered. */
export async function writeUnaligned(driver: BlockDriver, at: number, from: IoVector): Promise<void> {
  const { alignBytes, maxTransferBytes, maxSlices } = driver.limits;
  const end = at + from.length;
  const start = alignDown(at, alignBytes);
  const stop = alignUp(end, alignBytes);
  let data = from;
  if (start !== at || stop !== end) {
    const head = new Uint8Array(at - start);
    const tail = new Uint8Array(stop - end);
    const first = at === start ? undefined : await readUnit(driver, start, alignBytes);
    if (first !== undefined) head.set(first.subarray(0, head.length));
    if (tail.length > 0) {
      const lastAt = stop - alignBytes;
      const last = first !== undefined && lastAt === start ? first : await readUnit(driver, lastAt, alignBytes);
      tail.set(last.subarray(alignBytes - tail.length));
    }
    data = IoVector.from([head, ...from.slices, tail]);
  }
  const piece = maxPiece(maxTransferBytes, alignBytes);
  for (let done = 0; done < data.length; done += piece) {
    let part = data.slice(done, Math.min(piece, data.length - done));
    if (maxSlices !== undefined && part.slices.length > maxSlices) part = IoVector.of(part.toBytes());
    await driver.write(start + done, part);
  }
}

async function readUnit(driver: BlockDriver, at: number, alignBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(alignBytes);
  await readUnaligned(driver, at, IoVector.of(bytes));
  return bytes;
}

/** Writes zeroes over any range: the driver's way where it has one, else by hand. */
export async function zeroUnaligned(
  driver: BlockDriver,
  at: number,
  length: number,
  how: ZeroOptions,
): Promise<void> {
  const { alignBytes, zeroAlignBytes, maxZeroBytes } = driver.limits;
  const unit = Math.max(alignBytes, zeroAlignBytes ?? 0);
  const step = maxPiece(maxZeroBytes, unit);
  for (let from = at; from < at + length;) {
    const end = at + length;
    const boundary = alignUp(from, unit);
    // A piece never crosses a unit that it does not fill: the driver gets whole units where the request has them.
    let to = from === boundary ? Math.min(from + step, alignDown(end, unit)) : Math.min(boundary, end);
    if (to <= from) to = end;
    const whole = from % alignBytes === 0 && to % alignBytes === 0;
    if (!whole || !(await driverZeroes(driver, from, to - from, how))) {
      if (how.noFallback) throw new BlockError({ kind: "io", operation: "write-zeroes", errno: "ENOTSUP" });
      await zeroByHand(driver, from, to - from);
    }
    from = to;
  }
}

async function driverZeroes(driver: BlockDriver, at: number, length: number, how: ZeroOptions): Promise<boolean> {
  try {
    await driver.writeZeroes(at, length, how);
    return true;
  } catch (error) {
    if (errnoOf(error) !== "ENOTSUP") throw error;
    return false;
  }
}

async function zeroByHand(driver: BlockDriver, at: number, length: number): Promise<void> {
  const zeroes = new Uint8Array(Math.min(length, BOUNCE_BYTES));
  for (let done = 0; done < length;) {
    const step = Math.min(zeroes.length, length - done);
    await writeUnaligned(driver, at + done, IoVector.of(zeroes.subarray(0, step)));
    done += step;
  }
}

/** Discards what the driver can of a range; edges that are no whole unit, and drivers that cannot, are let be. */
export async function discardUnaligned(driver: BlockDriver, at: number, length: number): Promise<void> {
  const { alignBytes, discardAlignBytes, maxDiscardBytes } = driver.limits;
  const start = alignUp(at, alignBytes);
  const end = alignDown(at + length, alignBytes);
  const unit = Math.max(alignBytes, discardAlignBytes ?? 0);
  const step = maxPiece(maxDiscardBytes, unit);
  for (let from = start; from < end;) {
    const boundary = alignUp(from, unit);
    let to = from === boundary ? Math.min(from + step, alignDown(end, unit)) : Math.min(boundary, end);
    if (to <= from) to = end;
    try {
      await driver.discard(from, to - from);
    } catch (error) {
      if (errnoOf(error) !== "ENOTSUP") throw error;
    }
    from = to;
  }
}

/** What is left of `extent` without its first `skippedBytes`, and no longer than `lengthBytes`. */
export function clipExtent(extent: Extent, skippedBytes: number, lengthBytes: number): Extent {
  const length = Math.max(1, Math.min(extent.lengthBytes - skippedBytes, lengthBytes));
  if (skippedBytes === 0 && length === extent.lengthBytes) return extent;
  if (extent.hostOffset === undefined) return { ...extent, lengthBytes: length };
  return { ...extent, lengthBytes: length, hostOffset: extent.hostOffset + skippedBytes };
}
