/**
 * Cuts a command line into options as qemu-system-x86_64 does: names in full after one dash or two, values in the next
 * word, and one word without a dash is a disk.
 *
 * Source: behaviour of QEMU 7.2.
 *
 * @module
 */
import { suggest } from "../common/suggest.ts";
import { OPTIONS } from "./option_table.ts";

/** One option as it was written. */
export interface WrittenOption {
  /** Without its dashes; `""` for a positional image. */
  readonly name: string;
  readonly value: string;
  /** What error messages begin with: `-drive file=a.img`. */
  readonly origin: string;
}

/** A command line that cannot be understood, or a wish that cannot be met. */
export class CommandLineError extends Error {
  override readonly name = "CommandLineError";
  readonly origin: string | undefined;
  /** Lines after the message, without the program's name. */
  readonly hint: string | undefined;
  /** What would help; not said under a QEMU name. */
  readonly advice: string | undefined;
  /** The option that it is about, where QEMU does not name it; not said under a QEMU name either. */
  readonly unnamed: string | undefined;

  constructor(
    message: string,
    origin?: string,
    hint?: string,
    more: { readonly advice?: string | undefined; readonly unnamed?: string | undefined } = {},
  ) {
    super(message);
    this.origin = origin;
    this.hint = hint === "" ? undefined : hint;
    this.advice = more.advice;
    this.unnamed = more.unnamed;
  }
}

/** @throws CommandLineError at the first word that is no option of QEMU's */
export function readArguments(args: readonly string[]): WrittenOption[] {
  const options: WrittenOption[] = [];
  const words = [...args];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (!word.startsWith("-")) {
      options.push({ name: "", value: word, origin: word });
      continue;
    }
    const name = word.replace(/^--?/, "");
    const row = OPTIONS.get(name);
    if (row === undefined) throw new CommandLineError("invalid option", word, undefined, { advice: didYouMean(name) });
    if (!row.takesValue) {
      options.push({ name, value: "", origin: word });
      continue;
    }
    const value = words.shift();
    if (value === undefined) throw new CommandLineError("requires an argument", word);
    options.push({ name, value, origin: `${word} ${value}` });
  }
  return options;
}

/** The option that was meant, perhaps with its value joined by an equals sign. */
function didYouMean(name: string): string | undefined {
  const [word = "", value] = name.split("=", 2);
  const known = OPTIONS.has(word) ? word : suggest(word, [...OPTIONS.keys()]);
  if (known === undefined) return "Options are listed by -help.";
  return `Did you mean '-${known}${value === undefined ? "" : ` ${value}`}'?`;
}
