/**
 * Command lines as glibc's getopt_long reads them, since QEMU's tools do and their messages are relied upon.
 *
 * Options and operands may be mixed; `--` ends the options; short options join (`-qf raw`, `-fraw`); long ones take `=`
 * or the next word, may be abbreviated while that is unambiguous, and tell what they are by their short letter or name.
 * Left out: optional arguments of short options, POSIXLY_CORRECT, `-W`.
 *
 * Source: getopt_long(3).
 *
 * @module
 */

/** A long option; `is` is what it stands for: a short letter or a name. */
export interface LongOption {
  readonly is: string;
  readonly takesValue: boolean;
}

/** What a program's options are: letters, each with a colon behind it if it takes a value, and long names. */
export interface OptionSpec {
  readonly short: string;
  readonly long: Readonly<Record<string, LongOption>>;
}

/** One option as it came, or what is wrong: `word` is the word that QEMU shows in its message, `letter` the bad letter. */
export type FoundOption =
  | { readonly kind: "option"; readonly is: string; readonly value: string }
  | { readonly kind: "unknown" | "missing"; readonly word: string; readonly letter?: string };

/** All options in order, then the operands. */
export interface ParsedArguments {
  readonly options: readonly FoundOption[];
  readonly operands: readonly string[];
}

/**
 * Reads `args`; stops at the first thing that is wrong, which is then the last of `options`. `command` is the word before
 * them: of a bad letter that is not its word's last, QEMU shows the word before.
 */
export function getopt(args: readonly string[], spec: OptionSpec, command = ""): ParsedArguments {
  const options: FoundOption[] = [];
  const operands: string[] = [];
  const words = [...args];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--") {
      operands.push(...words);
      break;
    }
    if (word.startsWith("--")) options.push(longOption(word, words, spec));
    else if (word.startsWith("-") && word !== "-") {
      const before = args[args.length - words.length - 2] ?? command;
      options.push(...shortOptions(word, words, spec, before));
    } else operands.push(word);
    if (options.at(-1)?.kind !== "option" && options.length > 0) break;
  }
  return { options, operands };
}

function longOption(word: string, words: string[], spec: OptionSpec): FoundOption {
  const [, name, value] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(word)!;
  const exact = Object.hasOwn(spec.long, name!) ? [name!] : [];
  const names = exact.length > 0 ? exact : Object.keys(spec.long).filter((known) => known.startsWith(name!));
  const found = names.map((known) => spec.long[known]!);
  // Abbreviations of two names for the same option are no contradiction.
  if (found[0] === undefined || found.some((other) => other.is !== found[0]!.is)) return { kind: "unknown", word };
  const { is, takesValue } = found[0];
  if (!takesValue) return value === undefined ? { kind: "option", is, value: "" } : { kind: "unknown", word };
  const given = value ?? words.shift();
  return given === undefined ? { kind: "missing", word } : { kind: "option", is, value: given };
}

function shortOptions(word: string, words: string[], spec: OptionSpec, before: string): FoundOption[] {
  const found: FoundOption[] = [];
  for (let i = 1; i < word.length; i++) {
    const letter = word[i]!;
    const at = letter === ":" ? -1 : spec.short.indexOf(letter);
    if (at < 0) {
      const shown = i + 1 < word.length && before !== "" ? before : word;
      return [...found, { kind: "unknown", word: shown, letter }];
    }
    if (spec.short[at + 1] !== ":") {
      found.push({ kind: "option", is: letter, value: "" });
      continue;
    }
    const given = i + 1 < word.length ? word.slice(i + 1) : words.shift();
    found.push(given === undefined ? { kind: "missing", word } : { kind: "option", is: letter, value: given });
    break;
  }
  return found;
}
