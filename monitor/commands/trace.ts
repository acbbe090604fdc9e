/**
 * Watching: `log`, `logfile`, `trace-event`, `info trace-events`.
 *
 * @module
 */
import type { MonitorContext } from "../context.ts";
import { MonitorError } from "../errors.ts";
import { LOG_ITEMS } from "../log.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

/** What `log help` and `help log` print. */
export function logItemsText(): string {
  const lines = [{ name: "none", help: "remove all logs" }, ...LOG_ITEMS, {
    name: "trace:PATTERN",
    help: "enable trace events",
  }].map(({ name, help }) => `${name.padEnd(15)} ${help}\n`);
  return `Log items (comma separated):\n${lines.join("")}\nUse "log trace:help" to get a list of trace events.\n\n`;
}

/** What `log` came to. */
export type LogAnswer =
  | { readonly kind: "set"; readonly items: readonly string[] }
  | { readonly kind: "unknown" }
  | { readonly kind: "trace-list"; readonly names: readonly string[] };

export const log = command({
  name: "log",
  summary: "Switches what is logged; trace:PATTERN switches trace events on.",
  arguments: { items: arg.string() },
  run(context, { items }): LogAnswer {
    const { trace } = context.machine;
    if (items === "none") {
      context.log.setItems([]);
      return { kind: "set", items: [] };
    }
    const wanted = items.split(",");
    const known: string[] = [];
    for (const item of wanted) {
      if (item === "trace:help") return { kind: "trace-list", names: trace.list().map(({ name }) => name) };
      if (item.startsWith("trace:") && item.length > "trace:".length) trace.set(item.slice("trace:".length), true);
      else if (item === "all") known.push(...LOG_ITEMS.map(({ name }) => name));
      else if (LOG_ITEMS.some(({ name }) => name === item)) known.push(item);
      else return { kind: "unknown" };
    }
    context.log.setItems(known);
    return { kind: "set", items: known };
  },
  hmp: {
    names: "log",
    parameters: "item1[,...]",
    help: "activate logging of the specified items",
    print: (output, answer) => {
      if (answer.kind === "unknown") output.print(logItemsText());
      else if (answer.kind === "trace-list") output.print(answer.names.map((name) => `${name}\n`).join(""));
    },
  },
});

export const logfile = command({
  name: "logfile",
  summary: "Names the file that the log and trace events are written to.",
  arguments: { filename: arg.file() },
  run: (context, { filename }): void => context.log.setFile(filename),
  hmp: { names: "logfile", parameters: "filename", help: "output logs to 'filename'", errorPrefix: "" },
});

/** No event of a machine with one CPU belongs to a CPU. */
function refuseCpu(context: MonitorContext, name: string, vcpu: bigint | undefined): void {
  if (vcpu === undefined) return;
  if (vcpu !== 0n) throw new MonitorError(`invalid vCPU index ${BigInt.asIntN(32, vcpu)}`);
  if (!isPattern(name) && context.machine.trace.list(name).length > 0) {
    throw new MonitorError(`event "${name}" is not vCPU-specific`);
  }
}

function isPattern(name: string): boolean {
  return name.includes("*") || name.includes("?");
}

function requireEvent(context: MonitorContext, name: string): void {
  if (!isPattern(name) && context.machine.trace.list(name).length === 0) {
    throw new MonitorError(`unknown event "${name}"`);
  }
}

export const traceEvent = command({
  name: "trace-event",
  summary: "Switches trace events on or off.",
  arguments: { name: arg.string("trace-event"), enable: arg.onOff(), vcpu: arg.optional(arg.int32()) },
  run(context, { name, enable, vcpu }): number {
    refuseCpu(context, name, vcpu);
    requireEvent(context, name);
    return vcpu === undefined ? context.machine.trace.set(name, enable) : 0;
  },
  hmp: {
    names: "trace-event",
    parameters: "name on|off [vcpu]",
    help: "changes status of a specific trace event (vcpu: vCPU to set, default is all)",
    errorPrefix: "",
  },
});

export const infoTraceEvents = command({
  name: "query-trace-events",
  summary: "Trace events and whether they are on.",
  arguments: { name: arg.optional(arg.string("trace-event")), vcpu: arg.optional(arg.int32()) },
  run(context, { name = "*", vcpu }): readonly { readonly name: string; readonly enabled: boolean }[] {
    refuseCpu(context, name, vcpu);
    requireEvent(context, name);
    if (vcpu !== undefined) return [];
    // The youngest first, as QEMU lists them.
    return context.machine.trace.list(name).map((event) => ({ name: event.name, enabled: event.enabled })).reverse();
  },
  hmp: {
    names: "trace-events",
    group: "info",
    parameters: "[name] [vcpu]",
    help: "show available trace-events & their state (name: event name pattern; vcpu: vCPU to query, default is any)",
    errorPrefix: "",
    print: (output, events) => {
      for (const { name, enabled } of events) output.print(`${name} : state ${enabled ? 1 : 0}\n`);
    },
  },
});
