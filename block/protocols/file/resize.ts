/**
 * A file's size, with or without room for what is added.
 *
 * @module
 */
import { truncateFile } from "../../../base/host/files.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { KiB, SECTOR_BYTES } from "../../../base/units.ts";
import type { PreallocationMode } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import { errnoText } from "../../../base/errno.ts";
import { stateError } from "./results.ts";
import { type TransferTarget, writeAll } from "./transfer.ts";

const PAGE_BYTES = 4 * KiB;

/** Makes a regular file `sizeBytes` long; when it fails the file is as long as before. */
export async function resizeFile(
  host: HostLibrary,
  target: TransferTarget,
  change: { readonly fromBytes: number; readonly toBytes: number; readonly preallocation: PreallocationMode },
): Promise<void> {
  const { fromBytes, toBytes, preallocation } = change;
  const { descriptor, engine } = target;
  if (preallocation === "metadata") {
    throw new BlockError({ kind: "state", text: "Unsupported preallocation mode: metadata", errno: "ENOTSUP" });
  }
  if (preallocation !== "off" && toBytes < fromBytes) {
    const text = "Cannot use preallocation for shrinking files";
    throw new BlockError({ kind: "state", text, errno: "EINVAL" });
  }
  if (preallocation === "off" || toBytes === fromBytes) {
    setSize(host, descriptor, toBytes);
    if (fromBytes === 0 && toBytes > 0) await touchFirstBlock(target, toBytes);
    return;
  }
  try {
    if (preallocation === "falloc") {
      const result = await engine.allocate(descriptor, 0, fromBytes, toBytes - fromBytes);
      if (result < 0) throw stateError("Could not preallocate new data", result);
    } else {
      setSize(host, descriptor, toBytes);
      await fill(target, fromBytes, toBytes);
    }
  } catch (error) {
    truncateFile(host, descriptor, fromBytes);
    throw error;
  }
}

/**
 * Gives a new file its first block, as QEMU does: reads of it then show which alignment O_DIRECT wants, which reads of a
 * hole do not. Failing to does no harm.
 */
async function touchFirstBlock(target: TransferTarget, sizeBytes: number): Promise<void> {
  const length = sizeBytes < PAGE_BYTES ? SECTOR_BYTES : PAGE_BYTES;
  if (length > sizeBytes) return;
  const zeroes = target.bounce.take(length).fill(0);
  await target.engine.write(target.descriptor, 0, [zeroes]);
  target.bounce.give(zeroes);
}

function setSize(host: HostLibrary, descriptor: number, sizeBytes: number): void {
  const result = truncateFile(host, descriptor, sizeBytes);
  if (result < 0) throw stateError("Could not resize file", result);
}

async function fill(target: TransferTarget, fromBytes: number, toBytes: number): Promise<void> {
  const zeroes = target.bounce.take(64 * KiB).fill(0);
  try {
    for (let at = fromBytes; at < toBytes; at += zeroes.length) {
      await writeAll(target, at, IoVector.of(zeroes.subarray(0, Math.min(zeroes.length, toBytes - at))));
    }
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    const text = `Could not write zeros for preallocation: ${errnoText(error.errno)}`;
    throw new BlockError({ kind: "state", text, errno: error.errno }, { cause: error });
  } finally {
    target.bounce.give(zeroes);
  }
  const result = await target.engine.flush(target.descriptor);
  if (result < 0) throw stateError("Could not flush file to disk", result);
}
