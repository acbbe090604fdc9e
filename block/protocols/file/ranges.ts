/**
 * Zeroes, holes and room: what can be done to a range of a file without writing its bytes, and what is tried where a
 * file system lacks it.
 *
 * Source: fallocate(2), [QEMU] -blockdev `discard`, and ioctl_list for block devices.
 *
 * @module
 */
import {
  BLKDISCARD,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
} from "../../../base/host/constants.ts";
import { control } from "../../../base/host/files.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";
import type { FileEngine } from "./engine.ts";
import { cannot, errnoOfResult } from "./results.ts";

const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
const ENOTSUP_RESULT = -95;

/** What is known of a file system or device: each is tried until it says that it cannot. */
export class FileRanges {
  readonly #host: HostLibrary;
  readonly #isDevice: boolean;
  #zeroRange = true;
  #punch = true;
  #allocate = true;

  constructor(host: HostLibrary, isDevice: boolean) {
    this.#host = host;
    this.#isDevice = isDevice;
  }

  /**
   * Makes a range read as zeroes: 0, or a negative error number, ENOTSUP where only writing zeroes would help.
   * `fileBytes` is the file's size now; the range may go beyond it, and then the file grows.
   */
  async zero(
    engine: FileEngine,
    descriptor: number,
    range: { readonly at: number; readonly length: number; readonly unmap: boolean; readonly fileBytes: number },
  ): Promise<number> {
    const { at, length } = range;
    const inside = at + length <= range.fileBytes;
    if (range.unmap && this.#punch && inside) {
      const result = await this.#hole(engine, descriptor, at, length);
      if (!cannot(result)) return result;
    }
    if (this.#zeroRange) {
      const mode = this.#isDevice ? FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;
      const result = await engine.allocate(descriptor, mode, at, length);
      if (!cannotRange(result)) return result;
      this.#zeroRange = false;
    }
    if (this.#isDevice || !this.#allocate) return ENOTSUP_RESULT;
    // a hole with room given back to it reads as zeroes and stays allocated
    if (at < range.fileBytes) {
      if (!this.#punch) return ENOTSUP_RESULT;
      const result = await this.#hole(engine, descriptor, at, length);
      if (result < 0) return result;
    }
    const result = await engine.allocate(descriptor, 0, at, length);
    if (!cannotRange(result)) return result;
    this.#allocate = false;
    return ENOTSUP_RESULT;
  }

  /** Gives a range back to what lies below: 0, or a negative error number. */
  async discard(engine: FileEngine, descriptor: number, at: number, length: number): Promise<number> {
    if (!this.#punch) return ENOTSUP_RESULT;
    if (!this.#isDevice) return this.#hole(engine, descriptor, at, length);
    const range = new Uint8Array(new BigUint64Array([BigInt(at), BigInt(length)]).buffer);
    if (await this.#host.symbols.ioctl_pool(descriptor, BLKDISCARD, range) === 0) return 0;
    const result = control(this.#host, descriptor, BLKDISCARD, range);
    if (cannotRange(result)) this.#punch = false;
    return cannotRange(result) ? ENOTSUP_RESULT : result;
  }

  async #hole(engine: FileEngine, descriptor: number, at: number, length: number): Promise<number> {
    const result = await engine.allocate(descriptor, PUNCH, at, length);
    if (!cannotRange(result)) return result;
    this.#punch = false;
    return ENOTSUP_RESULT;
  }
}

/** As {@link cannot}; some file systems and devices say EINVAL or EPERM to a mode that they do not know. */
function cannotRange(result: number): boolean {
  if (result >= 0) return false;
  const errno = errnoOfResult(result);
  return cannot(result) || errno === "EINVAL" || errno === "EPERM";
}
