/**
 * Runs by seed, and what they find: the frame of every target.
 *
 * @module
 */
import { SeededRandom } from "../../base/random.ts";

/** Which runs. */
export interface Seeds {
  readonly runs: number;
  /** The first run's; the others count on. 1 where absent. */
  readonly seed?: number;
}

/** What went wrong, and how to see it again. */
export interface Finding {
  readonly seed: number;
  /** What was done, as far as it tells. */
  readonly damage: string;
  readonly problem: string;
}

/** One run. */
export interface Run {
  readonly seed: number;
  readonly random: SeededRandom;
  /** What is done; its parts stand in the finding. */
  readonly told: string[];
}

const ENOUGH = 3;

/**
 * Does `attempt` with each seed; `[]` where all is well. What it throws is a finding, as is a problem that it resolves to.
 * It stops at the first three.
 */
export async function trySeeds(
  { runs, seed: first = 1 }: Seeds,
  attempt: (run: Run) => Promise<string | undefined | void>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (let seed = first; seed < first + runs && findings.length < ENOUGH; seed++) {
    const told: string[] = [];
    let problem: string | undefined | void;
    try {
      problem = await attempt({ seed, random: new SeededRandom(seed), told });
    } catch (error) {
      problem = `${(error as Error)?.stack ?? error}`;
    }
    if (problem !== undefined) findings.push({ seed, damage: told.join("; "), problem });
  }
  return findings;
}
