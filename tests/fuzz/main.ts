/**
 * `deno task fuzz [--target=NAME] [--seed=N] [--runs=N]`: prints a line for each finding, and exits with 1 where there is
 * one. A line names its target and seed, which reproduce it alone.
 *
 * @module
 */
import { fuzzBoots } from "./boot_fuzz.ts";
import { fuzzChannels } from "./channel_fuzz.ts";
import { fuzzCommandLines } from "./command_line_fuzz.ts";
import { fuzzDevices } from "./device_fuzz.ts";
import { fuzzMonitors } from "./monitor_fuzz.ts";
import { fuzzQcow2 } from "./qcow2_fuzz.ts";
import type { Finding, Seeds } from "./seeds.ts";
import { fuzzStates } from "./state_fuzz.ts";
import { TARGETS } from "./targets.ts";
import { fuzzVirtio } from "./virtio_fuzz.ts";

/** Runs so many seeds from `seed` on. */
type Fuzzer = (seeds: Seeds) => Promise<readonly Finding[]>;

const FUZZERS: Readonly<Record<string, Fuzzer>> = {
  ...Object.fromEntries(
    TARGETS.map((target): [string, Fuzzer] => [target.name, (seeds) => fuzzQcow2({ target, ...seeds })]),
  ),
  virtio: fuzzVirtio,
  state: fuzzStates,
  monitor: fuzzMonitors,
  boot: fuzzBoots,
  device: fuzzDevices,
  channel: fuzzChannels,
  "command-line": fuzzCommandLines,
};

async function main(args: readonly string[]): Promise<number> {
  const option = (name: string) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const wanted = option("target");
  if (wanted !== undefined && !Object.hasOwn(FUZZERS, wanted)) {
    console.error(`no target ${wanted}: ${Object.keys(FUZZERS).join(", ")}`);
    return 2;
  }
  const seeds = { seed: Number(option("seed") ?? 1), runs: Number(option("runs") ?? 1000) };
  let problems = 0;
  for (const [name, fuzz] of Object.entries(FUZZERS)) {
    if (wanted !== undefined && name !== wanted) continue;
    for (const { seed, damage, problem } of await fuzz(seeds)) {
      console.log(`${name} seed ${seed}: ${damage}\n  ${problem}`);
      problems++;
    }
  }
  return problems === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
