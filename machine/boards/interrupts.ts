/**
 * The board's 24 interrupt lines, and who hears them: the pair of 8259s (0 to 15) and the I/O APIC (all).
 *
 * A script that plays the guest may listen as well.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { IrqLine } from "../../devices/bus/mod.ts";

/** Lines 0 to 23. */
export const LINE_COUNT = 24;

/** The lines of one board. */
export class BoardInterrupts {
  readonly #levels = new Array<0 | 1>(LINE_COUNT).fill(0);
  readonly #targets: IrqLine[][] = Array.from({ length: LINE_COUNT }, () => []);
  readonly #watchers: Set<(level: 0 | 1) => void>[] = Array.from({ length: LINE_COUNT }, () => new Set());
  /** How many times each line has risen. */
  readonly counts: number[] = new Array(LINE_COUNT).fill(0);
  /** The drivers' ends. */
  readonly lines: readonly IrqLine[] = Array.from({ length: LINE_COUNT }, (_, index) => ({
    set: (level: 0 | 1) => this.#drive(index, level),
  }));

  /** Line `index` goes to `target` as well. */
  connect(index: number, target: IrqLine): void {
    this.#targets[index]!.push(target);
  }

  level(index: number): 0 | 1 {
    return this.#levels[index] ?? 0;
  }

  /** Calls `changed` whenever line `index` changes; the returned function ends that. */
  watch(index: number, changed: (level: 0 | 1) => void): () => void {
    const watchers = this.#watchers[index];
    assert(watchers !== undefined, `no interrupt line ${index}`);
    watchers.add(changed);
    return () => void watchers.delete(changed);
  }

  #drive(index: number, level: 0 | 1): void {
    const changed = this.#levels[index] !== level;
    if (changed && level === 1) this.counts[index]!++;
    this.#levels[index] = level;
    for (const target of this.#targets[index]!) target.set(level);
    if (changed) { for (const watcher of [...this.#watchers[index]!]) watcher(level); }
  }
}
