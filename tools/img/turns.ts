/**
 * Long work lets the event loop turn now and then, so that signals are heard.
 *
 * @module
 */
import { nextTurn } from "../../base/turn.ts";

const TURN_MS = 50;

/** Calls that are cheap as long as the last turn is not long ago. */
export class Turns {
  #lastMs = performance.now();

  /** Lets signals in, if it is time. */
  async take(): Promise<void> {
    if (performance.now() - this.#lastMs < TURN_MS) return;
    await nextTurn();
    this.#lastMs = performance.now();
  }
}

/** Keeps work to so many bytes a second; 0 for no limit. */
export class Pace {
  readonly #bytesPerSecond: number;
  readonly #startMs = performance.now();

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Waits until `doneBytes` are allowed to be done; `check` is called now and then, and throws to end it. */
  async wait(doneBytes: number, check: () => void = () => {}): Promise<void> {
    if (this.#bytesPerSecond === 0) return;
    const dueMs = this.#startMs + doneBytes * 1000 / this.#bytesPerSecond;
    for (let leftMs = dueMs - performance.now(); leftMs > 0; leftMs = dueMs - performance.now()) {
      check();
      await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, TURN_MS)));
    }
  }
}
