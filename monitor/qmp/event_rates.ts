/**
 * How often clients are told of events that may come thick and fast: the first of a kind at once, then the last of each
 * second.
 *
 * Source: docs/interop/qmp-spec, "Rate limiting"; which events are limited, and by what they are told apart, is QEMU
 * 7.2's. Jobs tell their progress once a second themselves.
 *
 * @module
 */
import type { JsonObject } from "../../base/json/mod.ts";
import type { Clock, Timer } from "../../base/clocks.ts";
import { NS_PER_S } from "../../base/units.ts";

/** What tells events of one name apart. */
const LIMITED: Readonly<Record<string, (data: JsonObject) => string>> = {
  QUORUM_FAILURE: () => "",
  QUORUM_REPORT_BAD: (data) => String(data["node-name"]),
};

/** Holds events back. */
export class EventRates {
  readonly #clock: Clock;
  readonly #send: (message: JsonObject) => void;
  readonly #pending = new Map<string, { last: JsonObject | undefined; timer: Timer }>();

  constructor(clock: Clock, send: (message: JsonObject) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Sends `message` now, or in place of an earlier one of its kind when a second has gone. */
  emit(name: string, data: JsonObject, message: JsonObject): void {
    const distinguish = LIMITED[name];
    if (distinguish === undefined) return this.#send(message);
    const key = `${name} ${distinguish(data)}`;
    const waiting = this.#pending.get(key);
    if (waiting !== undefined) {
      waiting.last = message;
      return;
    }
    this.#send(message);
    this.#wait(key);
  }

  #wait(key: string): void {
    const timer = this.#clock.setTimer(this.#clock.nowNs() + NS_PER_S, () => {
      const last = this.#pending.get(key)?.last;
      this.#pending.delete(key);
      if (last === undefined) return;
      this.#send(last);
      this.#wait(key);
    });
    this.#pending.set(key, { last: undefined, timer });
  }

  /** Nothing is sent any more. */
  stop(): void {
    for (const { timer } of this.#pending.values()) timer.cancel();
    this.#pending.clear();
  }
}
