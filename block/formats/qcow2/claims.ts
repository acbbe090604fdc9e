/**
 * Guest clusters that somebody is allocating: claimed when their clusters are taken, free again when the L2 entries say
 * where they are. Whoever else wants to change one of them waits.
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";

/** Guest bytes `start` to `end`, whole clusters. */
export interface Claim {
  readonly start: number;
  readonly end: number;
  readonly done: Promise<void>;
}

/** All claims of one image. */
export class Claims {
  readonly #claims = new Set<Claim>();

  /** A claim that overlaps guest bytes `start` to `end`. */
  blocker(start: number, end: number): Claim | undefined {
    if (this.#claims.size === 0) return undefined;
    for (const claim of this.#claims) if (claim.start < end && start < claim.end) return claim;
    return undefined;
  }

  /** The first claimed offset after `start`, which itself is not claimed. */
  freeUntil(start: number): number {
    let until = Infinity;
    for (const claim of this.#claims) if (claim.start > start) until = Math.min(until, claim.start);
    return until;
  }

  /** Claims guest bytes `start` to `end` until the returned function is called. */
  claim(start: number, end: number): { readonly end: () => void } {
    let resolve = () => {};
    const done = new Promise<void>((go) => resolve = go);
    const claim = { start, end, done };
    this.#claims.add(claim);
    return {
      end: () => {
        assert(this.#claims.delete(claim), "a claim ends once");
        resolve();
      },
    };
  }
}
