/**
 * Damages images by seed and compares what both programs say of them: `--seed=N --runs=N [--master=NAME] [--verbose]`.
 *
 * Ends with status 1 where anything differs.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { compareDamaged, type Difference } from "./compare.ts";

const BATCH = 200;
const SHOWN_LINES = 4;

function show(difference: Difference, verbose: boolean): void {
  const { seed, master, args, damages, fields, moa, real } = difference;
  console.log(`seed ${seed}: ${master}: ${args.join(" ")}: ${fields.join(", ")} differ`);
  for (const damage of damages) console.log(`    ${damage}`);
  if (!verbose) return;
  for (const field of ["code", "stdout", "stderr", "left"] as const) {
    if (!fields.includes(field)) continue;
    console.log(`  ${field}:\n${differingLines(String(moa[field]), String(real[field]))}`);
  }
  if (!fields.includes("image")) return;
  const length = Math.max(moa.image.length, real.image.length);
  console.log(`  lengths: ${moa.image.length} ${real.image.length}`);
  const shown: string[] = [];
  for (let at = 0; at < length && shown.length < 12; at += 8) {
    const [a, b] = [moa, real].map(({ image }) => hexAt(image, at));
    if (a !== b) shown.push(`    0x${at.toString(16)}: ${a} ${b}`);
  }
  console.log(shown.join("\n"));
}

/** The lines from the first that differs on, some of each. */
function differingLines(moa: string, real: string): string {
  const [a, b] = [moa.split("\n"), real.split("\n")];
  let first = 0;
  while (a[first] === b[first] && first < a.length) first++;
  const part = (lines: readonly string[], mark: string) =>
    lines.slice(first, first + SHOWN_LINES).map((line) => `    ${mark} ${line}`);
  return [`    after ${first} equal lines`, ...part(a, "moa: "), ...part(b, "real:")].join("\n");
}

function hexAt(bytes: Uint8Array, at: number): string {
  return [...bytes.subarray(at, at + 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

if (import.meta.main) {
  const flags = parseArgs(Deno.args, { string: ["seed", "runs", "master"], boolean: ["verbose"] });
  const master = typeof flags["master"] === "string" ? flags["master"] : undefined;
  const first = Number(flags["seed"] ?? 1);
  const end = first + Number(flags["runs"] ?? 1000);
  const byField = new Map<string, number>();
  let total = 0;
  for (let seed = first; seed < end; seed += BATCH) {
    const runs = Math.min(BATCH, end - seed);
    for (const difference of await compareDamaged({ firstSeed: seed, runs, master })) {
      total++;
      for (const field of difference.fields) byField.set(field, (byField.get(field) ?? 0) + 1);
      show(difference, flags["verbose"] === true);
    }
  }
  console.log(`${end - first} images, ${total} differ: ${JSON.stringify(Object.fromEntries(byField))}`);
  Deno.exit(total === 0 ? 0 : 1);
}
