/**
 * The features that are simulated, each with its values, and how often each pair of values was there when power was
 * lost. A new feature is one more row, and a use of it in `world.ts` or `workload.ts`.
 *
 * @module
 */
import type { Random } from "../../base/random.ts";

/** Feature by feature the values that a run may have. */
export const FEATURES = {
  compat: ["0.10", "1.1"],
  clusterBytes: [512, 1024, 2048, 4096, 16384, 65536],
  refcountBits: [1, 2, 4, 8, 16, 32, 64],
  lazyRefcounts: [false, true],
  backing: ["none", "raw", "qcow2", "shorter"],
  compressed: [false, true],
  snapshots: [false, true],
  resize: [false, true],
  preallocation: ["off", "metadata", "falloc", "full"],
  discard: ["ignore", "unmap", "pass all", "pass none"],
  caches: ["ample", "too small"],
  depth: [1, 4, 12],
  faults: ["none", "EIO", "ENOSPC"],
} as const;

export type FeatureName = keyof typeof FEATURES;
/** One value for each feature. */
export type Features = { readonly [Name in FeatureName]: (typeof FEATURES)[Name][number] };

const NAMES = Object.keys(FEATURES) as FeatureName[];

/** Whether an image can have these; the rules are the format's own. */
export function isPossible(features: Features): boolean {
  if (features.compat === "0.10" && (features.refcountBits !== 16 || features.lazyRefcounts)) return false;
  return features.preallocation === "off" || features.backing === "none";
}

/** Crash points by pair of values. */
export class Coverage {
  readonly #points = new Map<string, number>();
  crashPoints = 0;

  add(features: Features, points: number): void {
    this.crashPoints += points;
    for (const pair of pairsOf(features)) this.#points.set(pair, this.of(pair) + points);
  }

  of(pair: string): number {
    return this.#points.get(pair) ?? 0;
  }

  /** All pairs that an image can have, the rarest first. */
  get pairs(): { pair: string; points: number }[] {
    return possiblePairs().map((pair) => ({ pair, points: this.of(pair) })).sort((a, b) => a.points - b.points);
  }

  /** Crash points of the rarest pair. */
  get least(): number {
    return this.pairs[0]!.points;
  }

  /** A line on all, and one for each of the `rarest` pairs. */
  report(rarest: number): string[] {
    const { pairs } = this;
    const few = pairs.filter(({ points }) => points < 200).length;
    return [
      `${this.crashPoints} crash points, ${pairs.length} pairs of features, ${few} of them with fewer than 200; rarest:`,
      ...pairs.slice(0, rarest).map(({ pair, points }) => `${String(points).padStart(8)}  ${pair}`),
    ];
  }
}

function pairsOf(features: Features): string[] {
  const pairs: string[] = [];
  for (let a = 0; a < NAMES.length; a++) {
    for (let b = a + 1; b < NAMES.length; b++) pairs.push(pairName(NAMES[a]!, NAMES[b]!, features));
  }
  return pairs;
}

function pairName(a: FeatureName, b: FeatureName, features: Features): string {
  return `${a}=${features[a]} ${b}=${features[b]}`;
}

/** Every pair that some possible image has. */
export function possiblePairs(): string[] {
  const found = new Set<string>();
  const sound = Object.fromEntries(NAMES.map((name) => [name, FEATURES[name].at(-1)])) as unknown as Features;
  const plain: Features = { ...sound, compat: "1.1", refcountBits: 16, backing: "none", preallocation: "off" };
  for (let a = 0; a < NAMES.length; a++) {
    for (let b = a + 1; b < NAMES.length; b++) {
      for (const one of FEATURES[NAMES[a]!]) {
        for (const other of FEATURES[NAMES[b]!]) {
          const features = { ...plain, lazyRefcounts: false, [NAMES[a]!]: one, [NAMES[b]!]: other } as Features;
          if (isPossible(features)) found.add(pairName(NAMES[a]!, NAMES[b]!, features));
        }
      }
    }
  }
  return [...found];
}

/** Some features at random. */
export function randomFeatures(random: Random): Features {
  for (;;) {
    const chosen = Object.fromEntries(NAMES.map((name) => [name, FEATURES[name][random.below(FEATURES[name].length)]]));
    const features = chosen as unknown as Features;
    if (isPossible(features)) return features;
  }
}

/** Of some random choices the one whose pairs have been seen least. */
export function rareFeatures(random: Random, coverage: Coverage): Features {
  let best = randomFeatures(random);
  let bestScore = -1;
  for (let i = 0; i < 40; i++) {
    const features = randomFeatures(random);
    let score = 0;
    for (const pair of pairsOf(features)) score += 1 / (1 + coverage.of(pair) / 20) ** 3;
    if (score > bestScore) [best, bestScore] = [features, score];
  }
  return best;
}
