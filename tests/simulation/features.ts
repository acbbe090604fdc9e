/**
 * The features that are simulated, each with its values, and how often each pair of values was there when power was
 * lost. A new feature is one more row, and a use of it in `world.ts` or `workload.ts`.
 *
 * @module
 */
import type { Random } from "../../base/random.ts";
import { KiB, MiB } from "../../base/units.ts";

/** Feature by feature the values that a run may have; the first is the plain one. */
export const FEATURES = {
  compat: ["1.1", "0.10"],
  clusterBytes: [65536, 512, 1024, 2048, 4096, 16384, 2 * MiB],
  refcountBits: [16, 1, 2, 4, 8, 32, 64],
  lazyRefcounts: [false, true],
  backing: ["none", "raw", "qcow2", "shorter"],
  compression: ["none", "zlib", "zstd"],
  extendedL2: [false, true],
  dataFile: ["none", "plain", "raw"],
  bitmaps: [false, true],
  snapshots: [false, true],
  resize: [false, true],
  amend: [false, true],
  preallocation: ["off", "metadata", "falloc", "full"],
  discard: ["ignore", "unmap", "pass all", "pass none"],
  caches: ["ample", "too small"],
  overlapCheck: ["cached", "none", "constant", "all"],
  depth: [1, 4, 12],
  faults: ["none", "short", "EIO", "ENOSPC"],
} as const;

export type FeatureName = keyof typeof FEATURES;
/** One value for each feature. */
export type Features = { readonly [Name in FeatureName]: (typeof FEATURES)[Name][number] };

export const NAMES = Object.keys(FEATURES) as FeatureName[];

/** An image and a guest without anything special. */
export const PLAIN = Object.fromEntries(NAMES.map((name) => [name, FEATURES[name][0]])) as unknown as Features;

/** Whether an image can have these; the rules are the format's own. */
export function isPossible(features: Features): boolean {
  const { compat, clusterBytes, backing, compression, extendedL2, dataFile, preallocation } = features;
  const needsVersion3 = features.refcountBits !== 16 || features.lazyRefcounts || compression === "zstd" ||
    extendedL2 ||
    dataFile !== "none" || features.bitmaps;
  if (compat === "0.10" && needsVersion3) return false;
  if (extendedL2 && clusterBytes < 16 * KiB) return false;
  if (dataFile !== "none" && (compression !== "none" || features.snapshots)) return false;
  if (dataFile === "raw" && backing !== "none") return false;
  return preallocation === "off" || backing === "none" || extendedL2;
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
  get pairs(): (FeaturePair & { points: number })[] {
    return PAIRS.map((pair) => ({ ...pair, points: this.of(pair.pair) }))
      .sort((a, b) => a.points - b.points);
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

/** The pair's name, whichever of the two comes first. */
function pairName(a: FeatureName, b: FeatureName, features: Features): string {
  if (NAMES.indexOf(a) > NAMES.indexOf(b)) return pairName(b, a, features);
  return `${a}=${features[a]} ${b}=${features[b]}`;
}

/** Two features with their values. */
interface FeaturePair {
  readonly pair: string;
  readonly names: readonly [FeatureName, FeatureName];
  readonly values: readonly [unknown, unknown];
}

/** Every pair that some image has: what is plain goes with everything. */
const PAIRS: readonly FeaturePair[] = NAMES.flatMap((a, index) =>
  NAMES.slice(index + 1).flatMap((b) =>
    FEATURES[a].flatMap((one) =>
      FEATURES[b].flatMap((other) => {
        const features = { ...PLAIN, [a]: one, [b]: other } as Features;
        const pair = { pair: pairName(a, b, features), names: [a, b], values: [one, other] } as const;
        return isPossible(features) ? [pair] : [];
      })
    )
  )
);

/**
 * Features for the next run: the pair that has been seen least, and of everything else the value whose pairs with what is
 * chosen already have been seen least.
 */
export function rareFeatures(random: Random, coverage: Coverage): Features {
  const { pairs } = coverage;
  const rarest = pairs[0]!.points;
  const least = pairs.filter(({ points }) => points === rarest);
  const { names, values } = least[random.below(least.length)]!;
  const chosen = new Map<FeatureName, unknown>([[names[0], values[0]], [names[1], values[1]]]);
  const featuresWith = (name: FeatureName, value: unknown) =>
    ({ ...PLAIN, ...Object.fromEntries(chosen), [name]: value }) as Features;
  const rest = NAMES.filter((name) => !chosen.has(name));
  while (rest.length > 0) {
    const [name] = rest.splice(random.below(rest.length), 1);
    let best: unknown;
    let bestScore = -1;
    for (const value of FEATURES[name!]) {
      const features = featuresWith(name!, value);
      if (!isPossible(features)) continue;
      let score = random.below(1000) / 1e6;
      for (const other of chosen.keys()) {
        score += 1 / (1 + coverage.of(pairName(name!, other, features)) / 20) ** 3;
      }
      if (score > bestScore) [best, bestScore] = [value, score];
    }
    chosen.set(name!, best);
  }
  return featuresWith(names[0], values[0]);
}
