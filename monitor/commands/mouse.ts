/**
 * The mouse: `mouse_move`, `mouse_button`, `mouse_set`, `info mice`.
 *
 * Source: behaviour of QEMU 7.2.
 *
 * @module
 */
import type { Machine } from "../../machine/mod.ts";
import { MonitorError } from "../errors.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

/** The keyboard is device 1 of those that people move or press. */
const KEYBOARD_INDEX = 1;
const MOUSE_INDEX = 2;

/** One of {@link infoMice}. */
export interface MouseInfo {
  readonly name: string;
  readonly index: number;
  readonly current: boolean;
  readonly absolute: boolean;
}

/** All mice: the one of the keyboard controller. */
export function miceOf({ pointer }: Machine): MouseInfo[] {
  return pointer.isThere ? [{ name: "QEMU PS/2 Mouse", index: MOUSE_INDEX, current: true, absolute: false }] : [];
}

export const infoMice = command({
  name: "query-mice",
  summary: "Mice, and which of them is moved.",
  arguments: {},
  run: ({ machine }): MouseInfo[] => miceOf(machine),
  hmp: {
    names: "mice",
    group: "info",
    parameters: "",
    help: "show which guest mouse is receiving events",
    print(output, mice) {
      if (mice.length === 0) output.print("No mouse devices connected\n");
      for (const { name, index, current, absolute } of mice) {
        output.print(`${current ? "*" : " "} Mouse #${index}: ${name}${absolute ? " (absolute)" : ""}\n`);
      }
    },
  },
});

export const mouseMove = command({
  name: "mouse_move",
  summary: "Moves the mouse, to the right and down, and turns its wheel by one click, away from the user.",
  arguments: { dx: arg.string(), dy: arg.string(), dz: arg.optional(arg.string()) },
  run({ machine }, { dx, dy, dz }): void {
    const clicks = numberAt(dz ?? "");
    const { pointer } = machine;
    pointer.change({ dx: numberAt(dx), dy: numberAt(dy), wheel: -Math.sign(clicks) });
    // The click is a press of a button, and letting go of it is told, too.
    if (clicks !== 0) pointer.change({});
  },
  hmp: { names: "mouse_move", parameters: "dx dy [dz]", help: "send mouse move events" },
});

/** The number that a text begins with, as C reads it (16, 0x10, 020); 0 where there is none. */
function numberAt(text: string): number {
  const [, sign, digits = ""] = /^\s*([-+]?)(0x[0-9a-f]+|\d+)/i.exec(text) ?? [];
  const octal = /^0[0-7]*/.exec(digits)?.[0];
  const value = octal === undefined || /^0x/i.test(digits) ? Number(digits) : parseInt(octal, 8);
  return sign === "-" ? -value : value;
}

export const mouseButton = command({
  name: "mouse_button",
  summary: "Sets which buttons of the mouse are down: 1 left, 2 right, 4 middle.",
  arguments: { state: arg.int32() },
  run({ machine }, { state }): void {
    const { pointer } = machine;
    const buttons = Number(state & 7n);
    if (buttons !== pointer.buttons) pointer.change({ buttons });
  },
  hmp: { names: "mouse_button", parameters: "state", help: "change mouse button state (1=L, 2=M, 4=R)" },
});

export const mouseSet = command({
  name: "mouse_set",
  summary: "Chooses the mouse that is moved, by its number in `info mice`.",
  arguments: { index: arg.int32() },
  run({ machine }, { index: wanted }): void {
    const index = Number(wanted);
    const isThere = machine.pointer.isThere;
    if (isThere && index === MOUSE_INDEX) return;
    if (isThere && index === KEYBOARD_INDEX) {
      throw new MonitorError("Input device 'QEMU PS/2 Keyboard' is not a mouse");
    }
    throw new MonitorError(`Mouse at index '${index}' not found`);
  },
  hmp: {
    names: "mouse_set",
    parameters: "index",
    help: "set which mouse device receives events",
    errorPrefix: "",
  },
});
