/**
 * A leaky bucket: what passes fills it, time empties it, and while it is over-full nothing more passes.
 *
 * Without bursts it holds a tenth of a second's worth, so that requests come evenly. With bursts it holds a whole burst,
 * and a second, smaller bucket keeps the burst itself to its own rate.
 *
 * Source: docs/throttle, "The leaky bucket algorithm".
 *
 * @module
 */
import { NS_PER_S } from "../../base/units.ts";
import type { RateLimit } from "./limits.ts";

/** The part of a second that passes at once. */
const EVEN_PART = 10;

/** One rate's bucket, in its units: bytes or requests. */
export class LeakyBucket {
  #limit: RateLimit;
  #level = 0;
  #burstLevel = 0;

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** Takes another limit; the bucket is empty then. */
  setLimit(limit: RateLimit): void {
    this.#limit = limit;
    this.#level = 0;
    this.#burstLevel = 0;
  }

  /** Lets `durationNs` pass. */
  leak(durationNs: number): void {
    const { average, maximum, burstSeconds } = this.#limit;
    const seconds = durationNs / NS_PER_S;
    this.#level = Math.max(0, this.#level - average * seconds);
    if (burstSeconds > 1) this.#burstLevel = Math.max(0, this.#burstLevel - maximum * seconds);
  }

  /** Lets `amount` through, whatever the level. */
  take(amount: number): void {
    this.#level += amount;
    if (this.#limit.burstSeconds > 1) this.#burstLevel += amount;
  }

  /** How long until something may pass; 0 for now. */
  waitNs(): number {
    const { average, maximum, burstSeconds } = this.#limit;
    if (average === 0) return 0;
    const room = maximum === 0 ? average / EVEN_PART : maximum * burstSeconds;
    const wait = timeFor(this.#level - room, average);
    if (wait > 0 || burstSeconds <= 1) return wait;
    return timeFor(this.#burstLevel - maximum / EVEN_PART, maximum);
  }
}

function timeFor(excess: number, rate: number): number {
  return excess <= 0 ? 0 : Math.ceil(excess * NS_PER_S / rate);
}
