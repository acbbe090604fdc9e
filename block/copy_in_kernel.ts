/**
 * Copying between two images without the bytes coming through this process: what `convert -C` asks for. A file system
 * that can share blocks between files then copies nothing at all.
 *
 * The source may be of any format that knows where in a file its bytes lie; the target is a plain file, or raw in one.
 * It is for who has both images to himself: requests are not tracked and no hooks run.
 *
 * Source: copy_file_range(2).
 *
 * @module
 */
import type { BlockDriver } from "./driver.ts";
import type { BlockNode } from "./node.ts";

/** A driver that takes bytes from another one of its kind. */
export interface KernelCopier extends BlockDriver {
  /** Copies; `false` where it cannot be done, and perhaps a part was. */
  copyFrom(source: BlockDriver, from: number, to: number, length: number): Promise<boolean>;
}

function isCopier(driver: BlockDriver): driver is KernelCopier {
  return "copyFrom" in driver;
}

/**
 * Copies `length` bytes at `at` of `source` to `to` of `target`.
 *
 * @returns `false` where it cannot be done (another kind of storage, two file systems, data that has no place of its
 *   own); a part may have been copied then, and the caller writes all of it
 */
export async function copyInKernel(
  source: BlockNode,
  at: number,
  target: BlockNode,
  to: number,
  length: number,
): Promise<boolean> {
  const layers = target.plain ? [target, target.child("file")] : [target];
  const place = await target.status(to, length);
  const below = target.plain ? place.node : target;
  if (below === undefined || !isCopier(below.driver) || target.readOnly) return false;
  const offset = target.plain ? place.hostOffset : to;
  if (offset === undefined || target.bitmaps.length > 0) return false;
  for (let done = 0; done < length;) {
    const run = await source.status(at + done, length - done);
    if (run.kind !== "data" || run.hostOffset === undefined) return false;
    const from = run.node ?? source;
    if (!await below.driver.copyFrom(from.driver, run.hostOffset, offset + done, run.lengthBytes)) return false;
    // A flush that finds nothing new would be left out.
    for (const layer of layers) if (layer !== undefined) layer.writeGeneration++;
    done += run.lengthBytes;
  }
  return true;
}
