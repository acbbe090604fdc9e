/**
 * A lock for stretches of code that await: one holder, the others in the order in which they came.
 *
 * @module
 */

/** First come, first served. */
export class Mutex {
  #tail: Promise<void> | undefined;
  #held = false;

  /** Nobody is in the middle of something: what awaits nothing may do its work without taking the lock. */
  get isFree(): boolean {
    return !this.#held;
  }

  /**
   * Runs `body` when all earlier holders have ended, whatever became of them. A body that returns no promise has let go
   * of the lock before anybody else runs.
   */
  async run<T>(body: () => T | Promise<T>): Promise<T> {
    const before = this.#tail;
    let release = () => {};
    const ended = new Promise<void>((resolve) => release = resolve);
    this.#tail = ended;
    if (before !== undefined) await before;
    this.#held = true;
    try {
      const work = body();
      return work instanceof Promise ? await work : work;
    } finally {
      this.#held = false;
      if (this.#tail === ended) this.#tail = undefined;
      release();
    }
  }
}
