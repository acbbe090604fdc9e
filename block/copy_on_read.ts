/**
 * Copy on read: what a read finds only in the backing image is written into the image that was read.
 *
 * The copy is made in whole units of allocation (the driver's zero alignment, which for a format is its cluster). A copy
 * that fails fails the read, as in QEMU.
 *
 * @module
 */
import { alignDown, alignUp } from "../base/bits.ts";
import { IoVector } from "../base/io_vector.ts";
import { readUnaligned, writeUnaligned, zeroUnaligned } from "./align.ts";
import type { BlockDriver } from "./driver.ts";
import type { RequestTracker } from "./request.ts";

const MAX_COPY_BYTES = 1024 * 1024;

/** The same with no write of `requests` in between: what is read first must not go over what a guest writes. */
export async function copyOnReadAlone(
  driver: BlockDriver,
  requests: RequestTracker,
  at: number,
  into: IoVector,
  changed: () => void,
  isOwn: boolean,
): Promise<void> {
  const request = requests.begin(at, into.length);
  try {
    const unit = Math.max(driver.limits.alignBytes, driver.limits.zeroAlignBytes ?? 1);
    await requests.serialise(request, alignDown(at, unit), alignUp(at + into.length, unit));
    await copyOnRead(driver, at, into, changed, isOwn);
  } finally {
    requests.end(request);
  }
}

/** Allocates as zeroes what is not allocated of the range, whose backing reads as zeroes; with no write in between. */
export async function zeroUpAlone(
  driver: BlockDriver,
  requests: RequestTracker,
  at: number,
  length: number,
  changed: () => void,
): Promise<void> {
  const request = requests.begin(at, length);
  try {
    const unit = Math.max(driver.limits.alignBytes, driver.limits.zeroAlignBytes ?? 1);
    await requests.serialise(request, alignDown(at, unit), alignUp(at + length, unit));
    const end = Math.min(at + length, driver.size);
    for (let position = at; position < end;) {
      const { kind, lengthBytes } = await driver.status(position, end - position);
      if (kind === "unallocated") {
        await zeroUnaligned(driver, position, Math.min(lengthBytes, end - position), {});
        changed();
      }
      position += lengthBytes;
    }
  } finally {
    requests.end(request);
  }
}

/**
 * Reads as the driver does and allocates what was not; `changed` is told of each write. Memory that is the caller's own
 * (`isOwn`), which no guest writes to meanwhile, is written from as it is.
 */
async function copyOnRead(
  driver: BlockDriver,
  at: number,
  into: IoVector,
  changed: () => void,
  isOwn: boolean,
): Promise<void> {
  const unit = Math.max(driver.limits.alignBytes, driver.limits.zeroAlignBytes ?? 1);
  const end = Math.min(at + into.length, driver.size);
  let position = at;
  while (position < end) {
    const extent = await driver.status(position, end - position);
    const runEnd = Math.min(position + extent.lengthBytes, end);
    if (extent.kind !== "unallocated") {
      await readUnaligned(driver, position, into.slice(position - at, runEnd - position));
      position = runEnd;
      continue;
    }
    const start = alignDown(position, unit);
    const stop = Math.min(alignUp(runEnd, unit), start + Math.max(unit, MAX_COPY_BYTES), driver.size);
    const fits = isOwn && start === position && stop <= runEnd;
    const bounce = fits ? into.slice(start - at, stop - start) : IoVector.allocate(stop - start);
    await readUnaligned(driver, start, bounce);
    driver.debugEvent?.("cor_write");
    if (bounce.isZero()) await zeroUnaligned(driver, start, bounce.length, {});
    else await writeUnaligned(driver, start, bounce);
    changed();
    const used = Math.min(stop, runEnd) - position;
    if (!fits) into.slice(position - at, used).copyFromVector(bounce.slice(position - start, used));
    position += used;
  }
  if (position < at + into.length) into.fill(0, Math.max(0, position - at));
}
