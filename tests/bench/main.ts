/**
 * `deno task bench [words]`: every figure that moa promises, beside the real program's in the same run.
 *
 * Words pick benchmarks by name (all of them must be in it); `--rounds N` sets how often each is measured (3); `--list`
 * prints the names. It prints; it decides nothing.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { bootBenchmarks } from "./boots.ts";
import { copyBenchmarks } from "./copying.ts";
import { type Benchmark, line, measure } from "./harness.ts";
import { guestBenchmarks } from "./guest.ts";
import { imageBenchmarks } from "./image_io.ts";
import { jobBenchmarks } from "./jobs.ts";
import { linuxBenchmarks } from "./linux.ts";
import { machineBenchmarks } from "./machine.ts";
import { monitorBenchmarks } from "./monitor.ts";
import { qcow2Benchmarks } from "./qcow2.ts";
import { startupBenchmarks } from "./startup.ts";
import { stateBenchmarks } from "./states.ts";

/** Every file of benchmarks: a function from the folder for its images to its rows. */
const GROUPS: readonly ((directory: string) => Benchmark[])[] = [
  imageBenchmarks,
  qcow2Benchmarks,
  copyBenchmarks,
  jobBenchmarks,
  monitorBenchmarks,
  machineBenchmarks,
  guestBenchmarks,
  bootBenchmarks,
  stateBenchmarks,
  linuxBenchmarks,
  startupBenchmarks,
];

const { rounds, list, _: words } = parseArgs(Deno.args, {
  string: ["rounds"],
  boolean: ["list"],
  default: { rounds: "3" },
});
const directory = await Deno.makeTempDir({ prefix: "moa-bench-" });
try {
  const all = GROUPS.flatMap((group) => group(directory));
  const chosen = all.filter(({ name }) => words.every((word) => name.includes(`${word}`)));
  let missed = 0;
  for (const benchmark of chosen) {
    if (list) {
      console.log(benchmark.name);
      continue;
    }
    const figure = await measure(benchmark, Number(rounds));
    if (!figure.met) missed++;
    console.log(line(figure));
  }
  if (!list) console.log(`${chosen.length - missed} of ${chosen.length} figures met`);
} finally {
  await Deno.remove(directory, { recursive: true });
}
