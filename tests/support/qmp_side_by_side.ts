/**
 * The machine protocol side by side: the same requests to moa and to the real program. Answers are compared one by one,
 * events in their order, those of each job by themselves: which of two jobs is ahead is nobody's promise.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { haveProgram, must } from "./programs.ts";
import { type Exchange, qmpDialogue } from "./qmp_dialogue.ts";
import { TempFolder } from "./temp.ts";

const QEMU = "qemu-system-x86_64";

/** A dialogue, and what has to be there before it. */
export interface QmpComparison {
  readonly name: string;
  /** Command lines of `qemu-img` or `qemu-io`; words are separated by one blank, or all by `|`. */
  readonly before?: readonly string[];
  /** Of the machine, separated by one blank. */
  readonly args: string;
  readonly requests: readonly string[];
  /** What the images are afterwards has to be equal too: a command line of the real program, run on both sides. */
  readonly after?: readonly string[];
  /** Compare nothing but the events that have this in them. */
  readonly only?: string;
}

interface Side {
  readonly exchanges: readonly Exchange[];
  readonly state: readonly unknown[];
}

/** A request as one line. */
export function ask(execute: string, data?: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(data === undefined ? { execute } : { execute, arguments: data });
}

/** A line of the prompt, by way of the protocol. */
export function prompt(line: string): string {
  return ask("human-monitor-command", { "command-line": line });
}

/** Registers the tests. */
export function compareQmp(group: string, comparisons: readonly QmpComparison[]): void {
  for (const { name, before = [], args, requests, after = [], only } of comparisons) {
    Deno.test({
      name: `${group} as QEMU's: ${name}`,
      ignore: !haveProgram(QEMU),
      async fn() {
        const outcomes = await Promise.allSettled([QEMU, "moa"].map(async (program) => {
          await using temp = await TempFolder.make();
          const run = async (line: string) => {
            const [tool, ...words] = line.split(line.includes("|") ? "|" : " ");
            return await must(tool!, words, { cwd: temp.path });
          };
          for (const line of before) await run(line);
          const given = args === "" ? [] : args.split(" ");
          const all = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", ...given, "-qmp", "stdio"];
          const exchanges = await qmpDialogue(program, { name: QEMU, args: all, folder: temp.path }, requests);
          const state: unknown[] = [];
          for (const line of after) state.push(await run(line));
          return { exchanges, state };
        }));
        const [theirs, ours] = outcomes.map((outcome): Side => {
          if (outcome.status === "rejected") throw outcome.reason;
          return outcome.value;
        });
        if (only !== undefined) {
          const told = ({ exchanges }: Side) =>
            exchanges.flatMap(({ lines }) => lines.filter((line) => line.includes(only)));
          assert(told(theirs!).length > 0);
          return assertEquals(told(ours!), told(theirs!));
        }
        for (let i = 0; i < requests.length; i++) {
          assertEquals(answer(ours!.exchanges[i]!), answer(theirs!.exchanges[i]!), requests[i]);
          assertEquals(ours!.exchanges[i]!.printed, theirs!.exchanges[i]!.printed, requests[i]);
        }
        assertEquals(events(ours!.exchanges), events(theirs!.exchanges));
        assertEquals(ours!.state, theirs!.state);
      },
    });
  }
}

/** The answer, without what depends on the moment, and on how much room a file takes. */
function answer({ lines }: Exchange): string | undefined {
  return lines.find((line) => !line.includes('"event": '))
    ?.replaceAll(/"(actual-size|date-sec|date-nsec|vm-clock-sec|vm-clock-nsec|vm-state-size)": \d+/g, '"$1": ')
    .replaceAll(/"busy": (true|false)/g, "").replaceAll(", ", ",\n");
}

/** Events by the job that they are of. */
function events(exchanges: readonly Exchange[]): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const line of exchanges.flatMap(({ lines }) => lines)) {
    if (!line.includes('"event": ')) continue;
    const ofJob = /"event": "(?:BLOCK_)?JOB_/.test(line) ? /"(?:id|device)": "(.*?)"/.exec(line)?.[1] : undefined;
    // How far a job was that was cancelled depends on how quickly that was said.
    (all[ofJob ?? ""] ??= []).push(/"speed": (1|1024),/.test(line) ? line.replace(/"offset": \d+/, "") : line);
  }
  for (const [id, lines] of Object.entries(all)) all[id] = withoutPauses(lines);
  return all;
}

/** Whether a job that is drained pauses depends on where its step falls. */
function withoutPauses(lines: readonly string[]): string[] {
  const isPause = (line = "") => line.includes('"status": "paused"');
  return lines.filter((line, at) => !isPause(line) && !(isPause(lines[at - 1]) && line.includes('"running"')));
}
