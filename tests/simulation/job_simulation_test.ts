/**
 * Every kind of job with a guest, failing requests and power failures at once, by seed; and every planted bug found.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { PLANTED_JOB_BUGS } from "./job_plants.ts";
import { JOB_KINDS, type JobKind } from "./job_kinds.ts";
import { type JobPlan, runJob } from "./job_run.ts";

const SEEDS = 40;

/** Runs that once found a mistake. */
const FOUND: readonly (readonly [kind: JobKind, seed: number, what: string])[] = [
  ["mirror, blocking", 683, "a write of the guest came between the choice of a range and its turn"],
];

for (const kind of JOB_KINDS) {
  Deno.test(`simulation of jobs: ${kind}`, async () => {
    let points = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        points += await runJob({ seed, kind });
      } catch (error) {
        throw new Error(`seed ${seed}, ${kind}: ${(error as Error).message}`, { cause: error });
      }
    }
    assert(points >= 2 * SEEDS, `${points} power losses`);
  });
}

for (const [kind, seed, what] of FOUND) {
  Deno.test(`simulation of jobs: ${what}`, async () => void await runJob({ seed, kind }));
}

/** What a run came to, as one line. */
const outcome = (plan: JobPlan) => runJob(plan).then((points) => `${points}`, (error) => (error as Error).message);

for (const { name, kind, plant } of PLANTED_JOB_BUGS) {
  Deno.test(`simulation of jobs finds a planted bug: ${name}`, async () => {
    let found = 0;
    for (let seed = 1; seed <= 100 && found === 0; seed++) {
      if (Number.isNaN(Number(await outcome({ seed, kind, plant })))) found = seed;
    }
    assert(found > 0, "not found");
    const [once, again] = [await outcome({ seed: found, kind, plant }), await outcome({ seed: found, kind, plant })];
    assertEquals(again, once, "a seed gives one run");
  });
}
