/**
 * `moa img`, known as `qemu-img`: standard options, then a subcommand, each in a file of its own that is loaded when it
 * is asked for.
 *
 * Left out: trace events; `-T` says that there is no such one.
 *
 * Source: behaviour of qemu-img 7.2.
 *
 * @module
 */
import { Exit, type Program } from "../common/program.ts";

type Subcommand = (program: Program, args: readonly string[]) => Promise<number>;

const SUBCOMMANDS: Readonly<Record<string, () => Promise<Subcommand>>> = {
  amend: async () => (await import("./amend.ts")).amend,
  bench: async () => (await import("./bench.ts")).bench,
  bitmap: async () => (await import("./bitmap.ts")).bitmap,
  check: async () => (await import("./check.ts")).check,
  commit: async () => (await import("./commit.ts")).commit,
  compare: async () => (await import("./compare.ts")).compare,
  convert: async () => (await import("./convert.ts")).convert,
  create: async () => (await import("./create.ts")).create,
  dd: async () => (await import("./dd.ts")).dd,
  info: async () => (await import("./info.ts")).info,
  map: async () => (await import("./map.ts")).map,
  measure: async () => (await import("./measure.ts")).measure,
  rebase: async () => (await import("./rebase.ts")).rebase,
  resize: async () => (await import("./resize.ts")).resize,
  snapshot: async () => (await import("./snapshot.ts")).snapshot,
};

/** Runs one command line without the program's name; resolves to the exit status. */
export async function main(program: Program, args: readonly string[]): Promise<number> {
  try {
    const first = args[0];
    if (first === undefined) program.usage("Not enough arguments");
    if (first.startsWith("-")) return await standardOptions(program, args);
    const load = Object.hasOwn(SUBCOMMANDS, first) ? SUBCOMMANDS[first] : undefined;
    if (load === undefined) {
      if (!program.strict) {
        const { suggest } = await import("../common/suggest.ts");
        const near = suggest(first, Object.keys(SUBCOMMANDS));
        if (near !== undefined) program.fail(`Command not found: ${first}\nDid you mean '${near}'?`);
      }
      program.usage(`Command not found: ${first}`);
    }
    program.command = first;
    return await (await load())(program, args.slice(1));
  } catch (error) {
    return statusOf(program, error);
  }
}

/** The exit status of what a subcommand threw. */
function statusOf(program: Program, error: unknown): number {
  if (error instanceof Exit) return error.code;
  // What an image that is given up says at its closing adds nothing to the reason.
  if (error instanceof SuppressedError) return statusOf(program, error.suppressed);
  if (error instanceof Error && error.name === "BlockError") {
    program.error(error.message);
    return 1;
  }
  throw error;
}

async function standardOptions(program: Program, args: readonly string[]): Promise<number> {
  const end = endOfStandardOptions(args);
  const { options } = program.getopt(args.slice(0, end), {
    short: "hVT:",
    long: {
      help: { is: "h", takesValue: false },
      version: { is: "V", takesValue: false },
      trace: { is: "T", takesValue: true },
    },
  });
  for (const { is, value } of options) {
    if (is === "V") {
      program.out((await import("./help.ts")).versionText(program));
      return 0;
    }
    if (is === "h") {
      program.out(await (await import("./help.ts")).helpText(program));
      return 0;
    }
    program.error(`warning: trace event '${value.replace(/^enable=/, "")}' does not exist`);
  }
  // Nothing but a trace option is no mistake to the real program.
  return end === args.length ? 0 : await main(program, args.slice(end));
}

/** Where the subcommand is; of the standard options only `-T` takes a further word. */
function endOfStandardOptions(args: readonly string[]): number {
  let end = 0;
  while (end < args.length && args[end]!.startsWith("-")) {
    end += /^(?:-T|--t(?:race|rac|ra|r)?)$/.test(args[end]!) ? 2 : 1;
  }
  return Math.min(end, args.length);
}
