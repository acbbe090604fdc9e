/**
 * Many runs, one seed after the other, until as many crash points are behind as were asked for, or one has failed.
 *
 * @module
 */
import { Coverage, type Features } from "./features.ts";
import type { PlantedBug } from "./plants.ts";
import { type Failure, planOf, shrink } from "./replay.ts";
import { run } from "./run.ts";

/** How much is simulated. */
export interface SimulateOptions {
  /** The first seed; 1 where absent. */
  readonly seed?: number;
  /** How many seeds at most. */
  readonly seeds: number;
  /** Enough is enough. */
  readonly crashPoints?: number;
  /** Nor is it enough before each pair of features has so many. */
  readonly pairPoints?: number;
  /** Features that all runs have, instead of all that there are. */
  readonly features?: Features;
  /** Runs that making a failure short may take. */
  readonly shrinkAttempts?: number;
  readonly planted?: PlantedBug;
  /** Called after each seed with the features that its run had. */
  readonly onProgress?: (seed: number, coverage: Coverage, features: Features) => void;
}

/** What came of it. */
export interface Summary {
  readonly coverage: Coverage;
  readonly seeds: number;
  readonly failure: Failure | undefined;
}

/** Simulates; stops at the first failure, which comes back as short as could be made. */
export async function simulate(options: SimulateOptions): Promise<Summary> {
  const coverage = new Coverage();
  const { planted } = options;
  const first = options.seed ?? 1;
  let seed = first;
  const isEnough = () =>
    coverage.crashPoints >= (options.crashPoints ?? Infinity) &&
    (options.pairPoints === undefined || coverage.least >= options.pairPoints);
  for (; seed < first + options.seeds && !isEnough(); seed++) {
    const plan = {
      ...planOf(seed, coverage, options.features),
      ...(planted === undefined ? {} : { plant: () => planted.make() }),
    };
    const outcome = await run(plan);
    coverage.add(plan.features, outcome.points);
    options.onProgress?.(seed, coverage, plan.features);
    if (outcome.failure !== undefined) {
      return { coverage, seeds: seed - first + 1, failure: await shrink(plan, options.shrinkAttempts) };
    }
  }
  return { coverage, seeds: seed - first, failure: undefined };
}

/** What to tell of a failure: what is wrong, after which steps, and the command that shows it again. */
export function explain(failure: Failure, planted?: PlantedBug): string[] {
  const { outcome, plan } = failure;
  const plant = planted === undefined ? "" : ` --plant ${planted.name}`;
  return [
    `FAILED: ${outcome.failure?.message ?? "only now and then"}`,
    `after ${plan.steps.length} of ${failure.steps.length} steps: ${plan.steps.map(({ kind }) => kind).join(", ")}`,
    `again: deno task simulate${plant} --replay '${failure.replay}'`,
  ];
}
