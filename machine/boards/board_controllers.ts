/**
 * The board's own interrupt controllers as everybody may look at them.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { IoApic, Pic8259 } from "../../devices/chipset/mod.ts";
import { type InterruptControllers, LOCAL_APIC_AFTER_RESET } from "../cpu/mod.ts";

/** Those of a board whose CPU has none of its own; nobody programs a local APIC there. */
export function boardControllers(first: Pic8259, ioApic: IoApic): InterruptControllers {
  assert(first.cascade !== undefined, "a board has two 8259s");
  const { id, select, requests, low, high } = ioApic.state;
  return {
    first: { ...first.state },
    second: { ...first.cascade.state },
    ioApic: {
      version: ioApic.properties.version,
      id,
      select,
      requests,
      entries: Array.from(low, (word, input) => BigInt(high[input]!) << 32n | BigInt(word)),
    },
    localApic: LOCAL_APIC_AFTER_RESET,
  };
}
