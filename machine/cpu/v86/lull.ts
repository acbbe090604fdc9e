/**
 * Tells a guest that does nothing but tick: an idle Linux asks for an interrupt 250 times a second, to find each time
 * that there is nothing to do. Such a guest is woken less often; it counts the time that has gone by, not its ticks.
 *
 * Only a local APIC's one-shot is late then, by less than {@link LONGEST_REST_NS}. Timers of devices are on time, and
 * whatever comes from outside (a request that is done, a byte, a key) ends the rest at once, and the lull.
 *
 * Left out: periodic interrupts, which an old guest may count.
 *
 * @module
 */
import { NS_PER_MS } from "../../../base/units.ts";

/** A quarter of a second of a guest that ticks 250 times in a whole one. */
const RESTS_OF_A_LULL = 64;
const LONGEST_REST_NS = 50 * NS_PER_MS;
/** What a tick may take. */
const SLICES_OF_A_TICK = 3;

/** Counts rests between which nothing happened. */
export class Lull {
  #rests = 0;
  #slices = 0;
  #exits = 0;

  /** The CPU has run for a slice. */
  slice(): void {
    this.#slices++;
  }

  /** A device has something to say. */
  end(): void {
    this.#rests = 0;
  }

  /**
   * How long to rest, where the CPU's own timer wants to go on in `idleNs`.
   *
   * @param exits how often the guest has turned to a device so far
   * @param isOneShot the timer is a one-shot
   */
  restNs(idleNs: number, exits: number, isOneShot: boolean): number {
    const isTick = exits === this.#exits && this.#slices <= SLICES_OF_A_TICK && isOneShot;
    this.#rests = isTick ? this.#rests + 1 : 0;
    this.#slices = 0;
    this.#exits = exits;
    return this.#rests < RESTS_OF_A_LULL ? idleNs : Math.max(idleNs, LONGEST_REST_NS);
  }
}
