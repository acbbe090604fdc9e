/**
 * Room taken ahead of a file that grows: on ext4 a write that finds its blocks there costs a third less than one that
 * has each of them set aside on the way.
 *
 * Room lies beyond the file's end, so that nobody sees it, and what is left of it is given back at the end. A process
 * that is killed leaves at most one step of it. Anything that stands against it (a full disk, a limit) ends it without
 * a word: writes then go on as without it.
 *
 * Source: fallocate(2) FALLOC_FL_KEEP_SIZE.
 *
 * @module
 */
import { EXT4_SUPER_MAGIC, FALLOC_FL_KEEP_SIZE } from "../../../base/host/constants.ts";
import { fileSystemType, truncateFile } from "../../../base/host/files.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";
import { MiB } from "../../../base/units.ts";
import type { FileEngine } from "./engine.ts";

const STEP_BYTES = 64 * MiB;
/** A file gets this long without it: small images are not worth the calls. */
const FIRST_BYTES = 16 * MiB;

/** Whether writes cost less where they find their blocks: that was measured on ext4 alone. */
export function gainsFromRoom(host: HostLibrary, descriptor: number): boolean {
  return fileSystemType(host, descriptor) === EXT4_SUPER_MAGIC;
}

/** The room ahead of one file. */
export class RoomAhead {
  readonly #engine: FileEngine;
  #end = FIRST_BYTES;
  #taken = false;
  #stopped = false;
  #taking: Promise<void> | undefined;

  constructor(engine: FileEngine) {
    this.#engine = engine;
  }

  /** The file, `fileBytes` long, has grown: takes the next step when it is due, without waiting for it. */
  grown(descriptor: number, fileBytes: number): void {
    if (fileBytes < this.#end - STEP_BYTES / 2 || this.#stopped || this.#taking !== undefined) return;
    this.#taking = this.#take(descriptor, Math.max(this.#end, fileBytes));
  }

  async #take(descriptor: number, from: number): Promise<void> {
    const result = await this.#engine.allocate(descriptor, FALLOC_FL_KEEP_SIZE, from, STEP_BYTES);
    this.#taken = true;
    this.#end = from + STEP_BYTES;
    if (result < 0) this.#stopped = true;
    this.#taking = undefined;
  }

  /** Gives back what is left, with nothing being written. */
  async end(host: HostLibrary, descriptor: number, fileBytes: number): Promise<void> {
    this.#stopped = true;
    await this.#taking;
    if (this.#taken) truncateFile(host, descriptor, fileBytes);
  }
}
