/**
 * Keys that a script presses.
 *
 * @module
 */
import { NS_PER_MS } from "../../base/units.ts";
import { keysOfText, type Machine, parseKeys } from "../../machine/mod.ts";
import { MonitorError } from "../errors.ts";

/** How long a script waits after a key went down or came up. */
const HOLD_NS = 10 * NS_PER_MS;

/** Presses each of `strokes`, `"ctrl-alt-f1"`, one after the other. @throws MonitorError for what is no key */
export async function pressKeys(machine: Machine, strokes: readonly string[]): Promise<void> {
  const keys = strokes.map((stroke) => {
    const parsed = parseKeys(stroke);
    if ("wrong" in parsed) throw new MonitorError(`invalid parameter: ${parsed.wrong}`);
    return parsed.keys;
  });
  await orOff(machine, async () => {
    for (const stroke of keys) await machine.keyboard.stroke({ keys: stroke, holdNs: HOLD_NS });
  });
}

/** Types `text`. @throws RangeError for a character that a US keyboard does not have */
export async function typeText(machine: Machine, text: string): Promise<void> {
  const { keyboard } = machine;
  const strokes = keysOfText(text);
  await orOff(machine, () => Promise.all(strokes.map((keys) => keyboard.stroke({ keys, holdNs: HOLD_NS }))));
}

/** A key may be the one that switches the machine off: its clock stands still then, and no key comes up any more. */
async function orOff(machine: Machine, work: () => Promise<unknown>): Promise<void> {
  const off = Promise.withResolvers<void>();
  const forget = machine.events.on("SHUTDOWN", () => off.resolve());
  try {
    await Promise.race([work(), off.promise]);
  } finally {
    forget();
  }
}
