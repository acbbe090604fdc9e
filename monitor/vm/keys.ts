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
export async function pressKeys({ keyboard }: Machine, strokes: readonly string[]): Promise<void> {
  for (const stroke of strokes) {
    const parsed = parseKeys(stroke);
    if ("wrong" in parsed) throw new MonitorError(`invalid parameter: ${parsed.wrong}`);
    await keyboard.stroke({ keys: parsed.keys, holdNs: HOLD_NS });
  }
}

/** Types `text`. @throws RangeError for a character that a US keyboard does not have */
export async function typeText({ keyboard }: Machine, text: string): Promise<void> {
  await Promise.all(keysOfText(text).map((keys) => keyboard.stroke({ keys, holdNs: HOLD_NS })));
}
