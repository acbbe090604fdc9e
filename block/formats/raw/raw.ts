/**
 * `raw`: the bytes of the file as they are, or a window of them (`offset`, `size`).
 *
 * A window may not be written beyond; without one, the image is as long as the file and grows with it.
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import type { IoVector } from "../../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../../base/units.ts";
import { chainStatus } from "../../chain.ts";
import type {
  BlockDriver,
  DriverDefinition,
  DriverInfo,
  Extent,
  Reopening,
  RequestLimits,
  SnapshotStore,
  TruncateOptions,
  VmStateStore,
  ZeroOptions,
} from "../../driver.ts";
import { BlockError, ioError } from "../../errors.ts";
import type { BlockNode } from "../../node.ts";
import type { BlockdevOptionsRaw } from "../../options/blockdev.ts";

class RawDriver implements BlockDriver {
  readonly name = "raw";
  #file: BlockNode;
  #offset: number;
  #windowBytes: number | undefined;

  constructor(file: BlockNode, offset: number, windowBytes: number | undefined) {
    this.#file = file;
    this.#offset = offset;
    this.#windowBytes = windowBytes;
  }

  get reopening(): Reopening {
    return {
      options: ["offset", "size"],
      file: true,
      prepare: (options, file = this.#file) => {
        const { offset, size } = windowOf(options as unknown as BlockdevOptionsRaw, file.size);
        return () => {
          this.#offset = offset;
          this.#windowBytes = size;
        };
      },
    };
  }

  get replaceable(): readonly string[] {
    return ["file"];
  }

  replaceChild(role: string, node: BlockNode | undefined): boolean {
    if (role !== "file" || node === undefined) return false;
    this.#file = node;
    return true;
  }

  get size(): number {
    return this.#windowBytes ?? this.#file.size - this.#offset;
  }

  get limits(): RequestLimits {
    // The file's node aligns for its driver; what is not aligned here need not be read and written twice.
    return { ...this.#file.driver.limits, alignBytes: 1 };
  }

  read(at: number, into: IoVector): Promise<void> {
    this.#file.debugEvent("read_aio");
    return this.#file.read(this.#offset + at, into);
  }

  write(at: number, from: IoVector): Promise<void> {
    if (this.#leavesWindow(at, from.length)) return Promise.reject(ioError("write", "ENOSPC"));
    this.#file.debugEvent("write_aio");
    return this.#file.write(this.#offset + at, from);
  }

  writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    if (this.#leavesWindow(at, length)) return Promise.reject(ioError("write-zeroes", "ENOSPC"));
    return this.#file.writeZeroes(this.#offset + at, length, how);
  }

  discard(at: number, length: number): Promise<void> {
    if (this.#leavesWindow(at, length)) return Promise.reject(ioError("discard", "ENOSPC"));
    return this.#file.discard(this.#offset + at, length);
  }

  flush(): Promise<void> {
    return this.#file.flush();
  }

  async status(at: number, length: number): Promise<Extent> {
    // Over an overlay, what shows is what its whole chain says.
    const { lengthBytes, kind } = this.#file.kind === "protocol"
      ? await this.#file.status(this.#offset + at, length)
      : await chainStatus(this.#file, this.#offset + at, length);
    return { lengthBytes, kind, hostOffset: this.#offset + at, node: this.#file, allocated: true };
  }

  async truncate(size: number, how?: TruncateOptions): Promise<void> {
    if (this.#windowBytes !== undefined) {
      throw new BlockError({
        kind: "unsupported",
        feature: "truncate",
        text: "Cannot resize fixed-size raw disks",
      });
    }
    await this.#file.truncate(this.#offset + size, how);
  }

  allocatedBytes(): Promise<number | undefined> {
    return this.#file.driver.allocatedBytes?.() ?? Promise.resolve(undefined);
  }

  /** Where the file is an image itself, snapshots and VM state are its. */
  get snapshots(): SnapshotStore | undefined {
    return this.#file.driver.snapshots;
  }

  get vmState(): VmStateStore | undefined {
    return this.#file.driver.vmState;
  }

  async info(): Promise<DriverInfo> {
    return {};
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #leavesWindow(at: number, length: number): boolean {
    return this.#windowBytes !== undefined && at + length > this.#windowBytes;
  }
}

function optionError(option: string, text: string): BlockError {
  return new BlockError({ kind: "option", option, text });
}

function windowOf(options: BlockdevOptionsRaw, fileBytes: number): { offset: number; size: number | undefined } {
  const { offset = 0, size } = options;
  if (offset > fileBytes) {
    throw optionError("offset", `Offset (${offset}) cannot be greater than size of the containing file (${fileBytes})`);
  }
  if (size !== undefined && offset + size > fileBytes) {
    throw optionError(
      "size",
      `The sum of offset (${offset}) and size (${size}) has to be smaller or equal to the actual size of the ` +
        `containing file (${fileBytes})`,
    );
  }
  if (size !== undefined && size % SECTOR_BYTES !== 0) {
    throw optionError("size", `Specified size is not multiple of ${SECTOR_BYTES}`);
  }
  return { offset, size };
}

/** The `raw` format. */
export const raw: DriverDefinition<BlockdevOptionsRaw> = {
  name: "raw",
  kind: "format",
  plain: true,
  // Every image is raw, so any other format that knows it wins.
  probe: () => 1,
  async open(options, context) {
    const file = await context.openChild("file", options.file);
    const { offset, size } = windowOf(options, file.size);
    return new RawDriver(file, offset, size);
  },
  createOptions: [{ name: "size", type: "size", help: "Virtual disk size" }],
  async measure(_options, source) {
    const bytes = alignUp(source.sizeBytes, SECTOR_BYTES);
    return { requiredBytes: bytes, fullyAllocatedBytes: bytes };
  },
};
