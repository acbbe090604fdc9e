/**
 * Whole transfers out of an engine's single attempts: short ones go on, interrupted ones are repeated, the end of the
 * file reads as zeroes, and what O_DIRECT would refuse goes through aligned buffers.
 *
 * @module
 */
import { AlignedPool, areAligned } from "../../../base/host/aligned.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";
import { nextTurn } from "../../../base/turn.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { MiB } from "../../../base/units.ts";
import { type FileEngine, MAX_SLICES } from "./engine.ts";
import { errnoOfResult, requestError } from "./results.ts";

const BOUNCE_BYTES = MiB;
/** The kernel is asked for no more at once, so that an interrupted copy ends soon. */
const COPY_STEP_BYTES = 64 * MiB;

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

/** Fills `into` from `at`; with `elsewhere`, not by this thread. */
export async function readAll(
  target: TransferTarget,
  at: number,
  into: IoVector,
  elsewhere?: boolean,
): Promise<void> {
  if (target.memoryAlignBytes > 1 && !areAligned(into.slices, target.memoryAlignBytes)) {
    return readBounced(target, at, into);
  }
  for (let done = 0; done < into.length;) {
    const slices = window(into, done);
    const got = await target.engine.read(target.descriptor, at + done, slices, elsewhere);
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
    const put = await target.engine.write(target.descriptor, at + done, slices, target.memoryAlignBytes > 1);
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

/**
 * Copies `length` bytes from one file to another inside the kernel, each end a descriptor and an offset; `false` where
 * it says no, or the source has ended.
 */
export async function copyAll(
  host: HostLibrary,
  [source, from]: readonly [number, number],
  [target, to]: readonly [number, number],
  length: number,
): Promise<boolean> {
  // The call moves both on; they stay referenced here until the thread is done with them.
  const offsets = new BigInt64Array([BigInt(from), BigInt(to)]);
  const [at, into] = [new Uint8Array(offsets.buffer, 0, 8), new Uint8Array(offsets.buffer, 8, 8)];
  for (let left = length; left > 0;) {
    const part = BigInt(Math.min(left, COPY_STEP_BYTES));
    const done = await host.symbols.copy_file_range_pool(source, at, target, into, part, 0);
    if (done <= 0 || offsets.length === 0) return false;
    left -= done;
  }
  return true;
}
