/**
 * Nanoseconds to the ticks of a chip's oscillator and back, without losing bits beyond 2^53.
 *
 * @module
 */
import { NS_PER_S } from "../../base/units.ts";

/** Whole ticks of `frequencyHz` (below 9 MHz) in `ns`. */
export function ticksIn(ns: number, frequencyHz: number): number {
  const seconds = Math.floor(ns / NS_PER_S);
  return seconds * frequencyHz + Math.floor((ns - seconds * NS_PER_S) * frequencyHz / NS_PER_S);
}

/** The first nanosecond at which `ticks` ticks have passed. */
export function nsAtTick(ticks: number, frequencyHz: number): number {
  const seconds = Math.floor(ticks / frequencyHz);
  return seconds * NS_PER_S + Math.ceil((ticks - seconds * frequencyHz) * NS_PER_S / frequencyHz);
}
