/**
 * How fast a job gets on, and how long it will take: over its last ten seconds at work, looked at once a second.
 *
 * moa's own; QEMU leaves it to whoever asks twice.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { NS_PER_S } from "../../base/units.ts";

const EVERY_NS = NS_PER_S;
const LOOKS = 10;

interface Look {
  readonly atNs: number;
  readonly done: number;
}

/** The rate of one job. */
export class JobRate {
  readonly #clock: Clock;
  #looks: Look[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** So many bytes are done; true when a second has passed since the last look. */
  note(done: number): boolean {
    const atNs = this.#clock.nowNs();
    const last = this.#looks.at(-1);
    if (last !== undefined && atNs - last.atNs < EVERY_NS) return false;
    this.#looks.push({ atNs, done });
    if (this.#looks.length > LOOKS + 1) this.#looks.shift();
    return last !== undefined;
  }

  /** A pause: what came before it says nothing of what comes after. */
  forget(): void {
    this.#looks = [];
  }

  /** Bytes a second; 0 until the first second has passed. */
  get bytesPerSecond(): number {
    const [first, last] = [this.#looks[0], this.#looks.at(-1)];
    if (first === undefined || last === undefined || last.atNs === first.atNs) return 0;
    return Math.max(0, (last.done - first.done) / ((last.atNs - first.atNs) / NS_PER_S));
  }

  /** Seconds that `left` bytes will take; `undefined` while that cannot be told. */
  secondsFor(left: number): number | undefined {
    const { bytesPerSecond } = this;
    return left === 0 ? 0 : bytesPerSecond === 0 ? undefined : left / bytesPerSecond;
  }
}
