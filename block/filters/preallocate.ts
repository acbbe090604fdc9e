/**
 * `preallocate`: a file that grows gets room well beyond what is written, so that the next writes find theirs.
 *
 * It lies between a format and its file. What was taken beyond the last byte is given back at the end. The file's node
 * is larger meanwhile; this one is as large as what was written.
 *
 * Source: docs/interop, qapi/block-core.json BlockdevOptionsPreallocate. Room is taken with a zero write, which only
 * protocols have that can do it without writing bytes; with others the filter does nothing.
 *
 * @module
 */
import { alignUp } from "../../base/bits.ts";
import type { IoVector } from "../../base/io_vector.ts";
import { MiB, SECTOR_BYTES } from "../../base/units.ts";
import type { DriverDefinition, Reopening, TruncateOptions, ZeroOptions } from "../driver.ts";
import { BlockError } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsPreallocate } from "../options/blockdev.ts";
import { Permission } from "../permissions.ts";
import { Filter } from "./filter.ts";

const DEFAULT_ALIGN_BYTES = MiB;
const DEFAULT_SIZE_BYTES = 128 * MiB;

class PreallocateDriver extends Filter {
  #alignBytes: number;
  #stepBytes: number;
  /** What was written ends here; the file itself does not end before. `undefined`: nothing was taken beyond it. */
  #dataEnd: number | undefined;
  /** Somebody takes room: others who need some wait. */
  #taking: Promise<void> | undefined;
  #works = true;

  constructor(below: BlockNode, alignBytes: number, stepBytes: number) {
    super("preallocate", below);
    this.#alignBytes = alignBytes;
    this.#stepBytes = stepBytes;
  }

  get reopening(): Reopening {
    return {
      options: ["prealloc-align", "prealloc-size"],
      kept: ["prealloc-align", "prealloc-size"],
      file: true,
      prepare: (options) => {
        const { align, step } = roomOf(options as unknown as BlockdevOptionsPreallocate);
        return async () => {
          await this.#giveBack();
          this.#alignBytes = align;
          this.#stepBytes = step;
        };
      },
    };
  }

  override get size(): number {
    return this.#dataEnd ?? super.size;
  }

  override write(at: number, from: IoVector): Promise<void> {
    const end = at + from.length;
    if (end <= this.size) return super.write(at, from);
    return this.#takeRoom(end).then(() => this.filtered.write(at, from)).then(() => this.#wrote(end));
  }

  override async writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    const end = at + length;
    if (end <= this.size) return await super.writeZeroes(at, length, how);
    await this.#takeRoom(end);
    await super.writeZeroes(at, length, how);
    this.#wrote(end);
  }

  override async truncate(size: number, how?: TruncateOptions): Promise<void> {
    await this.#giveBack();
    await super.truncate(size, how);
  }

  /** Who may not change the size any more gives back what he took. */
  async setPermissions(used: number): Promise<void> {
    if ((used & Permission.resize) === 0) await this.#giveBack();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#giveBack();
  }

  #wrote(end: number): void {
    if (this.#dataEnd !== undefined && end > this.#dataEnd) this.#dataEnd = end;
  }

  async #takeRoom(end: number): Promise<void> {
    while (this.#taking !== undefined) await this.#taking;
    if (!this.#works || end <= this.filtered.driver.size) return;
    this.#taking = this.#take(end).finally(() => this.#taking = undefined);
    await this.#taking;
  }

  async #take(end: number): Promise<void> {
    const from = this.filtered.driver.size;
    const to = alignUp(end + this.#stepBytes, this.#alignBytes);
    this.#dataEnd ??= from;
    try {
      await this.filtered.writeZeroes(from, to - from, { noFallback: true });
    } catch {
      // The write itself says whether there is room for it.
      this.#works = false;
      if (this.filtered.driver.size <= this.#dataEnd) this.#dataEnd = undefined;
    }
  }

  async #giveBack(): Promise<void> {
    while (this.#taking !== undefined) await this.#taking;
    const end = this.#dataEnd;
    if (end === undefined) return;
    if (this.filtered.driver.size > end) await this.filtered.truncate(end);
    this.#dataEnd = undefined;
  }
}

function roomOf(options: BlockdevOptionsPreallocate): { align: number; step: number } {
  const { "prealloc-align": align = DEFAULT_ALIGN_BYTES, "prealloc-size": step = DEFAULT_SIZE_BYTES } = options;
  if (align % SECTOR_BYTES !== 0) {
    const text = `prealloc-align parameter of preallocate filter is not aligned to ${SECTOR_BYTES}`;
    throw new BlockError({ kind: "option", option: "prealloc-align", text });
  }
  return { align: Math.max(align, 1), step };
}

/** The `preallocate` filter. */
export const preallocate: DriverDefinition<BlockdevOptionsPreallocate> = {
  name: "preallocate",
  kind: "filter",
  overFile: true,
  async open(options, context) {
    const below = await context.openChild("file", options.file);
    const { align, step } = roomOf(options);
    return new PreallocateDriver(below, align, step);
  },
};
