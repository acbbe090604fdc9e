/**
 * The virtual clock of a machine with a CPU: it goes while the CPU is allowed to run, by the host's time or by the number
 * of instructions.
 *
 * Timers fire where the CPU lets them, between two instructions; {@link VirtualClock.runDue} does that.
 *
 * @module
 */
import type { Timer } from "../../../base/clocks.ts";
import type { AcceleratorClock } from "../accelerator.ts";

interface Pending {
  readonly atNs: number;
  readonly fire: () => void;
  cancelled: boolean;
}

/** The clock. */
export class VirtualClock implements AcceleratorClock {
  /** Called when a timer is set that fires before all others. */
  onEarlier: () => void = () => {};
  readonly #sourceNs: () => number;
  /** What has to be added to the source while the clock goes. */
  #offsetNs: number;
  #stoppedAtNs: number | undefined = 0;
  /** By time; of equal ones the older first. */
  readonly #pending: Pending[] = [];

  /** @param sourceNs what the clock goes by: never goes back */
  constructor(sourceNs: () => number) {
    this.#sourceNs = sourceNs;
    this.#offsetNs = 0;
  }

  nowNs(): number {
    return this.#stoppedAtNs ?? this.#offsetNs + this.#sourceNs();
  }

  setTimer(atNs: number, fire: () => void): Timer {
    const entry: Pending = { atNs, fire, cancelled: false };
    const pending = this.#pending;
    let low = 0;
    let high = pending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (pending[middle]!.atNs <= atNs) low = middle + 1;
      else high = middle;
    }
    pending.splice(low, 0, entry);
    if (low === 0) this.onEarlier();
    return { cancel: () => this.#cancel(entry) };
  }

  /** When the next timer fires. */
  get nextDeadlineNs(): number | undefined {
    return this.#pending[0]?.atNs;
  }

  /** Fires what is due, in order of time, then of setting; nanoseconds to the next, `Infinity` where there is none. */
  runDue(): number {
    const pending = this.#pending;
    if (pending.length === 0) return Infinity;
    const nowNs = this.nowNs();
    // Timers that are set meanwhile may have to wait for the next time: so this ends.
    for (let count = pending.length; count > 0 && pending.length > 0 && pending[0]!.atNs <= nowNs; count--) {
      const { fire } = pending.shift()!;
      fire();
    }
    return pending.length === 0 ? Infinity : Math.max(0, pending[0]!.atNs - nowNs);
  }

  get going(): boolean {
    return this.#stoppedAtNs === undefined;
  }

  start(): void {
    if (this.#stoppedAtNs === undefined) return;
    this.#offsetNs = this.#stoppedAtNs - this.#sourceNs();
    this.#stoppedAtNs = undefined;
  }

  stop(): void {
    this.#stoppedAtNs = this.nowNs();
  }

  /** Jumps ahead by `durationNs`; fires nothing. */
  skip(durationNs: number): void {
    if (this.#stoppedAtNs === undefined) this.#offsetNs += durationNs;
    else this.#stoppedAtNs += durationNs;
  }

  restore(nowNs: number): void {
    if (this.#stoppedAtNs === undefined) this.#offsetNs = nowNs - this.#sourceNs();
    else this.#stoppedAtNs = nowNs;
  }

  #cancel(entry: Pending): void {
    if (entry.cancelled) return;
    entry.cancelled = true;
    const at = this.#pending.indexOf(entry);
    if (at >= 0) this.#pending.splice(at, 1);
  }
}
