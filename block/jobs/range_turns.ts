/**
 * Ranges of bytes at which somebody is at work: who wants one that overlaps waits.
 *
 * @module
 */

/** Somebody at work, from `at` to `end`. */
export interface RangeTurn {
  readonly at: number;
  readonly end: number;
  readonly ended: Promise<void>;
  readonly resolve: () => void;
}

/** All turns that are taken. */
export class RangeTurns {
  readonly #taken = new Set<RangeTurn>();

  /** Waits until nobody is at work in the range, and takes it. */
  async take(at: number, end: number): Promise<RangeTurn> {
    for (let other = this.find(at, end); other !== undefined; other = this.find(at, end)) await other.ended;
    return this.takeNow(at, end);
  }

  /** Takes a range in which nobody is at work. */
  takeNow(at: number, end: number): RangeTurn {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const turn = { at, end, ended, resolve };
    this.#taken.add(turn);
    return turn;
  }

  /** Somebody who is at work in the range. */
  find(at: number, end: number): RangeTurn | undefined {
    for (const turn of this.#taken) if (turn.at < end && at < turn.end) return turn;
    return undefined;
  }

  give(turn: RangeTurn): void {
    this.#taken.delete(turn);
    turn.resolve();
  }
}
