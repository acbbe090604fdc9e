/**
 * Whole transfers out of an engine's single attempts: short ones go on, interrupted ones are repeated, the end of the
 * file reads as zeroes, and what O_DIRECT would refuse goes through aligned buffers.
 *
 * @module
 */
import { AlignedPool, areAligned } from "../../../base/host/aligned.ts";
import { nextTurn } from "../../../base/turn.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { MiB } from "../../../base/units.ts";
import { type FileEngine, MAX_SLICES } from "./engine.ts";
import { errnoOfResult, requestError } from "./results.ts";

const BOUNCE_BYTES = MiB;

/** What a transfer works on. */
export interface TransferTarget {
  readonly engine: FileEngine;
  readonly descriptor: number;
  readonly path: string;
  /** With O_DIRECT: what addresses and lengths in memory are multiples of. */
  readonly memoryAlignBytes: number;
  readonly bounce: AlignedPool;
}

/** A pool for {@link TransferTarget.bounce}. */
export function bouncePool(alignBytes: number): AlignedPool {
  return new AlignedPool({ alignBytes, sizeBytes: BOUNCE_BYTES, keep: 4 });
}

/** Fills `into` from `at`. */
export async function readAll(target: TransferTarget, at: number, into: IoVector): Promise<void> {
  if (target.memoryAlignBytes > 1 && !areAligned(into.slices, target.memoryAlignBytes)) {
    return readBounced(target, at, into);
  }
  for (let done = 0; done < into.length;) {
    const slices = window(into, done);
    const got = await target.engine.read(target.descriptor, at + done, slices);
    if (got === 0) return into.fill(0, done);
    if (got < 0) await again("read", target, got, at + done, into.length - done);
    else done += got;
  }
}

/** Writes all of `from` at `at`. */
export async function writeAll(target: TransferTarget, at: number, from: IoVector): Promise<void> {
  if (target.memoryAlignBytes > 1 && !areAligned(from.slices, target.memoryAlignBytes)) {
    return writeBounced(target, at, from);
  }
  for (let done = 0; done < from.length;) {
    const slices = window(from, done);
    const put = await target.engine.write(target.descriptor, at + done, slices);
    if (put <= 0) await again("write", target, put, at + done, from.length - done);
    else done += put;
  }
}

/** The slices from byte `done` on, as many as one call takes. */
function window(data: IoVector, done: number): readonly Uint8Array[] {
  const { slices } = done === 0 ? data : data.slice(done);
  return slices.length <= MAX_SLICES ? slices : slices.slice(0, MAX_SLICES);
}

/** Lets a call be repeated that was only interrupted; any other failure is the request's. */
async function again(
  operation: "read" | "write",
  target: TransferTarget,
  result: number,
  offsetBytes: number,
  lengthBytes: number,
): Promise<void> {
  const errno = errnoOfResult(result);
  if (result < 0 && (errno === "EINTR" || errno === "EAGAIN")) return nextTurn();
  // a write of nothing: there is no room, though nobody says so
  const failed = result === 0 ? -28 : result;
  throw requestError(operation, failed, { path: target.path, offsetBytes, lengthBytes });
}

async function readBounced(target: TransferTarget, at: number, into: IoVector): Promise<void> {
  for (let done = 0; done < into.length;) {
    const length = Math.min(BOUNCE_BYTES, into.length - done);
    const buffer = target.bounce.take(length);
    try {
      await readAll(target, at + done, IoVector.of(buffer));
      into.copyFrom(buffer, done);
    } finally {
      target.bounce.give(buffer);
    }
    done += length;
  }
}

async function writeBounced(target: TransferTarget, at: number, from: IoVector): Promise<void> {
  for (let done = 0; done < from.length;) {
    const length = Math.min(BOUNCE_BYTES, from.length - done);
    const buffer = target.bounce.take(length);
    try {
      from.slice(done, length).copyTo(buffer);
      await writeAll(target, at + done, IoVector.of(buffer));
    } finally {
      target.bounce.give(buffer);
    }
    done += length;
  }
}
