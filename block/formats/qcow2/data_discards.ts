/**
 * Clusters of an external data file that nothing refers to any more, and that the file may be told of when that is
 * durable: told earlier, a power failure could leave an entry that leads to a hole where there was data, or where the
 * backing file's should show.
 *
 * A cluster that is taken again in the meantime is kept: in a data file it lies where it lay before.
 *
 * @module
 */
import type { HostFile } from "./host_file.ts";

/** What waits to be discarded. All of it runs under the image's lock. */
export class DataDiscards {
  readonly #file: HostFile;
  readonly #clusterSize: number;
  readonly #waiting = new Set<number>();

  constructor(file: HostFile, clusterSize: number) {
    this.#file = file;
    this.#clusterSize = clusterSize;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** The cluster at `host` is not used any more. */
  add(host: number): void {
    this.#waiting.add(host);
  }

  /** `lengthBytes` from `host` are in use again. */
  keep(host: number, lengthBytes: number): void {
    if (this.#waiting.size === 0) return;
    for (let at = host; at < host + lengthBytes; at += this.#clusterSize) this.#waiting.delete(at);
  }

  /** Tells the file; the entries that led there are gone, durably. */
  async apply(): Promise<void> {
    const offsets = [...this.#waiting].sort((a, b) => a - b);
    this.#waiting.clear();
    for (let i = 0; i < offsets.length;) {
      let end = i + 1;
      while (end < offsets.length && offsets[end] === offsets[end - 1]! + this.#clusterSize) end++;
      // A file that cannot give space back keeps it; nothing is lost.
      await this.#file.discard(offsets[i]!, (end - i) * this.#clusterSize).catch(() => {});
      i = end;
    }
  }
}
