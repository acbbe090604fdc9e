/**
 * The protocol's own commands: what was agreed, what there is, and the way to the prompt.
 *
 * @module
 */
import { MonitorError } from "../../errors.ts";
import { empty, int, list, oneOf, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { promptOf } from "../context.ts";
import { describeSchema } from "../introspection.ts";
import { schemaInfo } from "../types/schema.ts";
import { versionInfo } from "../server.ts";

export const qmpCapabilities = qmpCommand({
  name: "qmp_capabilities",
  summary: "Agrees on what the client can do; all other commands are known after it only.",
  data: struct({ enable: optional(list(oneOf("oob"))) }),
  run({ session }, { enable }) {
    session.outOfBand = enable?.includes("oob") ?? false;
    session.negotiated = true;
  },
});

export const queryVersion = qmpCommand({
  name: "query-version",
  summary: "Which QEMU this speaks like, and which moa it is.",
  data: empty,
  returns: struct({ qemu: struct({ major: int, minor: int, micro: int }), package: str }),
  run: () => versionInfo(),
});

export const queryCommands = qmpCommand({
  name: "query-commands",
  summary: "The names of all commands.",
  data: empty,
  returns: list(struct({ name: str })),
  run: ({ registry }) => registry.commands.map(({ name }) => ({ name })).reverse(),
});

export const queryQmpSchema = qmpCommand({
  name: "query-qmp-schema",
  summary: "All commands, events and types.",
  data: empty,
  returns: schemaInfo,
  run: ({ registry }) => describeSchema(registry) as never,
});

export const quit = qmpCommand({
  name: "quit",
  summary: "Closes all images and ends the program.",
  data: empty,
  run: (context) => context.quit(),
});

export const humanMonitorCommand = qmpCommand({
  name: "human-monitor-command",
  summary: "Types a line at the prompt; what it prints is the answer.",
  data: struct({ "command-line": str, "cpu-index": optional(int) }),
  returns: str,
  features: ["savevm-monitor-nodes"],
  // The prompt takes its turn in the queue by itself.
  ownQueue: true,
  async run(context, { "command-line": line, "cpu-index": cpu = 0 }) {
    if (cpu !== 0) throw new MonitorError("Parameter 'cpu-index' expects a CPU number");
    let text = "";
    const add = (more: string) => void (text += more);
    await promptOf(context).session().execute(line, { print: add, host: add, hostError: add });
    return text.replaceAll("\n", "\r\n");
  },
});
