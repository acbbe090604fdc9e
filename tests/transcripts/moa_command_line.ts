/**
 * Runs the recorded command lines with moa and compares: `deno run -P=test tests/transcripts/moa_command_line.ts FILE...`
 * prints what differs, or with `--json` the outcome of every row.
 *
 * All rows of a file run in this process, one after the other, under the name qemu-system-x86_64 with the recorded
 * arguments and `quit` on their standard input. The current folder is that of the rows.
 *
 * @module
 */
import { runSystemHere } from "../support/moa_system.ts";
import { must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { type Dialogue, mark, normalise } from "./format.ts";
import { readDialogue, words } from "./replay.ts";

/** One row: what QEMU said, and what moa says. */
export interface ComparedLine {
  readonly argv: string;
  readonly expected: string;
  readonly actual: string;
}

/** Runs every row of `dialogue`, in order. */
async function compareCommandLines(dialogue: Dialogue): Promise<ComparedLine[]> {
  await using temp = await TempFolder.make();
  const before = Deno.cwd();
  try {
    const rows: ComparedLine[] = [];
    for (const step of dialogue.steps) {
      if (step.kind === "shell") await must("sh", ["-ec", step.command], { cwd: temp.path });
      if (step.kind !== "argv") continue;
      // The recorder put it there, too.
      const args = ["-accel", "tcg", ...words(step.argv)];
      const result = await runSystemHere({ folder: temp.path, name: "qemu-system-x86_64", args, stdin: "quit\n" });
      const text = `${mark("1> ", result.stdout)}${mark("2> ", result.stderr)}exit ${result.code}\n`;
      rows.push({ argv: step.argv, expected: step.answer, actual: normalise(text, temp.path) });
    }
    return rows;
  } finally {
    Deno.chdir(before);
  }
}

if (import.meta.main) {
  const all: Record<string, ComparedLine[]> = {};
  for (const file of Deno.args.filter((word) => !word.startsWith("-"))) {
    all[file] = await compareCommandLines(await readDialogue(file));
  }
  if (Deno.args.includes("--json")) console.log(`\n${JSON.stringify(all)}`);
  else {
    for (const [file, rows] of Object.entries(all)) {
      const differing = rows.filter(({ expected, actual }) => expected !== actual);
      for (const { argv, expected, actual } of differing) {
        console.log(`argv: ${argv}\n--- expected\n${expected}--- actual\n${actual}`);
      }
      console.log(`${file}: ${differing.length} of ${rows.length} command lines differ`);
    }
  }
  // Whatever a row may have left running does not hold up the answer.
  Deno.exit(0);
}
