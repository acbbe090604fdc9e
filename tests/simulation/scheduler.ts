/**
 * Who is served next: every request to the simulated file waits here until the seed chooses it.
 *
 * No time and no threads: between one completion and the next a few turns of the microtask queue go by, as many as the
 * seed says, so that requests meet in orders that a host would hardly show. One seed gives one order.
 *
 * @module
 */
import type { Random } from "../../base/random.ts";

const MOST_TURNS = 16;

interface Waiting {
  readonly run: () => void;
}

/** The order of completions of one machine's life. */
export class Scheduler {
  readonly #random: Random;
  readonly #beforeStep: (step: number) => void;
  #queue: Waiting[] = [];
  #running = false;
  #stopped = false;
  #steps = 0;
  #watchers: { left: number; done: () => void }[] = [];

  /** `beforeStep` is called before each completion: the moments at which power may be lost. */
  constructor(random: Random, beforeStep: (step: number) => void) {
    this.#random = random;
    this.#beforeStep = beforeStep;
  }

  /** Runs `effect` when its turn has come; never, once power is lost. */
  perform<T>(effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return;
      this.#queue.push({
        run: () => {
          try {
            resolve(effect());
          } catch (error) {
            reject(error);
          }
        },
      });
      if (!this.#running) this.#pump();
    });
  }

  async #pump(): Promise<void> {
    this.#running = true;
    while (this.#queue.length > 0 && !this.#stopped) {
      for (let turns = this.#random.below(MOST_TURNS); turns >= 0; turns--) await undefined;
      if (this.#stopped) break;
      this.#beforeStep(this.#steps++);
      const [chosen] = this.#queue.splice(this.#random.below(this.#queue.length), 1);
      chosen!.run();
      for (const watcher of [...this.#watchers]) if (--watcher.left <= 0) this.#wake(watcher);
      // Whoever was waiting may ask for more at once.
      for (let turns = 0; turns < 4; turns++) await undefined;
    }
    this.#running = false;
    for (const watcher of [...this.#watchers]) this.#wake(watcher);
  }

  #wake(watcher: { done: () => void }): void {
    this.#watchers = this.#watchers.filter((other) => other !== watcher);
    watcher.done();
  }

  /** Resolves `count` completions later, or when nothing waits any more. */
  after(count: number): Promise<void> {
    if (count === 0 || !this.#running) return Promise.resolve();
    return new Promise((done) => void this.#watchers.push({ left: count, done }));
  }

  /** Power is lost: what waits is never answered. */
  stop(): void {
    this.#stopped = true;
    this.#queue = [];
  }
}
