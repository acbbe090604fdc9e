/**
 * The persistent bitmaps of an open image, between the image's directory and the list of the node above it.
 *
 * While an image is open for writing, all its bitmaps are marked in use there, so that whoever finds it after a power
 * failure knows that they have missed writes. They are written, and the mark goes, when the image is closed or becomes
 * read-only (bitmap_write.ts).
 *
 * Source: [QCOW2] "Bitmaps extension", "Bitmap directory".
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import type { DirtyBitmap } from "../../bitmap.ts";
import type { BitmapStore } from "../../driver.ts";
import {
  directoryBytes,
  MAX_BITMAP_DATA_BYTES,
  MAX_BITMAP_DIRECTORY_BYTES,
  MAX_BITMAP_NAME_BYTES,
  MAX_BITMAP_TABLE_ENTRIES,
  MAX_BITMAPS,
  MAX_GRANULARITY_BITS,
  MIN_GRANULARITY_BITS,
} from "./bitmap_directory.ts";
import { stateError } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";

const utf8 = new TextEncoder();

/** The bitmaps of one image. */
export class ImageBitmaps implements BitmapStore {
  readonly #image: Qcow2Image;
  /** The node's list, once it has one: the newest first. */
  #bitmaps: DirtyBitmap[];

  private constructor(image: Qcow2Image, loaded: readonly DirtyBitmap[]) {
    this.#image = image;
    this.#bitmaps = loaded.toReversed();
  }

  /** Reads what the image has; nothing is written. @throws {BlockError} where that is none, in QEMU's words */
  static async open(image: Qcow2Image): Promise<ImageBitmaps> {
    if (image.extensions.bitmaps === undefined) return new ImageBitmaps(image, []);
    const { loadBitmaps, readDirectory } = await import("./bitmap_load.ts");
    image.storedBitmaps = await readDirectory(image);
    const loaded = await loadBitmaps(image, image.storedBitmaps);
    for (const bitmap of loaded) bitmap.readOnly = image.readOnly;
    return new ImageBitmaps(image, loaded);
  }

  /** Another program may have written the image: its bitmaps as they are there now; those that it does not keep stay. */
  async reread(): Promise<void> {
    const image = this.#image;
    image.storedBitmaps = [];
    const fresh = await ImageBitmaps.open(image);
    const others = this.#bitmaps.filter(({ persistent }) => !persistent);
    this.#bitmaps.splice(0, Infinity, ...fresh.#bitmaps, ...others);
  }

  get supported(): boolean {
    return this.#image.header.version >= 3;
  }

  /** Whether any bitmap is there, be it one that the image does not keep. */
  get any(): boolean {
    return this.#bitmaps.length > 0;
  }

  join(bitmaps: DirtyBitmap[]): void {
    for (const bitmap of this.#bitmaps) bitmaps.push(bitmap);
    this.#bitmaps = bitmaps;
  }

  checkNew(name: string, granularityBytes: number): void {
    try {
      this.#checkNew(name, granularityBytes);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const where = this.#image.settings.nodeName;
      throw stateError(`Can't make bitmap '${name}' persistent in '${where}': ${error.message}`);
    }
  }

  #checkNew(name: string, granularityBytes: number): void {
    if (!this.supported) throw stateError("Cannot store dirty bitmaps in qcow2 v2 files");
    const nameBytes = utf8.encode(name);
    checkConstraints(this.#image, nameBytes, granularityBytes);
    const kept = this.#bitmaps.filter(({ persistent }) => persistent);
    if (kept.length + 1 > MAX_BITMAPS) throw stateError("Maximum number of persistent bitmaps is already reached");
    const names = [...kept.map((bitmap) => utf8.encode(bitmap.name)), nameBytes].map((bytes) => ({ nameBytes: bytes }));
    if (directoryBytes(names) > MAX_BITMAP_DIRECTORY_BYTES) {
      throw stateError("Not enough space in the bitmap directory");
    }
  }

  async remove(name: string): Promise<void> {
    const image = this.#image;
    if (!image.storedBitmaps.some((stored) => stored.name === name)) return;
    const { removeBitmap } = await import("./bitmap_write.ts");
    await image.lock.run(() => removeBitmap(image, name));
  }

  /** Takes bitmaps out of the header that nobody may trust any more. */
  async dropStale(): Promise<void> {
    const image = this.#image;
    if (!image.staleBitmaps) return;
    const { rewriteHeader } = await import("./header_update.ts");
    await rewriteHeader(image);
    image.staleBitmaps = false;
  }

  /** Before the first write: says in the image that its bitmaps are no longer up to date, durably. */
  async begin(): Promise<void> {
    const image = this.#image;
    await this.dropStale();
    if (image.storedBitmaps.length > 0) {
      const { markInUse } = await import("./bitmap_write.ts");
      await markInUse(image);
    }
    for (const bitmap of this.#bitmaps) if (bitmap.persistent) bitmap.readOnly = false;
  }

  /**
   * After the last write: writes all bitmaps; the image's lock is held. Where that fails they stay marked in use, and
   * the image is whole.
   */
  async end(): Promise<void> {
    const image = this.#image;
    const kept = this.#bitmaps.filter(({ persistent, inconsistent, readOnly }) =>
      persistent && !inconsistent && !readOnly
    );
    // What may not be whole keeps its bitmaps marked.
    if (kept.length > 0 && !image.broken && !image.needsRepair) {
      try {
        if (image.readOnly) throw stateError("No write access");
        const { storeBitmaps } = await import("./bitmap_write.ts");
        await storeBitmaps(image, kept);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        const where = image.settings.nodeName;
        image.settings.warn(`Lost persistent bitmaps during inactivation of node '${where}': ${error.message}`);
      }
    }
    for (const bitmap of this.#bitmaps) if (bitmap.persistent) bitmap.readOnly = true;
  }

  /** Refuses another size where a stored bitmap could not follow. @throws {BlockError} */
  checkResize(): void {
    const bitmaps = new Map(this.#bitmaps.map((bitmap) => [bitmap.name, bitmap]));
    for (const { name } of this.#image.storedBitmaps) bitmaps.get(name)?.refuseUnusable({ readOnly: true });
  }
}

/** Whether an image can keep such a bitmap. @throws {BlockError} */
export function checkConstraints(image: Qcow2Image, nameBytes: Uint8Array, granularityBytes: number): void {
  if (nameBytes.length > MAX_BITMAP_NAME_BYTES) {
    throw stateError(`Name length exceeds maximum (${MAX_BITMAP_NAME_BYTES} characters)`);
  }
  const least = 2 ** MIN_GRANULARITY_BITS;
  const most = 2 ** MAX_GRANULARITY_BITS;
  if (granularityBytes > most) throw stateError(`Granularity exceeds maximum (${most} bytes)`);
  if (granularityBytes < least) throw stateError(`Granularity is under minimum (${least} bytes)`);
  const bytes = divideCeil(divideCeil(image.header.size, granularityBytes), 8);
  if (bytes > MAX_BITMAP_DATA_BYTES || bytes > MAX_BITMAP_TABLE_ENTRIES * image.clusterSize) {
    throw stateError("Too much space will be occupied by the bitmap. Use larger granularity");
  }
}
