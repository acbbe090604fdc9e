/**
 * The three clocks of a machine, each given from outside, so that a test or a qtest script can move time itself.
 *
 * Times are nanoseconds in a `number`: whole up to 2^53, which is 104 days.
 *
 * @module
 */

/** A timer that was set on a {@link Clock}. */
export interface Timer {
  /** Ends the timer; harmless when it has fired already. */
  cancel(): void;
}

/** A clock in nanoseconds. */
export interface Clock {
  nowNs(): number;
  /** Calls `fire` once when the clock reaches `atNs`, never from inside this call. */
  setTimer(atNs: number, fire: () => void): Timer;
}

/** `virtual` stands still with the machine, `realtime` runs on, `host` tells the time since 1970. */
export interface Clocks {
  readonly virtual: Clock;
  readonly realtime: Clock;
  readonly host: Clock;
}

/** Resolves when `clock` has gone `durationNs` further. */
export function sleep(clock: Clock, durationNs: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(clock.nowNs() + durationNs, resolve));
}

interface Pending {
  readonly atNs: number;
  readonly order: number;
  readonly fire: () => void;
}

/** A clock that moves only when told: the virtual clock of the qtest accelerator, and every clock of a simulation. */
export class ManualClock implements Clock {
  #nowNs: number;
  #order = 0;
  #pending: Pending[] = [];

  constructor(startNs = 0) {
    this.#nowNs = startNs;
  }

  nowNs(): number {
    return this.#nowNs;
  }

  setTimer(atNs: number, fire: () => void): Timer {
    const entry: Pending = { atNs, order: this.#order++, fire };
    this.#pending.push(entry);
    this.#pending.sort((a, b) => a.atNs - b.atNs || a.order - b.order);
    return { cancel: () => void (this.#pending = this.#pending.filter((other) => other !== entry)) };
  }

  /** When the next timer fires, or `undefined` where none is set. */
  get nextDeadlineNs(): number | undefined {
    return this.#pending[0]?.atNs;
  }

  /** Moves on by `durationNs` (0 or more) and fires what falls due, in order of time, then of setting. */
  advance(durationNs: number): void {
    this.advanceTo(this.#nowNs + durationNs);
  }

  /** Moves to `untilNs`, which is not before now. */
  advanceTo(untilNs: number): void {
    for (let next = this.#pending[0]; next !== undefined && next.atNs <= untilNs; next = this.#pending[0]) {
      this.#pending.shift();
      this.#nowNs = Math.max(this.#nowNs, next.atNs);
      next.fire();
    }
    this.#nowNs = Math.max(this.#nowNs, untilNs);
  }

  /** Sets the time without firing anything: a snapshot that was loaded brings its own. */
  restore(nowNs: number): void {
    this.#nowNs = nowNs;
  }
}

/** A clock of the host; only `monitor/vm.ts` and `tools/` make one. */
export class HostClock implements Clock {
  readonly #offsetNs: number;

  /** With `sinceEpoch` it tells the time of day, else the time since the process began. */
  constructor(options: { sinceEpoch?: boolean } = {}) {
    this.#offsetNs = options.sinceEpoch ? Math.round(performance.timeOrigin * 1e6) : 0;
  }

  nowNs(): number {
    return this.#offsetNs + Math.round(performance.now() * 1e6);
  }

  setTimer(atNs: number, fire: () => void): Timer {
    const delayMs = Math.max(0, (atNs - this.nowNs()) / 1e6);
    const handle = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(handle) };
  }
}
