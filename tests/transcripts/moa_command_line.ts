/**
 * Runs the recorded command lines with moa and compares: `deno run -A tests/transcripts/moa_command_line.ts FILE...`
 * prints what differs, or with `--json` the outcome of every row.
 *
 * All rows of a file run in this process, one after the other, under the name qemu-system-x86_64 with the recorded
 * arguments and `quit` on their standard input. The current folder is that of the rows.
 *
 * @module
 */
import { Program } from "../../tools/common/program.ts";
import { main } from "../../tools/system/main.ts";
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

const TIMEOUT_MS = 10_000;

/** Runs every row of `dialogue`, in order. */
async function compareCommandLines(dialogue: Dialogue): Promise<ComparedLine[]> {
  await using temp = await TempFolder.make();
  const before = Deno.cwd();
  Deno.chdir(temp.path);
  try {
    const rows: ComparedLine[] = [];
    for (const step of dialogue.steps) {
      if (step.kind === "shell") await must("sh", ["-ec", step.command], { cwd: temp.path });
      if (step.kind !== "argv") continue;
      // The recorder put it there, too.
      const text = await runHere(["-accel", "tcg", ...words(step.argv)]);
      rows.push({ argv: step.argv, expected: step.answer, actual: normalise(text, temp.path) });
    }
    return rows;
  } finally {
    Deno.chdir(before);
  }
}

async function runHere(args: readonly string[]): Promise<string> {
  const decoder = new TextDecoder();
  let [stdout, stderr] = ["", ""];
  const writer = (add: (text: string) => void) => ({
    writeSync: (bytes: Uint8Array) => {
      add(decoder.decode(bytes));
      return bytes.length;
    },
  });
  const out = (text: string) => void (stdout += text);
  const error = (text: string) => void (stderr += text);
  const input = new Blob(["quit\n"]).stream();
  const streams = { stdin: { readable: input }, stdout: writer(out), stderr: writer(error) };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => timer = setTimeout(() => resolve("never ends"), TIMEOUT_MS));
  const code = await Promise.race([main(new Program("qemu-system-x86_64", { out, error }), args, streams), late]);
  clearTimeout(timer);
  return `${mark("1> ", stdout)}${mark("2> ", stderr)}exit ${code}\n`;
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
