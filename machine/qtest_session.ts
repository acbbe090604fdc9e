/**
 * A qtest client's session with a machine.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { QtestAccelerator, QtestSession } from "./cpu/mod.ts";
import type { Machine } from "./machine.ts";

/** The device whose inputs are the board's 24 interrupt lines, by type. */
const CONTROLLER = "ioapic";
const LINES = 24;

/** Begins a session; `machine` runs on the qtest accelerator. Lines to the client go to `send`. */
export function qtestSession(machine: Machine, send: (line: string) => void): QtestSession {
  const { accelerator } = machine;
  assert(accelerator instanceof QtestAccelerator, "a qtest session needs the qtest accelerator");
  return new QtestSession({
    accelerator,
    interceptIn(path, changed) {
      const named = path === CONTROLLER || machine.findDevice(path)?.type.name === CONTROLLER;
      if (!named) return undefined;
      const stops = Array.from(
        { length: LINES },
        (_, line) => machine.built.watchInterrupt(line, (level) => changed(line, level)),
      );
      return () => stops.forEach((stop) => stop());
    },
  }, send);
}
