/**
 * The driver where the C library cannot be had (no `--allow-ffi`, or no Linux on x86-64): reads and writes through
 * `node:fs`. There are no image locks, no holes, no way to tell data from zeroes, and no way around the page cache.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { type Errno, errnoText, isErrno } from "../../../base/errno.ts";
import { hostLibraryMissing } from "../../../base/host/libc.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { KiB, MiB } from "../../../base/units.ts";
import type {
  BlockDriver,
  Extent,
  OpenContext,
  PreallocationMode,
  RequestLimits,
  TruncateOptions,
} from "../../driver.ts";
import { BlockError, ioError, type Operation } from "../../errors.ts";
import type { BlockdevOptionsFile } from "../../options/blockdev.ts";
import type { FileDriverName } from "./open.ts";

/** Opens `options.filename`; says once per file what is lost. */
export async function openWithoutLibrary(
  name: FileDriverName,
  options: BlockdevOptionsFile,
  context: OpenContext,
): Promise<BlockDriver> {
  const path = options.filename;
  const remedy = hostLibraryMissing() === "permission" ? "run with --allow-ffi" : "only Linux on x86-64 has it";
  if (context.cacheDirect) {
    throw new BlockError(
      { kind: "unsupported", feature: "cache.direct", text: `cache.direct=on needs the C library: ${remedy}` },
    );
  }
  let readOnly = context.readOnly;
  let handle: FileHandle;
  try {
    handle = await open(path, readOnly ? "r" : "r+");
  } catch (error) {
    const errno = errnoOfNode(error);
    const may = errno === "EACCES" || errno === "EROFS" || errno === "EPERM";
    if (readOnly || !may || !(context.autoReadOnly ?? options["auto-read-only"])) throw openError(path, error);
    readOnly = true;
    handle = await open(path, "r").catch((again: unknown) => {
      throw openError(path, again);
    });
  }
  try {
    const stat = await handle.stat();
    refuseWrongKind(name, path, stat);
    context.warn(`'${path}': without the C library there is no image locking, no holes are made or seen; ${remedy}`);
    return new NodeFsDriver({ name, path, handle, readOnly, sizeBytes: stat.size });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Makes or empties a file of `sizeBytes`. */
export async function createWithNode(path: string, sizeBytes: number, preallocation: PreallocationMode): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(path, "w+");
  } catch (error) {
    const errno = errnoOfNode(error);
    throw new BlockError({ kind: "state", text: `Could not create '${path}': ${errnoText(errno)}`, errno });
  }
  await using file = new NodeFsDriver({ name: "file", path, handle, readOnly: false, sizeBytes: 0 });
  await file.truncate(sizeBytes, { preallocation });
}

function refuseWrongKind(name: FileDriverName, path: string, stat: Stats): void {
  const isDevice = stat.isBlockDevice() || stat.isCharacterDevice();
  if (name === "file" ? stat.isFile() : isDevice) return;
  const wanted = name === "file" ? "a regular file" : "either a character or block device";
  const text = `'${name}' driver requires '${path}' to be ${wanted}`;
  throw new BlockError({ kind: "state", text, errno: "EINVAL" });
}

function errnoOfNode(error: unknown): Errno {
  if (error instanceof Deno.errors.NotCapable) return "EACCES";
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return isErrno(code) ? code : "EIO";
}

function openError(path: string, error: unknown): BlockError {
  return new BlockError({ kind: "open", path, errno: errnoOfNode(error) }, { cause: error });
}

class NodeFsDriver implements BlockDriver {
  readonly name: FileDriverName;
  readonly limits: RequestLimits = { alignBytes: 1, maxTransferBytes: 1024 * MiB };
  readonly readOnly: boolean;
  readonly #path: string;
  readonly #handle: FileHandle;
  #size: number;

  constructor(
    parts: { name: FileDriverName; path: string; handle: FileHandle; readOnly: boolean; sizeBytes: number },
  ) {
    this.name = parts.name;
    this.readOnly = parts.readOnly;
    this.#path = parts.path;
    this.#handle = parts.handle;
    this.#size = parts.sizeBytes;
  }

  get size(): number {
    return this.#size;
  }

  async read(at: number, into: IoVector): Promise<void> {
    await this.#do("read", at, into.length, async () => {
      let position = at;
      for (const slice of into.slices) {
        for (let done = 0; done < slice.length;) {
          const { bytesRead } = await this.#handle.read(view(slice), done, slice.length - done, position);
          if (bytesRead === 0) return into.fill(0, position - at);
          done += bytesRead;
          position += bytesRead;
        }
      }
    });
  }

  async write(at: number, from: IoVector, how?: { readonly fua?: boolean }): Promise<void> {
    await this.#do("write", at, from.length, async () => {
      let position = at;
      for (const slice of from.slices) {
        for (let done = 0; done < slice.length;) {
          const { bytesWritten } = await this.#handle.write(view(slice), done, slice.length - done, position);
          done += bytesWritten;
          position += bytesWritten;
        }
      }
      this.#size = Math.max(this.#size, position);
    });
    if (how?.fua) await this.flush();
  }

  async writeZeroes(): Promise<void> {
    throw ioError("write-zeroes", "ENOTSUP", { path: this.#path });
  }

  async discard(): Promise<void> {
    throw ioError("discard", "ENOTSUP", { path: this.#path });
  }

  async flush(): Promise<void> {
    await this.#do("flush", 0, 0, () => this.#handle.datasync());
  }

  async status(at: number, length: number): Promise<Extent> {
    return { lengthBytes: length, kind: "data", hostOffset: at, allocated: true };
  }

  async truncate(size: number, how: TruncateOptions = {}): Promise<void> {
    const preallocation = how.preallocation ?? "off";
    if (preallocation === "falloc" || preallocation === "metadata") {
      const text = `Unsupported preallocation mode: ${preallocation}`;
      throw new BlockError({ kind: "state", text, errno: "ENOTSUP" });
    }
    const old = this.#size;
    try {
      await this.#handle.truncate(size);
    } catch (error) {
      const errno = errnoOfNode(error);
      throw new BlockError({ kind: "state", text: `Could not resize file: ${errnoText(errno)}`, errno });
    }
    this.#size = size;
    if (preallocation !== "full") return;
    const zeroes = IoVector.allocate(64 * KiB);
    for (let at = old; at < size; at += zeroes.length) {
      await this.write(at, zeroes.slice(0, Math.min(zeroes.length, size - at)));
    }
  }

  async allocatedBytes(): Promise<number> {
    const { blocks } = await this.#handle.stat();
    return blocks * 512;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  async #do(operation: Operation, offsetBytes: number, lengthBytes: number, call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      throw ioError(operation, errnoOfNode(error), { path: this.#path, offsetBytes, lengthBytes });
    }
  }
}

function view(slice: Uint8Array): Buffer {
  return Buffer.from(slice.buffer, slice.byteOffset, slice.length);
}
