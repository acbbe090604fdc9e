/**
 * C's getopt as the GNU library does it: options may stand anywhere, `-qv` is two, `-P5` is one with a value.
 *
 * @module
 */

/** Options in the order in which they were written, and the other words. */
export interface ParsedOptions {
  readonly options: readonly { readonly letter: string; readonly value: string | undefined }[];
  readonly rest: readonly string[];
}

/** Reads `words` by `spec` (`"bcP:q"`: a colon follows those that take a value). The result is a text where it fails. */
export function getopt(name: string, words: readonly string[], spec: string): ParsedOptions | string {
  const options: { letter: string; value: string | undefined }[] = [];
  const rest: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--") return { options, rest: [...rest, ...words.slice(i + 1)] };
    if (!word.startsWith("-") || word === "-") {
      rest.push(word);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      const known = letter === ":" ? -1 : spec.indexOf(letter);
      if (known < 0) return `${name}: invalid option -- '${letter}'`;
      if (spec[known + 1] !== ":") {
        options.push({ letter, value: undefined });
        continue;
      }
      const value = at + 1 < word.length ? word.slice(at + 1) : words[++i];
      if (value === undefined) return `${name}: option requires an argument -- '${letter}'`;
      options.push({ letter, value });
      break;
    }
  }
  return { options, rest };
}
