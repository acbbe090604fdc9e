/**
 * The machine as a whole: run, stop, reset, power, and what it is called.
 *
 * Source: qapi/run-state.json, qapi/machine.json, qapi/misc.json.
 *
 * @module
 */
import * as hmp from "../../commands/machine.ts";
import { bool, empty, oneOf, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { type MachineQmpContext, promptOf } from "../context.ts";
import type { MonitorContext } from "../../context.ts";

/** What the prompt's commands get, which do the work. */
function contextOf(context: MachineQmpContext): MonitorContext {
  return promptOf(context).context([]);
}

export const stop = qmpCommand({
  name: "stop",
  summary: "Stops the machine; nothing is in flight when it answers.",
  data: empty,
  run: (context) => hmp.stop.run(contextOf(context), {}),
});

export const cont = qmpCommand({
  name: "cont",
  summary: "Starts the machine, or lets it go on.",
  data: empty,
  run: (context) => hmp.cont.run(contextOf(context), {}),
});

export const systemReset = qmpCommand({
  name: "system_reset",
  summary: "Presses the reset button.",
  data: empty,
  run: (context) => hmp.systemReset.run(contextOf(context), {}),
});

export const systemPowerdown = qmpCommand({
  name: "system_powerdown",
  summary: "Presses the power button.",
  data: empty,
  run: (context) => hmp.systemPowerdown.run(contextOf(context), {}),
});

const runState = oneOf(
  "debug",
  "inmigrate",
  "internal-error",
  "io-error",
  "paused",
  "postmigrate",
  "prelaunch",
  "finish-migrate",
  "restore-vm",
  "running",
  "save-vm",
  "shutdown",
  "suspended",
  "watchdog",
  "guest-panicked",
  "colo",
);

export const queryStatus = qmpCommand({
  name: "query-status",
  summary: "Whether the machine runs, and why not.",
  data: empty,
  returns: struct({ running: bool, singlestep: bool, status: runState }),
  run(context) {
    const { machine } = contextOf(context);
    return { running: machine.isRunning, singlestep: false, status: machine.runState };
  },
});

export const queryName = qmpCommand({
  name: "query-name",
  summary: "What -name said.",
  data: empty,
  returns: struct({ name: optional(str) }),
  run: (context) => ({ name: contextOf(context).machine.name }),
});

export const queryUuid = qmpCommand({
  name: "query-uuid",
  summary: "What -uuid said; zeroes otherwise.",
  data: empty,
  returns: struct({ UUID: str }),
  run: (context) => ({ UUID: contextOf(context).uuid }),
});

export const queryKvm = qmpCommand({
  name: "query-kvm",
  summary: "Whether the CPU is the host's: never here.",
  data: empty,
  returns: struct({ enabled: bool, present: bool }),
  run: () => ({ enabled: false, present: false }),
});
