/**
 * `deno task simulate`: power failures by seed.
 *
 * ```text
 * --seeds N          so many seeds (300)
 * --start S          the first of them (1)
 * --pairs N          how many of the rarest pairs of features are listed (12)
 * --jobs             runs with a block job, --seeds of each kind
 * --replay 'LINE'    one run, as a failure has printed it
 * --plant NAME       with a bug: refcount-late, order-swapped, data-late, flush-dropped, table-given-away,
 *                    racing-allocation
 * --lesson           one planted bug (refcount-late, or that of --plant): the rule, and the image that it costs
 * --image PATH       where the damaged image goes (needs --allow-write)
 * ```
 *
 * @module
 */
import { parseArgs } from "node:util";
import { JOB_KINDS } from "./job_kinds.ts";
import { runJob } from "./job_run.ts";
import { bytesOfDisk, lesson } from "./lesson.ts";
import { plantedBug } from "./plants.ts";
import { parseReplay } from "./replay.ts";
import { run } from "./run.ts";
import { explain, simulate } from "./simulate.ts";

async function main(args: string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: {
      seeds: text,
      start: text,
      pairs: text,
      replay: text,
      plant: text,
      image: text,
      lesson: { type: "boolean" },
      jobs: { type: "boolean" },
    },
  });
  const planted = values.plant === undefined ? undefined : plantedBug(values.plant);
  const save = async (image: Uint8Array | undefined) => {
    if (values.image !== undefined && image !== undefined) await Deno.writeFile(values.image, image);
  };
  if (values.jobs === true) return await simulateJobs(Number(values.start ?? 1), Number(values.seeds ?? 300));
  if (values.lesson === true) {
    const { lines, image } = await lesson(planted ?? plantedBug("refcount-late"));
    console.log(lines.join("\n"));
    await save(image);
    return image === undefined ? 1 : 0;
  }
  if (values.replay !== undefined) {
    const plan = parseReplay(values.replay, planted === undefined ? undefined : () => planted.make());
    const { failure, points, files } = await run(plan);
    console.log(failure === undefined ? `${points} crash points, nothing is wrong` : `FAILED: ${failure.message}`);
    await save(bytesOfDisk(files));
    return failure === undefined ? 0 : 1;
  }
  const { coverage, failure, seeds } = await simulate({
    seed: Number(values.start ?? 1),
    seeds: Number(values.seeds ?? 300),
    ...(planted === undefined ? {} : { planted }),
  });
  console.log(`${seeds} seeds; ${coverage.report(Number(values.pairs ?? 12)).join("\n")}`);
  if (failure === undefined) return 0;
  console.log(explain(failure, planted).join("\n"));
  await save(bytesOfDisk(failure.outcome.files));
  return 1;
}

/** Runs `seeds` of each kind of job from `start` on; the first that fails ends it. */
async function simulateJobs(start: number, seeds: number): Promise<number> {
  for (const kind of JOB_KINDS) {
    let points = 0;
    for (let seed = start; seed < start + seeds; seed++) {
      try {
        points += await runJob({ seed, kind });
      } catch (error) {
        console.log(`FAILED: ${kind}, seed ${seed}: ${(error as Error).stack}`);
        return 1;
      }
    }
    console.log(`${kind}: ${seeds} seeds, ${points} crash points, nothing is wrong`);
  }
  return 0;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
