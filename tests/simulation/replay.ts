/**
 * Runs by number, their description as one line that replays them, and how a failing one is made short.
 *
 * @module
 */
import { SeededRandom } from "../../base/random.ts";
import { MiB } from "../../base/units.ts";
import { type Coverage, FEATURES, type Features, isPossible, NAMES, PLAIN, rareFeatures } from "./features.ts";
import type { Plant } from "./host.ts";
import type { Plan } from "./machine.ts";
import { type Outcome, run } from "./run.ts";
import { formatSteps, parseSteps, type Step, writeSteps } from "./workload.ts";

const STEPS = 60;
/** Power is lost at about one in so many moments. */
const SPARSE = 5;
/** With huge clusters each of them takes long, and a run has more of them. */
const SPARSE_HUGE = 15;
const MOST_ATTEMPTS = 120;

/** A run that failed, as short as could be found. */
export interface Failure {
  readonly plan: Plan;
  readonly outcome: Outcome;
  /** The whole run's steps. */
  readonly steps: readonly Step[];
  readonly replay: string;
}

/** The run of a seed; where `wanted` does not say which, its features are those that were seen least so far. */
export function planOf(seed: number, coverage: Coverage, wanted?: Features): Plan {
  const features = wanted ?? rareFeatures(new SeededRandom(seed), coverage);
  const steps = writeSteps(new SeededRandom(seed + 0.5 * 2 ** 40), features, STEPS);
  return { seed, features, steps, sparse: features.clusterBytes > MiB ? SPARSE_HUGE : SPARSE };
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
  return { plan: best, outcome: shown, steps: plan.steps, replay: describe(best) };
}

/** A plan in one line, without spaces but between its parts; what is plain is left out. */
function describe(plan: Plan): string {
  const features = NAMES.filter((name) => plan.features[name] !== PLAIN[name])
    .map((name) => `${name}=${String(plan.features[name]).replace(" ", "_")}`);
  const point = plan.point === undefined ? `sparse=${plan.sparse}` : `point=${plan.point}`;
  return [`seed=${plan.seed}`, ...features, point, `steps=${formatSteps(plan.steps)}`].join(" ");
}

/** The plan that `describe` wrote down. @throws where it is none */
export function parseReplay(line: string, plant?: () => Plant): Plan {
  const parts = new Map(line.trim().split(/\s+/).map((part) => part.split("=") as [string, string]));
  const text = (name: string) => {
    const value = parts.get(name);
    parts.delete(name);
    return value;
  };
  const chosen: Record<string, unknown> = {};
  for (const name of NAMES) {
    const wanted = text(name)?.replace("_", " ") ?? String(PLAIN[name]);
    const value = FEATURES[name].find((one) => String(one) === wanted);
    if (value === undefined) throw new Error(`replay: ${name} is none of ${FEATURES[name].join(", ")}`);
    chosen[name] = value;
  }
  const features = chosen as unknown as Features;
  if (!isPossible(features)) throw new Error("replay: no image has these features");
  const [seed, steps, sparse, point] = [text("seed"), text("steps"), text("sparse"), text("point")];
  if (seed === undefined || parts.size > 0) throw new Error(`replay: a seed, and no ${[...parts.keys()].join(", ")}`);
  return {
    seed: Number(seed),
    features,
    steps: parseSteps(steps ?? ""),
    sparse: Number(sparse ?? SPARSE),
    ...(point === undefined ? {} : { point: Number(point) }),
    ...(plant === undefined ? {} : { plant }),
  };
}
