/**
 * A lock for stretches of code that await: one holder, the others in the order in which they came.
 *
 * @module
 */

/** First come, first served. */
export class Mutex {
  /** Ends when the last in the row lets go; `undefined` while nobody holds the lock. */
  #tail: Promise<void> | undefined;

  /** Nobody holds the lock: what awaits nothing may do its work without taking it. */
  get isFree(): boolean {
    return this.#tail === undefined;
  }

  /** Runs `body` when all earlier holders have ended, whatever became of them. */
  async run<T>(body: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    this.#tail = held;
    if (before !== undefined) await before;
    try {
      return await body();
    } finally {
      if (this.#tail === held) this.#tail = undefined;
      release();
    }
  }
}
