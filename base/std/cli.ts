/**
 * What moa uses of `@std/cli`: {@link parseArgs}, for moa's own scripts.
 *
 * QEMU-style command lines are not parsed with this; they follow getopt, whose messages people rely on. Left out of
 * std's function: `collect`, `negatable`, `unknown`, dotted keys.
 *
 * @module
 */

/** Which options there are and of what type; everything else stays a string or, without a value, `true`. */
export interface ParseOptions {
  readonly boolean?: readonly string[];
  readonly string?: readonly string[];
  readonly alias?: Readonly<Record<string, string>>;
  readonly default?: Readonly<Record<string, unknown>>;
  /** Everything from the first word that is no option on stays in `_`. */
  readonly stopEarly?: boolean;
  /** Words after `--` go to the property `--` instead of `_`. */
  readonly "--"?: boolean;
}

/** The words that are no options in `_`, the others by name. */
export interface Args {
  _: (string | number)[];
  "--"?: string[];
  [name: string]: unknown;
}

/** Parses `args` as `--name=value`, `--name value`, `-n value`, `-abc`, `--no-name`. */
export function parseArgs(args: readonly string[], options: ParseOptions = {}): Args {
  const out: Args = { _: [] };
  const booleans = new Set(options.boolean ?? []);
  const strings = new Set(options.string ?? []);
  const nameOf = (name: string) => options.alias?.[name] ?? name;
  for (const name of booleans) out[name] = false;
  for (const [name, value] of Object.entries(options.default ?? {})) out[name] = value;
  const set = (raw: string, value: string | boolean) => {
    const name = nameOf(raw);
    const typed = booleans.has(name)
      ? value !== "false" && value !== false
      : strings.has(name) || typeof value !== "string"
      ? (strings.has(name) && typeof value !== "string" ? "" : value)
      : numberOr(value);
    out[name] = typed;
    for (const [alias, target] of Object.entries(options.alias ?? {})) if (target === name) out[alias] = typed;
  };
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    const takesNext = (raw: string) =>
      !booleans.has(nameOf(raw)) && args[i + 1] !== undefined && !args[i + 1]!.startsWith("-");
    if (word === "--") {
      const rest = args.slice(i + 1);
      if (options["--"]) out["--"] = rest;
      else out._.push(...rest);
      break;
    }
    const long = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word);
    if (long !== null) {
      const [, name, value] = long;
      if (value !== undefined) set(name!, value);
      else if (name!.startsWith("no-")) set(name!.slice(3), false);
      else if (takesNext(name!)) set(name!, args[++i]!);
      else set(name!, true);
    } else if (/^-[^-]/.test(word)) {
      const letters = [...word.slice(1)];
      for (const letter of letters.slice(0, -1)) set(letter, true);
      const last = letters.at(-1)!;
      if (takesNext(last)) set(last, args[++i]!);
      else set(last, true);
    } else if (options.stopEarly) {
      out._.push(...args.slice(i));
      break;
    } else {
      out._.push(strings.has("_") ? word : numberOr(word));
    }
  }
  return out;
}

function numberOr(word: string): string | number {
  return /^(0x[0-9a-f]+|-?\d+(\.\d+)?(e[-+]?\d+)?)$/i.test(word) ? Number(word) : word;
}
