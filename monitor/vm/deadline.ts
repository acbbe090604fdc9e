/**
 * Waits that end at a deadline, in the host's time or in the guest's, with all that helps to see why.
 *
 * @module
 */
import { NS_PER_MS } from "../../base/units.ts";
import type { Machine } from "../../machine/mod.ts";
import { hostTimer, WaitError } from "./waits.ts";

/** How long to wait. Without any limit it is 60 s of the host's time. */
export interface WaitLimits {
  /** Milliseconds of the host's time; `Infinity` where only the guest's time counts. */
  readonly timeoutMs?: number;
  /** Milliseconds of the guest's time, which stands still with the machine. */
  readonly guestTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** What a guest said last may come after the news that it has ended. */
const LAST_WORDS_MS = 500;

/** What waits of one machine have in common. */
export class Deadlines {
  readonly #machine: Machine;
  readonly #evidence: () => string;

  /** `evidence` tells what the guest last showed, for a wait that failed. */
  constructor(machine: Machine, evidence: () => string) {
    this.#machine = machine;
    this.#evidence = evidence;
  }

  /**
   * Waits for what `subscribe` reports; `what` names it. Who waits for a machine that has switched itself off, broken or
   * ended is not kept until the deadline.
   *
   * @throws WaitError
   */
  wait<T>(what: string, limits: WaitLimits, subscribe: (found: (value: T) => void) => () => void): Promise<T> {
    const { guestTimeoutMs, signal } = limits;
    const timeoutMs = limits.timeoutMs ?? (guestTimeoutMs === undefined ? DEFAULT_TIMEOUT_MS : Infinity);
    const { virtual } = this.#machine.clocks;
    signal?.throwIfAborted();
    return new Promise<T>((resolve, reject) => {
      let unsubscribe = () => {};
      let over = false;
      const finish = () => {
        over = true;
        clearTimeout(timer);
        forget();
        guestTimer?.cancel();
        signal?.removeEventListener("abort", aborted);
        unsubscribe();
      };
      const missed = (why: string) => {
        finish();
        reject(new WaitError(what, why, this.#machine, this.#evidence()));
      };
      const forget = this.#whenEnded(() => missed("nothing more comes"));
      const aborted = () => {
        finish();
        reject(signal!.reason);
      };
      const timer = hostTimer(() => missed(`not within ${timeoutMs} ms`), timeoutMs);
      const guestTimer = guestTimeoutMs === undefined ? undefined : virtual.setTimer(
        virtual.nowNs() + guestTimeoutMs * NS_PER_MS,
        () => missed(`not within ${guestTimeoutMs} ms of the guest's time`),
      );
      signal?.addEventListener("abort", aborted, { once: true });
      unsubscribe = subscribe((value) => {
        finish();
        resolve(value);
      });
      // It may have been there already.
      if (over) unsubscribe();
    });
  }

  /** Calls `work` once the machine has ended, a little later; the returned function takes that back. */
  #whenEnded(work: () => void): () => void {
    const { events } = this.#machine;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let hasQuit = false;
    const standsStill = () => ["shutdown", "internal-error"].includes(this.#machine.runState);
    const look = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        if (hasQuit || standsStill()) work();
      }, LAST_WORDS_MS);
    };
    const stops = [
      events.on("STOP", look),
      events.on("SHUTDOWN", ({ reason }) => {
        hasQuit ||= reason === "host-qmp-quit";
        look();
      }),
    ];
    if (standsStill()) look();
    return () => {
      clearTimeout(timer);
      for (const stop of stops) stop();
    };
  }
}
