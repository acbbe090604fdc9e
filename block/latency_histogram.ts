/**
 * How long requests took, counted in bins: bin `i` has those from boundary `i - 1` up to, and without, boundary `i`.
 *
 * Source: qapi/block-core.json, `BlockLatencyHistogramInfo`.
 *
 * @module
 */

/** Counters of one kind of request. */
export class LatencyHistogram {
  /** Nanoseconds, ascending, from above 0. */
  readonly boundariesNs: readonly number[];
  /** One more than there are boundaries. */
  readonly bins: number[];

  /** @throws {RangeError} where the boundaries do not ascend from above 0 */
  constructor(boundariesNs: readonly number[]) {
    if (!isAscending(boundariesNs)) throw new RangeError("boundaries ascend from above 0");
    this.boundariesNs = boundariesNs;
    this.bins = new Array<number>(boundariesNs.length + 1).fill(0);
  }

  count(durationNs: number): void {
    let low = 0;
    let high = this.boundariesNs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.boundariesNs[middle]! <= durationNs) low = middle + 1;
      else high = middle;
    }
    this.bins[low]!++;
  }
}

/** Whether these can be a histogram's boundaries. */
export function isAscending(boundariesNs: readonly number[]): boolean {
  let before = 0;
  for (const boundary of boundariesNs) {
    if (boundary <= before) return false;
    before = boundary;
  }
  return true;
}
