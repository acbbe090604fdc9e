/**
 * Second lines: what would help somebody who reads a message. Under a QEMU name nothing of this is said.
 *
 * @module
 */
import { suggest } from "./suggest.ts";

/** Lines by what a message says. */
const LINES: readonly (readonly [RegExp, string])[] = [
  [/Failed to get (?:shared )?"\w+" lock/, "With -U an image is read although another process has it open."],
  [/^Invalid (?:source )?cache (?:mode|option)/, "Modes are none, writeback, writethrough, directsync and unsafe."],
  [/Block format 'raw' does not support/, "The format can be named with -f."],
  [/backing format must be specified|without backing format/, "Name the backing file's format with -F."],
];

/** What may be said below `message`, if anything. */
export function furtherLine(message: string): string | undefined {
  return LINES.find(([pattern]) => pattern.test(message))?.[1];
}

/** The option that was meant by `word`, which is none. */
export function nearestOption(word: string, long: readonly string[]): string | undefined {
  if (!word.startsWith("--")) return undefined;
  const near = suggest(word.slice(2).replace(/=.*$/s, ""), long);
  return near === undefined ? undefined : `Did you mean '--${near}'?`;
}
