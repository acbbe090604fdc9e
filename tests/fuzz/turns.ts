/**
 * Patience by turns of the event loop, not by seconds: a disk in memory is done in a few, however busy the host is.
 *
 * @module
 */
import type { GuestBus } from "../../machine/guest/mod.ts";

const MAX_TURNS = 2000;

/** Aborts once a driver has waited on `bus` for longer than any request takes. */
export function patienceOf(bus: GuestBus): AbortSignal {
  const waiting = new AbortController();
  const pause = bus.pause.bind(bus);
  let turns = 0;
  bus.pause = () => {
    if (++turns > MAX_TURNS) waiting.abort(new Error("a request after the reset does not end"));
    return pause();
  };
  return waiting.signal;
}
