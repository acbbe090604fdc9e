/**
 * From a line that was typed to a command with its arguments, and from what that answers to text.
 *
 * @module
 */
import type { MonitorContext } from "../context.ts";
import { explain } from "../errors.ts";
import type { AnyCommand, HmpOutput } from "../schema/command.ts";
import type { CommandRegistry } from "../schema/registry.ts";
import { type FormatMemory, parseArguments } from "./arguments.ts";
import { type Cursor, HmpSyntaxError, isSpace, type RegisterLookup, skipSpaces } from "./expression.ts";
import { unknownWordHint } from "./hints.ts";

/** What a line came to. */
export type ParsedLine =
  | { readonly kind: "empty" }
  | { readonly kind: "command"; readonly command: AnyCommand; readonly values: Record<string, unknown> }
  /** `aside` is for the program's own standard output. */
  | { readonly kind: "refused"; readonly text: string; readonly aside?: string };

/** What one monitor keeps between lines. */
export interface HmpState {
  readonly registry: CommandRegistry;
  readonly formats: FormatMemory;
  readonly register: RegisterLookup;
  /** Under QEMU's name: its text to the letter, without moa's hints. */
  readonly strict: boolean;
}

/** Reads one line. */
export function parseLine(line: string, state: HmpState): ParsedLine {
  const cursor: Cursor = { text: line, at: 0 };
  skipSpaces(cursor);
  const start = cursor.at;
  const word = readName(cursor);
  if (word === "") return { kind: "empty" };
  let entry = state.registry.find(word);
  let nameEnd = cursor.at;
  if (entry !== undefined && entry.command.name === "info") {
    skipSpaces(cursor);
    if (cursor.at < line.length) {
      const subject = readName(cursor);
      entry = state.registry.find(subject, "info");
      nameEnd = cursor.at;
    }
  }
  if (entry === undefined) {
    const words = line.slice(start, nameEnd);
    const hint = state.strict ? undefined : unknownWordHint(words, state.registry);
    return { kind: "refused", text: `unknown command: '${words}'\n${hint === undefined ? "" : `${hint}\n`}` };
  }
  try {
    const values = parseArguments(entry.names, entry.command.arguments, cursor, state);
    return { kind: "command", command: entry.command, values };
  } catch (error) {
    if (!(error instanceof HmpSyntaxError)) throw error;
    const newline = error.newline ? "\n" : "";
    return {
      kind: "refused",
      text: `${error.message}${newline}Try "help ${line.slice(0, nameEnd)}" for more information\n`,
      ...(error.aside === undefined ? {} : { aside: `${error.aside}\n` }),
    };
  }
}

/** Runs one line and prints its answer. Only a bug in moa itself throws. */
export async function executeLine(
  line: string,
  state: HmpState,
  context: MonitorContext,
  output: HmpOutput,
): Promise<void> {
  const parsed = parseLine(line, state);
  if (parsed.kind === "empty") return;
  if (parsed.kind === "refused") {
    if (parsed.aside !== undefined) output.host(parsed.aside);
    return output.print(parsed.text);
  }
  const { command, values } = parsed;
  const twin = command.hmp!;
  const wasRunning = context.machine.isRunning;
  try {
    const result = await command.run(context, values);
    twin.print?.(output, result, values, context);
  } catch (error) {
    const { text, hint } = explain(error);
    output.print(`${twin.errorPrefix ?? "Error: "}${text}\n`);
    if (hint !== undefined) output.print(`${hint}\n`);
    // A loadvm that fails leaves it so, as in QEMU.
    if (!state.strict && wasRunning && !context.machine.isRunning) output.print(STANDS_STILL);
  }
}

const STANDS_STILL = "The machine stands still now; 'cont' lets it go on.\n";

/** A command's name ends at white space or at the slash of a format. */
function readName(cursor: Cursor): string {
  const start = cursor.at;
  while (cursor.at < cursor.text.length && cursor.text[cursor.at] !== "/" && !isSpace(cursor.text[cursor.at])) {
    cursor.at++;
  }
  return cursor.text.slice(start, cursor.at);
}
