/**
 * `help` and the bare `info`.
 *
 * @module
 */
import type { MonitorContext } from "../context.ts";
import { type HelpAnswer, helpFor } from "../hmp/help.ts";
import { arg } from "../schema/arguments.ts";
import { command, type HmpOutput } from "../schema/command.ts";
import { logItemsText } from "./trace.ts";

function printHelp(output: HmpOutput, answer: HelpAnswer): void {
  if (answer.kind === "lines") output.print(answer.lines.map((line) => `${line}\n`).join(""));
  else if (answer.kind === "log-items") output.print(logItemsText());
  else output.print(`unknown command: '${answer.words}'\n`);
}

export const help = command({
  name: "help",
  summary: "What commands there are, and how one is used.",
  arguments: { name: arg.optional(arg.rest("command")) },
  run: ({ registry }: MonitorContext, { name = "" }): HelpAnswer =>
    helpFor(registry, name.split(/\s+/).filter((word) => word !== "")),
  hmp: { names: "help|?", parameters: "[cmd]", help: "show the help", print: printHelp },
});

export const info = command({
  name: "info",
  summary: "What `info` can show.",
  arguments: { item: arg.optional(arg.rest("command")) },
  run: ({ registry }: MonitorContext): HelpAnswer => helpFor(registry, ["info"]),
  hmp: {
    names: "info",
    parameters: "[subcommand]",
    help: "show various information about the system state",
    print: printHelp,
  },
});
