/**
 * A lock for stretches of code that await: one holder, the others in the order in which they came.
 *
 * @module
 */

/** First come, first served. */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /** Runs `body` when all earlier holders have ended, whatever became of them. */
  async run<T>(body: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    let release = () => {};
    this.#tail = new Promise((resolve) => release = resolve);
    await before;
    try {
      return await body();
    } finally {
      release();
    }
  }
}
