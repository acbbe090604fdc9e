/**
 * How long a short command takes as a whole process: started by an installed starter, beyond what an empty Deno takes.
 *
 * Starters are installed into the benchmark's folder, so that what is measured is what a user gets.
 *
 * @module
 */
import { type Benchmark, median, type Sample } from "./harness.ts";
import { makeImage } from "./image_io.ts";
import { timed } from "./process.ts";
import { run } from "./qemu.ts";

const TARGET_MS = 35;
const TURNS = 15;

/** Benchmarks of starters in `directory`. */
export function startupBenchmarks(directory: string): Benchmark[] {
  const image = `${directory}/bench.qcow2`;
  const bin = `${directory}/bin`;
  const prepare = async () => {
    await makeImage(directory, "qcow2");
    await run("deno", "task", "-q", "install", bin, "--qemu-names");
    await Deno.writeTextFile(`${directory}/empty.js`, "");
  };
  const commands: Readonly<Record<string, readonly string[]>> = {
    create: ["create", "-q", "-f", "qcow2", `${directory}/created.qcow2`, "10G"],
    info: ["info", image],
    "snapshot -l": ["snapshot", "-l", image],
  };
  return Object.entries(commands).map(([name, args]) => ({
    name: `${name} as a process, beyond an empty Deno`,
    unit: "ms",
    target: TARGET_MS,
    lessIsBetter: true,
    prepare,
    ours: () => beyondEmpty(`${directory}/empty.js`, `${bin}/qemu-img`, args),
  }));
}

/** The middle of several differences, each of two processes that ran one after the other. */
async function beyondEmpty(empty: string, program: string, args: readonly string[]): Promise<Sample> {
  const differences: number[] = [];
  let peakBytes = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    const nothing = await timed("deno", ["run", "-q", "--no-config", "--no-lock", empty]);
    const ours = await timed(program, args);
    peakBytes = Math.max(peakBytes, ours.peakBytes);
    differences.push((ours.value - nothing.value) * 1000);
  }
  return { value: median(differences), peakBytes };
}
