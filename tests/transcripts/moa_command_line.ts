/**
 * Compares recorded command lines with moa's: `deno run -A tests/transcripts/moa_command_line.ts FILE... [--json]`.
 *
 * Each row is a process of its own, started under the name qemu-system-x86_64 with the recorded arguments and `quit` on
 * its standard input; both outputs and the exit status have to be equal.
 *
 * @module
 */
import { must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { type Dialogue, mark, normalise } from "./format.ts";
import { type Difference, readDialogue, words } from "./replay.ts";

const ENTRY = new URL("../../tools/moa.ts", import.meta.url).pathname;

/** Runs every row of `dialogue`, in order; hands back those that differ. */
export async function compareCommandLines(dialogue: Dialogue): Promise<Difference[]> {
  await using temp = await TempFolder.make();
  const differences: Difference[] = [];
  for (const step of dialogue.steps) {
    if (step.kind === "shell") await must("sh", ["-ec", step.command], { cwd: temp.path });
    if (step.kind !== "argv") continue;
    const result = await run(Deno.execPath(), ["run", "-q", "-A", ENTRY, ...words(step.argv)], {
      cwd: temp.path,
      stdin: "quit\n",
      env: { TZ: "UTC", MOA_ARGV0: "qemu-system-x86_64", INIT_CWD: temp.path },
      timeoutMs: 10_000,
    });
    const text = mark("1> ", result.stdout) + mark("2> ", result.stderr) + `exit ${result.code}\n`;
    const actual = normalise(text, temp.path);
    if (actual !== step.answer) differences.push({ argv: step.argv, line: "", expected: step.answer, actual });
  }
  return differences;
}

if (import.meta.main) {
  const all: Record<string, Difference[]> = {};
  for (const file of Deno.args.filter((word) => !word.startsWith("-"))) {
    all[file] = await compareCommandLines(await readDialogue(file));
  }
  if (Deno.args.includes("--json")) console.log(JSON.stringify(all));
  else {
    for (const [file, differences] of Object.entries(all)) {
      for (const { argv, expected, actual } of differences) {
        console.log(`argv: ${argv}\n--- expected\n${expected}--- actual\n${actual}`);
      }
      console.log(`${file}: ${differences.length} command lines differ`);
    }
  }
}
