/**
 * A device's timer on the virtual clock: set again and again, and kept in snapshots by its deadline.
 *
 * @module
 */
import type { Clock, Timer } from "../../base/clocks.ts";

/** One timer; at most one deadline at a time. */
export class DeviceTimer {
  readonly #clock: Clock;
  readonly #fire: () => void;
  #pending: Timer | undefined;
  #deadlineNs: number | undefined;

  constructor(clock: Clock, fire: () => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  /** When it fires; `undefined` while it is not set. This is all that a snapshot keeps. */
  get deadlineNs(): number | undefined {
    return this.#deadlineNs;
  }

  /** Fires once at `deadlineNs`, instead of any time set before; `undefined` only cancels. */
  set(deadlineNs: number | undefined): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    this.#deadlineNs = deadlineNs;
    if (deadlineNs === undefined) return;
    this.#pending = this.#clock.setTimer(deadlineNs, () => {
      this.#pending = undefined;
      this.#deadlineNs = undefined;
      this.#fire();
    });
  }

  cancel(): void {
    this.set(undefined);
  }
}
