/**
 * A virtual clock that drives may be given before it is known which accelerator's it will be.
 *
 * @module
 */
import type { Clock, Timer } from "../../base/clocks.ts";

interface Waiting {
  readonly atNs: number;
  readonly fire: () => void;
  timer: Timer | undefined;
  over: boolean;
}

/** Stands for another clock, once it has one. */
export class LateClock implements Clock {
  #clock: Clock | undefined;
  readonly #waiting: Waiting[] = [];

  /** Until it has one it stands at 0. */
  set clock(clock: Clock) {
    this.#clock = clock;
    for (const entry of this.#waiting.splice(0)) {
      if (!entry.over) entry.timer = clock.setTimer(entry.atNs, entry.fire);
    }
  }

  nowNs(): number {
    return this.#clock?.nowNs() ?? 0;
  }

  setTimer(atNs: number, fire: () => void): Timer {
    if (this.#clock !== undefined) return this.#clock.setTimer(atNs, fire);
    const entry: Waiting = { atNs, fire, timer: undefined, over: false };
    this.#waiting.push(entry);
    return {
      cancel() {
        entry.over = true;
        entry.timer?.cancel();
      },
    };
  }
}
