/**
 * Holds a recorded dialogue with another machine and compares each answer with the recorded one.
 *
 * @module
 */
import { must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { type Dialogue, normalise, parseDialogue, unmark } from "./format.ts";

/** What a dialogue is held with. */
export interface Machine extends AsyncDisposable {
  /** Answers one line typed at the prompt; what a command prints to the program's outputs is part of it. */
  monitor(line: string): Promise<string>;
}

/** A machine, and what was written before its first prompt; without a machine the command line was refused. */
export interface Started {
  readonly machine: Machine | undefined;
  readonly text: string;
}

/** Starts a machine as qemu-system-x86_64 would with `argv`; file names count from `folder`. */
export type Starter = (argv: readonly string[], folder: string) => Promise<Started>;

/** An answer that differs. */
export interface Difference {
  readonly argv: string;
  readonly line: string;
  readonly expected: string;
  readonly actual: string;
}

/** Splits a command line as a shell does, with single and double quotes only. */
export function words(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? "")
  );
}

/** Reads a recorded dialogue. */
export async function readDialogue(path: string | URL): Promise<Dialogue> {
  return parseDialogue(await Deno.readTextFile(path));
}

/** Replays all of it; hands back every difference. Set-up needs the programs that its `$` lines call. */
export async function replay(dialogue: Dialogue, start: Starter): Promise<Difference[]> {
  await using temp = await TempFolder.make();
  const differences: Difference[] = [];
  let machine: Machine | undefined;
  let argv = "";
  try {
    for (const step of dialogue.steps) {
      if (step.kind === "shell") {
        await must("sh", ["-ec", step.command], { cwd: temp.path });
        continue;
      }
      let actual: string;
      if (step.kind === "argv") {
        await machine?.[Symbol.asyncDispose]();
        machine = undefined;
        argv = step.argv;
        const started = await start(words(argv), temp.path);
        machine = started.machine;
        actual = started.text;
      } else actual = machine === undefined ? "" : await machine.monitor(step.line);
      const expected = unmark(step.answer);
      const levelled = unmark(normalise(actual, temp.path));
      // Which of two outputs was written first, the recording does not know.
      const mixed = step.answer.includes("1> ") && step.answer.includes("2> ");
      const same = mixed ? sorted(levelled) === sorted(expected) : levelled === expected;
      if (!same) {
        differences.push({ argv, line: step.kind === "argv" ? "" : step.line, expected, actual: levelled });
      }
    }
  } finally {
    await machine?.[Symbol.asyncDispose]();
  }
  return differences;
}

function sorted(text: string): string {
  return text.split("\n").sort().join("\n");
}
