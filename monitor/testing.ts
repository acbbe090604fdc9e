/**
 * Machines for the monitor's tests: null drives, manual clocks, one seed.
 *
 * @module
 */
import { ManualClock } from "../base/clocks.ts";
import type { VmOptions } from "./vm/options.ts";
import { Vm } from "./vm.ts";

/** 2026-01-02 03:04:05 UTC. */
const START_NS = Date.UTC(2026, 0, 2, 3, 4, 5) * 1e6;

/** A machine that stands still, with no drives but those asked for. */
export function testVm(options: VmOptions = {}): Promise<Vm> {
  const clock = new ManualClock();
  return Vm.start({
    memory: 1,
    nodefaults: true,
    paused: true,
    strict: true,
    seed: 1,
    clocks: { virtual: clock, realtime: clock, host: new ManualClock(START_NS) },
    warn: () => {},
    ...options,
  });
}
