/**
 * `moa io`, known as `qemu-io`: commands on an open image, from `-c` or line by line from standard input.
 *
 * The commands are those of `monitor/io`, which the monitor's `qemu-io` has too; here they are joined by open, close,
 * quit and reopen. Exit status: 1 where any command failed, else 0.
 *
 * Left out: tracing (`-T`), line editing.
 *
 * Source: behaviour of qemu-io 7.2.
 *
 * @module
 */
import { whileThere } from "../../base/outputs.ts";
import { HostClock } from "../../base/clocks.ts";
import { OptionError, QemuOpts } from "../../base/keyval.ts";
import { HostRandom } from "../../base/random.ts";
import { BlockGraph, nestOptions, type OptionTree } from "../../block/mod.ts";
import { type IoScreen, loadIoTerminal } from "../../monitor/io/mod.ts";
import { type FoundOption, getopt } from "../common/getopt.ts";
import { addObject, objectsOf } from "../common/objects.ts";
import { Exit, type Program } from "../common/program.ts";
import { lines } from "./lines.ts";
import { OpenRefusal, readHow } from "./open_how.ts";
import { Session } from "./session.ts";
import { SPEC, usageText, versionText } from "./usage.ts";

/** Where lines come from. */
export interface LineInput {
  read(into: Uint8Array): Promise<number | null>;
}

/** Runs the tool; resolves to the exit status. Without `-c`, lines come from `input` (the process's own where absent). */
export async function main(program: Program, args: readonly string[], input?: LineInput): Promise<number> {
  try {
    return await runTool(program, args, input);
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
}

async function runTool(program: Program, args: readonly string[], input: LineInput | undefined): Promise<number> {
  const { options, operands } = getopt(args, SPEC);
  const good = readOptions(program, options);
  if (good.some(({ is }) => is === "V")) {
    program.out(versionText(program));
    return 0;
  }
  if (good.some(({ is }) => is === "h")) {
    program.out(usageText(program));
    return 0;
  }
  if (operands.length > 1) return fail(program);
  const has = (name: string) => good.some(({ is }) => is === name);
  const format = good.findLast(({ is }) => is === "f")?.value;
  let [filename] = operands;
  if (format !== undefined && has("image-opts")) program.fail("--image-opts and -f are mutually exclusive");

  await using graph = makeGraph(program);
  const commands = good.filter(({ is }) => is === "c").map(({ value }) => value);
  await using session = new Session(program, graph, { typed: commands.length === 0 });
  if (filename !== undefined) {
    let described: OptionTree = format === undefined ? {} : { driver: format };
    if (has("image-opts")) {
      try {
        const given = QemuOpts.parse(filename);
        for (const warning of given.warnings) program.error(`warning: ${warning}`);
        described = nestOptions(given.remaining);
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        program.report("", error);
        return 1;
      }
      filename = undefined;
    }
    if (!await session.open(filename, readHow(good, described))) return 1;
  }
  if (commands.length > 0) {
    for (const command of commands) {
      if (session.ended) break;
      await session.run(command);
    }
  } else if (input === undefined && Deno.stdin.isTerminal() && Deno.stdout.isTerminal()) {
    await terminalPrompt(program, session);
  } else await prompt(program, session, input ?? Deno.stdin);
  await session.settle();
  return session.failed ? 1 : 0;
}

/** A person types: lines are edited and remembered. */
async function terminalPrompt(program: Program, session: Session): Promise<void> {
  const [{ serveIoTerminal }, { stdout }] = await Promise.all([loadIoTerminal(), import("node:process")]);
  const screen: IoScreen = { print: (text) => program.out(text) };
  const restore = program.redirect({ out: (text) => screen.print(text), error: (text) => screen.print(text) });
  try {
    const setRaw = (raw: boolean) => whileThere(() => Deno.stdin.setRaw(raw));
    const keyboard = { keys: Deno.stdin.readable, screen: stdout, setRaw };
    await serveIoTerminal(keyboard, session, screen, Deno.env);
  } finally {
    restore();
  }
}

async function prompt(program: Program, session: Session, input: LineInput): Promise<void> {
  program.out("qemu-io> ");
  program.flush();
  for await (const line of lines(input)) {
    await session.run(line);
    if (session.ended) return;
    program.out("qemu-io> ");
    program.flush();
  }
}

/** The options, once none is wrong. @throws {Exit} */
function readOptions(
  program: Program,
  options: readonly FoundOption[],
): readonly (FoundOption & { readonly kind: "option" })[] {
  const good: (FoundOption & { readonly kind: "option" })[] = [];
  for (const option of options) {
    if (option.kind !== "option") {
      program.error(complaint(option));
      return fail(program);
    }
    if (option.is === "V" || option.is === "h") return [option];
    if (option.is === "object") addObject(program, option.value);
    if (option.is === "T") {
      program.error(`warning: trace event '${option.value.replace(/^enable=/, "")}' does not exist`);
    }
    good.push(option);
    try {
      readHow([option], {});
    } catch (error) {
      if (!(error instanceof OpenRefusal)) throw error;
      program.fail(error.message);
    }
  }
  return good;
}

/** What getopt_long(3) itself says. */
function complaint(option: FoundOption & { readonly kind: "unknown" | "missing" }): string {
  const { kind, word } = option;
  if (option.letter === undefined && word.startsWith("--")) {
    return kind === "unknown" ? `unrecognized option '${word}'` : `option '${word}' requires an argument`;
  }
  if (kind === "missing") return `option requires an argument -- '${word.at(-1)}'`;
  return `invalid option -- '${option.letter}'`;
}

function fail(program: Program): never {
  program.out(usageText(program));
  throw new Exit(1);
}

function makeGraph(program: Program): BlockGraph {
  const realtime = new HostClock();
  return new BlockGraph({
    clocks: { virtual: realtime, realtime, host: new HostClock({ sinceEpoch: true }) },
    random: new HostRandom(),
    objects: objectsOf(program),
    warn: (message) => program.error(`warning: ${message}`),
    notice: (line) => program.line(line),
    temporary: {
      create: () => Deno.makeTempFile({ prefix: "moa-" }),
      remove: (name) => Deno.remove(name).catch(() => {}),
    },
  });
}
