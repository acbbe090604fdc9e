/**
 * A job's limit in bytes a second, on the real clock.
 *
 * Work is paid for after it is done: each piece moves the moment at which the next one may begin. A tenth of a second
 * that was not used is made up for, so that timers that come late do not add up; what was saved up in a pause is not,
 * so that no burst follows it.
 *
 * @module
 */
import type { Clock, Timer } from "../../base/clocks.ts";
import { NS_PER_S } from "../../base/units.ts";

const MADE_UP_NS = NS_PER_S / 10;
const MAX_ALARM_NS = 3600 * NS_PER_S;

/** How fast a job may go. */
export class SpeedLimit {
  readonly #clock: Clock;
  #bytesPerSecond = 0;
  #nextNs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0 for no limit. */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  /** Takes over a new limit. Who goes faster begins at once; a lower one does not end the wait that is owed. */
  set bytesPerSecond(value: number) {
    const isLower = value !== 0 && value <= this.#bytesPerSecond;
    this.#bytesPerSecond = value;
    if (!isLower) this.#nextNs = this.#clock.nowNs();
  }

  /** Says that `bytes` were done. */
  spend(bytes: number): void {
    if (this.#bytesPerSecond === 0) return;
    this.#nextNs = Math.max(this.#nextNs, this.#clock.nowNs() - MADE_UP_NS) + bytes / this.#bytesPerSecond * NS_PER_S;
  }

  /** Nanoseconds until the next piece may begin; 0 for at once. */
  get delayNs(): number {
    return this.#bytesPerSecond === 0 ? 0 : Math.max(0, this.#nextNs - this.#clock.nowNs());
  }

  /** Calls `wake` when the next piece may begin. */
  alarm(wake: () => void): Timer {
    // Timers of the host overflow after some weeks; whoever is woken early looks again.
    return this.#clock.setTimer(this.#clock.nowNs() + Math.min(this.delayNs, MAX_ALARM_NS), wake);
  }
}
