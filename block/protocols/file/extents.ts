/**
 * Where a file has data and where holes, by SEEK_DATA and SEEK_HOLE, with the last run remembered: a format asks
 * cluster by cluster, and on a file of many extents each question costs the file system a search.
 *
 * A remembered run of data stays true until something is punched here; as a hole is data no longer once anybody wrote,
 * holes are only remembered while nobody else may write.
 *
 * @module
 */
import { seekData, seekHole } from "../../../base/host/files.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";

/** Bytes `start` to `end` are all data, or all hole. */
export interface FileRun {
  readonly start: number;
  readonly end: number;
  readonly data: boolean;
}

const ENXIO = 6;

/** The runs of one file. */
export class FileExtents {
  readonly #host: HostLibrary;
  #last: FileRun | undefined;
  /** Nobody else may write: holes can be remembered. */
  exclusive = false;

  constructor(host: HostLibrary) {
    this.#host = host;
  }

  /** The run that `at` lies in, as far as it goes; `at` is below the file's size. */
  find(descriptor: number, at: number, fileBytes: number): FileRun {
    const last = this.#last;
    if (last !== undefined && last.start <= at && at < last.end) return last;
    const run = this.#seek(descriptor, at, fileBytes);
    this.#last = run.data || this.exclusive ? run : undefined;
    return run;
  }

  #seek(descriptor: number, at: number, fileBytes: number): FileRun {
    const data = seekData(this.#host, descriptor, at);
    if (data === -ENXIO) return { start: at, end: fileBytes, data: false };
    // a file system that cannot tell has data everywhere
    if (data < 0) return { start: at, end: fileBytes, data: true };
    if (data > at) return { start: at, end: data, data: false };
    const hole = seekHole(this.#host, descriptor, at);
    return { start: at, end: hole > at ? hole : fileBytes, data: true };
  }

  /** The bytes hold data now. */
  written(at: number, length: number): void {
    const last = this.#last;
    if (last !== undefined && !last.data && at < last.end && at + length > last.start) this.#last = undefined;
  }

  /** The bytes may be a hole now, or the file's size has changed. */
  forget(): void {
    this.#last = undefined;
  }
}
