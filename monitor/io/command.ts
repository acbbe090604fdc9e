/**
 * What a command of qemu-io is, and what it works with.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { parseSizeText } from "../../base/sizes.ts";
import type { BlockBackend } from "../../block/mod.ts";
import type { IoBackground } from "./background.ts";
import { getopt } from "./getopt.ts";

/** Where commands write. */
export interface IoOutput {
  /** To standard output. */
  print(text: string): void;
  /** To standard error, as it is. */
  error(text: string): void;
  /** To who asked: a monitor, or a tool's standard output. */
  show(text: string): void;
  /** A message that a tool puts its name before, and a monitor shows to who asked. Without a newline. */
  report(text: string): void;
}

/** What commands work on. */
export interface IoContext {
  readonly backend: BlockBackend;
  readonly output: IoOutput;
  /** Times requests. */
  readonly clock: Clock;
  readonly table: readonly IoCommand[];
  /** Requests that `aio_...` began, and their texts. */
  readonly background: IoBackground;
  /** Nobody but these commands sends requests. */
  readonly alone?: boolean;
  /** Reads, of the file that `write -s` fills from, the first bytes. @throws an error whose message is strerror's */
  readonly readFile: (filename: string, maxBytes: number) => Promise<Uint8Array>;
  /** What `abort` and `sigraise` do, where the program lets them. */
  readonly raise?: (signal: number | "abort") => void;
}

/** A command. */
export interface IoCommand {
  readonly name: string;
  readonly alias?: string;
  /** As `help` shows them; absent for none. */
  readonly parameters?: string;
  readonly help: string;
  /** What `help NAME` says further; lines with their newlines. */
  readonly longHelp?: string;
  readonly minArguments: number;
  /** Absent: as many as one likes. */
  readonly maxArguments?: number;
  /** Letters as getopt takes them. Absent: words are not looked at. */
  readonly options?: string;
  /** Changes the image. */
  readonly writes?: boolean;
  /** Waits for nothing: meanwhile nothing is heard of requests in the background. */
  readonly immediate?: boolean;
  /** Works without an open image. */
  readonly withoutImage?: boolean;
  /** Says whether it succeeded. */
  run(io: IoContext, call: IoCall): Promise<boolean> | boolean;
}

/** A command's words, read. */
export interface IoCall {
  readonly command: IoCommand;
  has(letter: string): boolean;
  /** The last value of an option. */
  value(letter: string): string | undefined;
  /** Letters as they were written. */
  readonly letters: readonly string[];
  readonly words: readonly string[];
}

/** A command that stops with a message; it goes to standard output. */
export class IoRefusal extends Error {
  override readonly name = "IoRefusal";
}

/** The largest request of QEMU's block layer, in bytes. */
export const MAX_REQUEST_BYTES = 2147483136;

/** One line of `help`. */
export function helpLine(command: IoCommand): string {
  return `${command.name} ${command.parameters === undefined ? "" : `${command.parameters} `}-- ${command.help}\n`;
}

/** A number with a suffix. */
export function parseNumber(text: string): number {
  const size = parseSizeText(text);
  if (size.kind === "size" && size.bytes < 1n << 63n) return Number(size.bytes);
  if (size.kind === "invalid") {
    throw new IoRefusal(`Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- ${text}`);
  }
  throw new IoRefusal(`Parsing error: argument too large -- ${text}`);
}

/** A request's length; `without` is what longer ones would take. */
export function parseLength(text: string, without = ""): number {
  const length = parseNumber(text);
  if (length > MAX_REQUEST_BYTES) {
    throw new IoRefusal(`length cannot exceed ${MAX_REQUEST_BYTES}${without}, given ${text}`);
  }
  return length;
}

/** A byte to fill with. */
export function parsePattern(text: string): number {
  const value = /^(?:0[xX][0-9a-fA-F]+|0|[1-9]\d*)$/.test(text)
    ? Number(text)
    : /^0[0-7]+$/.test(text)
    ? parseInt(text, 8)
    : -1;
  if (!(value >= 0 && value <= 0xff)) throw new IoRefusal(`${text} is not a valid pattern byte`);
  return value;
}

/** Runs one line of text; says whether it succeeded. */
export async function runIoLine(io: IoContext, line: string): Promise<boolean> {
  const [name, ...words] = line.split(" ").filter((word) => word !== "");
  if (name === undefined) return true;
  const command = io.table.find((one) => one.name === name || one.alias === name);
  if (command === undefined) {
    io.output.error(`command "${name}" not found\n`);
    return false;
  }
  const { minArguments: least, maxArguments: most } = command;
  if (words.length < least || words.length > (most ?? Infinity)) {
    const expected = most === undefined
      ? `at least ${least}`
      : least === most
      ? `${least}`
      : `between ${least} and ${most}`;
    io.output.error(`bad argument count ${words.length} to ${name}, expected ${expected} arguments\n`);
    return false;
  }
  if (command.writes && io.backend.isInserted && io.backend.readOnly) {
    io.output.report("Block node is read-only");
    return false;
  }
  const call = readWords(io, command, name, words);
  if (call === undefined) return false;
  io.background.speaker = io.output.print;
  try {
    return await command.run(io, call);
  } catch (error) {
    if (!(error instanceof IoRefusal)) throw error;
    io.output.print(`${error.message}\n`);
    return false;
  }
}

function readWords(io: IoContext, command: IoCommand, name: string, words: string[]): IoCall | undefined {
  const parsed = command.options === undefined ? { options: [], rest: words } : getopt(name, words, command.options);
  if (typeof parsed === "string") {
    io.output.error(`${parsed}\n`);
    io.output.print(helpLine(command));
    return undefined;
  }
  return {
    command,
    has: (letter) => parsed.options.some((option) => option.letter === letter),
    value: (letter) => parsed.options.findLast((option) => option.letter === letter)?.value,
    letters: parsed.options.map((option) => option.letter),
    words: parsed.rest,
  };
}

/** Prints how the command is used; what it returns is for `run`. */
export function usage(io: IoContext, call: IoCall): false {
  io.output.print(helpLine(call.command));
  return false;
}
