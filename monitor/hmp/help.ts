/**
 * What `help`, `help command` and `info` print: one line for each command, as its declaration says.
 *
 * @module
 */
import type { CommandRegistry, HmpEntry } from "../schema/registry.ts";

/** What `help` answers: lines, or the words that name no command. */
export type HelpAnswer =
  | { readonly kind: "lines"; readonly lines: readonly string[] }
  | { readonly kind: "log-items" }
  | { readonly kind: "unknown"; readonly words: string };

/** Help for `words`; none for all commands. */
export function helpFor(registry: CommandRegistry, words: readonly string[]): HelpAnswer {
  const [first, second] = words;
  if (first === undefined) return { kind: "lines", lines: registry.table().map((entry) => helpLine(entry)) };
  if (first === "log" && registry.find("log") !== undefined) return { kind: "log-items" };
  if (first === "info") {
    const table = registry.table("info");
    if (second === undefined) return { kind: "lines", lines: table.map((entry) => helpLine(entry, "info ")) };
    const entry = registry.find(second, "info");
    if (entry === undefined) return { kind: "unknown", words: `info ${second}` };
    return { kind: "lines", lines: [helpLine(entry, "info ")] };
  }
  const entry = registry.find(first);
  if (entry === undefined) return { kind: "unknown", words: first };
  return { kind: "lines", lines: [helpLine(entry)] };
}

/** `eject [-f] device -- eject a removable medium (use -f to force it)`. */
function helpLine(entry: HmpEntry, prefix = ""): string {
  const { parameters, help } = entry.command.hmp!;
  return `${prefix}${entry.names} ${parameters} -- ${help}`;
}
