/**
 * Two ways besides the ordinary one to get data from a source to a target: inside the kernel, and sector by sector from
 * a disk that is damaged.
 *
 * Source: copy_file_range(2).
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { BlockError, type BlockNode, copyInKernel } from "../../block/mod.ts";
import type { SourceDisk } from "./source_disk.ts";

/** Copying without the bytes coming through this process. */
export class Offload {
  readonly #source: SourceDisk;
  readonly #target: BlockNode;
  #works = true;

  constructor(source: SourceDisk, target: BlockNode) {
    this.#source = source;
    this.#target = target;
  }

  /** Copies `length` bytes at `at`; `false` where that cannot be done: it is not tried again then. */
  async copy(at: number, length: number): Promise<boolean> {
    if (!this.#works) return false;
    const { node, start } = this.#source.partAt(at);
    if (at + length > start + node.size) return false;
    this.#works = await copyInKernel(node, at - start, this.#target, at, length);
    return this.#works;
  }
}

/** Reads sector by sector; what cannot be read becomes zeroes, and is told of. */
export async function readSectors(
  source: SourceDisk,
  at: number,
  bytes: Uint8Array,
  tell: (at: number, error: BlockError) => void,
): Promise<void> {
  for (let done = 0; done < bytes.length; done += SECTOR_BYTES) {
    const sector = bytes.subarray(done, Math.min(done + SECTOR_BYTES, bytes.length));
    try {
      await source.read(at + done, IoVector.of(sector));
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      sector.fill(0);
      tell(at + done, error);
    }
  }
}
