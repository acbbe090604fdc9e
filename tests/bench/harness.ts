/**
 * How a figure is taken: moa and the real program in turn, several times, and the median of the ratios.
 *
 * Machines are shared and noisy, so no single time is worth anything; a ratio of two runs side by side is.
 *
 * @module
 */

/** One comparison. `ours` and `theirs` measure once and return the same unit; more is better unless `lessIsBetter`. */
export interface Benchmark {
  readonly name: string;
  readonly unit: string;
  /** The least ratio that counts as met: moa over the real program (or the bound, where there is no other program). */
  readonly target: number;
  readonly lessIsBetter?: boolean;
  ours(): Promise<number>;
  /** Absent: `target` is an absolute bound on `ours`. */
  theirs?(): Promise<number>;
}

/** A measured {@link Benchmark}. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly theirs: number | undefined;
  readonly ratio: number | undefined;
  readonly target: number;
  readonly met: boolean;
}

/** Measures `benchmark` `rounds` times, in turn with the real program. */
export async function measure(benchmark: Benchmark, rounds: number): Promise<Figure> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const mine = await benchmark.ours();
    ours.push(mine);
    if (benchmark.theirs === undefined) continue;
    const other = await benchmark.theirs();
    theirs.push(other);
    ratios.push(benchmark.lessIsBetter ? other / mine : mine / other);
  }
  const ratio = benchmark.theirs === undefined ? undefined : median(ratios);
  const met = ratio !== undefined
    ? ratio >= benchmark.target
    : benchmark.lessIsBetter
    ? median(ours) <= benchmark.target
    : median(ours) >= benchmark.target;
  return {
    name: benchmark.name,
    unit: benchmark.unit,
    ours: median(ours),
    theirs: benchmark.theirs === undefined ? undefined : median(theirs),
    ratio,
    target: benchmark.target,
    met,
  };
}

/** The middle of `values`, which are not empty. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** One line of the table. */
export function line(figure: Figure): string {
  const number = (value: number) =>
    value >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toFixed(value < 10 ? 3 : 1);
  const verdict = figure.met ? "met" : "MISSED";
  const compared = figure.ratio === undefined
    ? `bound ${number(figure.target)}`
    : `qemu ${number(figure.theirs!).padStart(9)}  ratio ${figure.ratio.toFixed(2)} of ${figure.target}`;
  return `${figure.name.padEnd(44)} ${number(figure.ours).padStart(9)} ${
    figure.unit.padEnd(6)
  } ${compared}  ${verdict}`;
}
