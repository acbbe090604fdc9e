/**
 * How a figure is taken: moa and the real program in turn, several times, and the median of the ratios.
 *
 * Machines are shared and noisy, so no single time is worth anything; a ratio of two runs side by side is.
 *
 * @module
 */
import { MiB } from "../../base/units.ts";

/** One measurement: the figure, with the most memory that its process held where that was asked for. */
export interface Sample {
  readonly value: number;
  readonly peakBytes: number;
}

/** One comparison. `ours` and `theirs` measure once and return the same unit; more is better unless `lessIsBetter`. */
export interface Benchmark {
  readonly name: string;
  readonly unit: string;
  /** The least ratio that counts as met: moa over the real program (or the bound, where there is no other program). */
  readonly target: number;
  readonly lessIsBetter?: boolean;
  /** What stands on the other side where that is not the real program. */
  readonly against?: string;
  /** Makes what is measured; called once, before the first measurement. */
  prepare?(): Promise<void>;
  ours(): Promise<number | Sample>;
  /** Absent: `target` is an absolute bound on `ours`. */
  theirs?(): Promise<number | Sample>;
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
  readonly against: string;
  /** The most memory that was held, in bytes; absent where it was not measured. */
  readonly ourPeakBytes?: number;
  readonly theirPeakBytes?: number;
}

/** Measures `benchmark` `rounds` times, in turn with the real program. */
export async function measure(benchmark: Benchmark, rounds: number): Promise<Figure> {
  await benchmark.prepare?.();
  const ours: number[] = [];
  const theirs: number[] = [];
  const ratios: number[] = [];
  const peaks = { ours: 0, theirs: 0 };
  const valueOf = (measured: number | Sample, side: "ours" | "theirs") => {
    if (typeof measured === "number") return measured;
    peaks[side] = Math.max(peaks[side], measured.peakBytes);
    return measured.value;
  };
  for (let round = 0; round < rounds; round++) {
    const mine = valueOf(await benchmark.ours(), "ours");
    ours.push(mine);
    if (benchmark.theirs === undefined) continue;
    const other = valueOf(await benchmark.theirs(), "theirs");
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
    against: benchmark.against ?? "qemu",
    ...(peaks.ours === 0 ? {} : { ourPeakBytes: peaks.ours }),
    ...(peaks.theirs === 0 ? {} : { theirPeakBytes: peaks.theirs }),
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
    : `${figure.against} ${number(figure.theirs!).padStart(9)}  ratio ${figure.ratio.toFixed(2)} of ${figure.target}`;
  const mebibytes = (bytes: number | undefined) => bytes === undefined ? "-" : Math.round(bytes / MiB);
  const peak = figure.ourPeakBytes === undefined && figure.theirPeakBytes === undefined
    ? ""
    : `  peak ${mebibytes(figure.ourPeakBytes)} MiB, ${figure.against} ${mebibytes(figure.theirPeakBytes)}`;
  return `${figure.name.padEnd(52)} ${number(figure.ours).padStart(9)} ${
    figure.unit.padEnd(6)
  } ${compared}  ${verdict}${peak}`;
}
