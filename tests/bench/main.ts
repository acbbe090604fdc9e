/**
 * `deno task bench [words]`: every figure that moa promises, beside the real program's in the same run.
 *
 * Words pick benchmarks by name; `--rounds N` sets how often each is measured (3). It prints; it decides nothing.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { type Benchmark, line, measure } from "./harness.ts";
import { imageBenchmarks, makeImages } from "./image_io.ts";
import { machineBenchmarks } from "./machine.ts";

const { rounds, _: words } = parseArgs(Deno.args, { string: ["rounds"], default: { rounds: "3" } });
const directory = await Deno.makeTempDir({ prefix: "moa-bench-" });
try {
  console.log("making the images ...");
  await makeImages(directory);
  const all: Benchmark[] = [...imageBenchmarks(directory), ...machineBenchmarks(directory)];
  const chosen = all.filter(({ name }) => words.every((word) => name.includes(`${word}`)));
  let missed = 0;
  for (const benchmark of chosen) {
    const figure = await measure(benchmark, Number(rounds));
    if (!figure.met) missed++;
    console.log(line(figure));
  }
  console.log(`${chosen.length - missed} of ${chosen.length} figures met`);
} finally {
  await Deno.remove(directory, { recursive: true });
}
