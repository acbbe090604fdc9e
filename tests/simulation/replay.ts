/**
 * Runs by number, their description as one line that replays them, and how a failing one is made short.
 *
 * @module
 */
import { SeededRandom } from "../../base/random.ts";
import { type Coverage, type FeatureName, FEATURES, type Features, isPossible, rareFeatures } from "./features.ts";
import type { Plant } from "./host.ts";
import { type Outcome, type Plan, run } from "./run.ts";
import { type Step, writeSteps } from "./workload.ts";

const STEPS = 60;
/** Power is lost at about one in so many moments. */
const SPARSE = 5;
const MOST_ATTEMPTS = 120;

/** A run that failed, as short as could be found. */
export interface Failure {
  readonly plan: Plan;
  readonly outcome: Outcome;
  /** Which of the seed's steps were kept. */
  readonly kept: readonly number[];
  /** The whole run's steps. */
  readonly steps: readonly Step[];
  readonly replay: string;
}

/** The run of a seed; where `wanted` does not say which, its features are those that were seen least so far. */
export function planOf(seed: number, coverage: Coverage, wanted?: Features): Plan {
  const features = wanted ?? rareFeatures(new SeededRandom(seed), coverage);
  return { seed, features, steps: stepsOf(seed, features), sparse: SPARSE };
}

function stepsOf(seed: number, features: Features): Step[] {
  return writeSteps(new SeededRandom(seed + 0.5 * 2 ** 40), features, STEPS);
}

/** Leaves out what is not needed for `plan` to fail. */
export async function shrink(plan: Plan, mostAttempts: number = MOST_ATTEMPTS): Promise<Failure> {
  let kept = plan.steps.map((_, index) => index);
  let attempts = 0;
  const fails = async (indexes: readonly number[], sparse: number) => {
    attempts++;
    const steps = indexes.map((index) => plan.steps[index]!);
    const outcome = await run({ ...plan, steps, sparse });
    return outcome.failure === undefined ? undefined : outcome;
  };
  let found = await fails(kept, plan.sparse);
  let sparse = plan.sparse;
  for (let size = Math.ceil(kept.length / 2); size >= 1 && attempts < mostAttempts;) {
    let removed = false;
    for (let at = kept.length - size; at >= 0 && attempts < mostAttempts; at -= size) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      const outcome = await fails(fewer, 2);
      if (outcome === undefined) continue;
      [kept, found, sparse, removed] = [fewer, outcome, 2, true];
    }
    if (!removed || size > 1) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  const point = found?.failure?.point;
  const steps = kept.map((index) => plan.steps[index]!);
  const short: Plan = { ...plan, steps, sparse, ...(point === undefined ? {} : { point }) };
  const outcome = await run(short);
  const best = outcome.failure === undefined ? { ...plan, steps, sparse } : short;
  const shown = outcome.failure === undefined ? found ?? outcome : outcome;
  return { plan: best, outcome: shown, kept, steps: plan.steps, replay: describe(best, kept) };
}

/** A plan in one line, without spaces but between its parts. */
function describe(plan: Plan, kept: readonly number[]): string {
  const features = Object.entries(plan.features).map(([name, value]) => `${name}=${String(value).replace(" ", "_")}`);
  const point = plan.point === undefined ? `sparse=${plan.sparse}` : `point=${plan.point}`;
  return `seed=${plan.seed} ${features.join(" ")} steps=${kept.join(",")} ${point}`;
}

/** The plan that `describe` wrote down. @throws where it is none */
export function parseReplay(line: string, plant?: () => Plant): Plan {
  const parts = new Map(line.trim().split(/\s+/).map((part) => part.split("=") as [string, string]));
  const features: Record<string, unknown> = {};
  for (const name of Object.keys(FEATURES) as FeatureName[]) {
    const text = parts.get(name)?.replace("_", " ");
    const value = FEATURES[name].find((one) => String(one) === text);
    if (value === undefined) throw new Error(`replay: ${name} is none of ${FEATURES[name].join(", ")}`);
    features[name] = value;
  }
  const chosen = features as unknown as Features;
  if (!isPossible(chosen)) throw new Error("replay: no image has these features");
  const seed = Number(parts.get("seed"));
  const all = stepsOf(seed, chosen);
  const steps = (parts.get("steps") ?? "").split(",").filter((text) => text !== "").map((text) => all[Number(text)]!);
  const point = parts.get("point");
  return {
    seed,
    features: chosen,
    steps,
    sparse: Number(parts.get("sparse") ?? SPARSE),
    ...(point === undefined ? {} : { point: Number(point) }),
    ...(plant === undefined ? {} : { plant }),
  };
}
