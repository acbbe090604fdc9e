/**
 * What a check finds, and the references that it counts.
 *
 * @module
 */
import type { Errno } from "../../../base/errno.ts";
import { ioError } from "../../errors.ts";

/** Beyond this many clusters in the file nothing is counted: two bytes each would be half a gigabyte. */
const MAX_CLUSTERS = 2 ** 28;

/** Whether and what a check repairs. */
export type Fix = "none" | "leaks" | "all";

/** What a check has found so far. */
export interface Findings {
  readonly messages: string[];
  /** Which of the messages a tool begins with its own name. */
  readonly reports: Set<number>;
  corruptions: number;
  leaks: number;
  corruptionsFixed: number;
  leaksFixed: number;
  checkErrors: number;
  imageEndOffset: number;
  allocatedClusters: number;
  fragmentedClusters: number;
  compressedClusters: number;
  /** Refcounts cannot be mended one by one. */
  rebuild: boolean;
}

/** A check that cannot go on: why, and what else is to be said of it. */
export class CheckStopped extends Error {
  override readonly name = "CheckStopped";
  readonly errno: Errno;
  readonly report: string;

  constructor(errno: Errno, report: string) {
    super(report);
    this.errno = errno;
    this.report = report;
  }
}

/** No findings yet; lines go to `messages`. */
export function noFindings(messages: string[] = []): Findings {
  return {
    messages,
    reports: new Set(),
    corruptions: 0,
    leaks: 0,
    corruptionsFixed: 0,
    leaksFixed: 0,
    checkErrors: 0,
    imageEndOffset: 0,
    allocatedClusters: 0,
    fragmentedClusters: 0,
    compressedClusters: 0,
    rebuild: false,
  };
}

type CountArray = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** References by cluster: as wide as the image's own counts, so that nothing is counted that it could not hold. */
export class References {
  /** Counts by cluster; replaced when it grows, so take it anew after each call that may make it. */
  counts: CountArray;
  /** Somebody has counted a cluster that was counted already. */
  shared = false;
  readonly #order: number;
  #length: number;

  /** `length` clusters, whose counts are `2^order` bits wide. */
  constructor(length: number, order: number) {
    this.#order = order;
    this.#length = length;
    this.counts = this.#make(length);
  }

  #make(length: number): CountArray {
    if (length > MAX_CLUSTERS) throw ioError("status", "ENOMEM");
    if (this.#order <= 3) return new Uint8Array(length);
    if (this.#order === 4) return new Uint16Array(length);
    return this.#order === 5 ? new Uint32Array(length) : new Float64Array(length);
  }

  get length(): number {
    return this.#length;
  }

  get(cluster: number): number {
    return this.counts[cluster] ?? 0;
  }

  set(cluster: number, value: number): void {
    if (cluster >= this.#length) this.extend(cluster + 1);
    if (value > 1) this.shared = true;
    this.counts[cluster] = value;
  }

  extend(length: number): void {
    if (length > this.counts.length) {
      const counts = this.#make(Math.max(length, Math.min(MAX_CLUSTERS, this.counts.length * 2)));
      counts.set(this.counts);
      this.counts = counts;
    }
    this.#length = Math.max(this.#length, length);
  }

  clear(): void {
    this.counts.fill(0);
  }

  /**
   * The first `count` clusters in a row from `from` on that nobody refers to, counted once from now on.
   *
   * @returns the first of them; what lies behind the end counts as free and makes the array longer
   */
  take(count: number, from: number): number {
    let run = 0;
    let cluster = from;
    while (run < count) run = this.get(cluster++) === 0 ? run + 1 : 0;
    const first = cluster - count;
    for (let i = first; i < cluster; i++) this.set(i, 1);
    return first;
  }
}

/** Entries print as C's `%lx` of 64 bits. */
export function entryHex(high: number, low: number): string {
  return (BigInt(high >>> 0) << 32n | BigInt(low >>> 0)).toString(16);
}
