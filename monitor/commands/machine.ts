/**
 * The machine as a whole: run, stop, reset, boot order, what it is called and in which state it is.
 *
 * @module
 */
import type { RunState } from "../../machine/mod.ts";
import type { MonitorContext } from "../context.ts";
import { MonitorError } from "../errors.ts";
import { registersText } from "../format/cpu_registers.ts";
import { resetRegistersText } from "../format/registers.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";
import { PACKAGE_VERSION, QEMU_VERSION, qemuVersionText } from "../version.ts";

export const stop = command({
  name: "stop",
  summary: "Stops the machine; nothing is in flight when it answers.",
  arguments: {},
  // Where the machine has not run yet, or stands for a reason of its own, that state stays.
  run: ({ machine }): Promise<void> => machine.stop(),
  hmp: { names: "stop|s", parameters: "", help: "stop emulation" },
});

export const cont = command({
  name: "cont",
  summary: "Starts the machine, or lets it go on.",
  arguments: {},
  run({ machine }): Promise<void> {
    if (machine.runState === "shutdown" || machine.runState === "internal-error") {
      throw new MonitorError("Resetting the Virtual Machine is required");
    }
    return machine.cont();
  },
  hmp: { names: "cont|c", parameters: "", help: "resume emulation" },
});

export const systemReset = command({
  name: "system_reset",
  summary: "Presses the reset button.",
  arguments: {},
  run: ({ machine }): Promise<void> => machine.reset(),
  hmp: { names: "system_reset", parameters: "", help: "reset the system" },
});

export const systemPowerdown = command({
  name: "system_powerdown",
  summary: "Presses the power button; what comes of it is the guest's affair.",
  arguments: {},
  run: ({ machine }): void => machine.powerDown(),
  hmp: { names: "system_powerdown", parameters: "", help: "send system power down event" },
});

export const quit = command({
  name: "quit",
  summary: "Closes all images and ends the program.",
  arguments: {},
  run: (context): void => context.quit(),
  hmp: { names: "quit|q", parameters: "", help: "quit the emulator" },
});

const BOOT_DEVICES = /[^a-p]/;

export const bootSet = command({
  name: "boot_set",
  summary: "Sets the order in which the firmware looks for something to boot: a floppy, c disk, d CD, n network.",
  arguments: { order: arg.string() },
  run({ machine }, { order }): string {
    for (let i = 0; i < order.length; i++) {
      const letter = order[i]!;
      if (BOOT_DEVICES.test(letter)) throw new MonitorError(`Invalid boot device '${letter}'`);
      if (order.indexOf(letter) < i) throw new MonitorError(`Boot device '${letter}' was given twice`);
    }
    const trouble = machine.built.setBootOrder(order);
    if (trouble !== undefined) throw new MonitorError(trouble);
    return order;
  },
  hmp: {
    names: "boot_set",
    parameters: "bootdevice",
    help: "define new values for the boot device list",
    errorPrefix: "",
    print: (output, order) => output.print(`boot device list now set to ${order}\n`),
  },
});

export const infoStatus = command({
  name: "query-status",
  summary: "Whether the machine runs, and why not.",
  arguments: {},
  run: ({ machine }): { readonly running: boolean; readonly status: RunState } => ({
    running: machine.isRunning,
    status: machine.runState,
  }),
  hmp: {
    names: "status",
    group: "info",
    parameters: "",
    help: "show the current VM status (running|paused)",
    print: (output, { running, status }) => {
      const reason = running || status === "paused" ? "" : ` (${status})`;
      output.print(`VM status: ${running ? "running" : "paused"}${reason}\n`);
    },
  },
});

export const infoVersion = command({
  name: "query-version",
  summary: "Which QEMU this speaks like, and which moa it is.",
  arguments: {},
  run: () => ({ qemu: QEMU_VERSION, package: PACKAGE_VERSION }),
  hmp: {
    names: "version",
    group: "info",
    parameters: "",
    help: "show the version of QEMU",
    print: (output, version) => output.print(`${qemuVersionText()}${version.package}\n`),
  },
});

export const infoName = command({
  name: "query-name",
  summary: "What -name said.",
  arguments: {},
  run: ({ machine }: MonitorContext): string | undefined => machine.name,
  hmp: {
    names: "name",
    group: "info",
    parameters: "",
    help: "show the current VM name",
    print: (output, name) => {
      if (name !== undefined) output.print(`${name}\n`);
    },
  },
});

export const infoUuid = command({
  name: "query-uuid",
  summary: "What -uuid said; zeroes otherwise.",
  arguments: {},
  run: (context): string => context.uuid,
  hmp: {
    names: "uuid",
    group: "info",
    parameters: "",
    help: "show the current VM UUID",
    print: (output, uuid) => output.print(`${uuid}\n`),
  },
});

export const infoRegisters = command({
  name: "query-registers",
  summary: "The CPU's registers; without a CPU, those of one that was just switched on.",
  arguments: { all: arg.flag("a"), vcpu: arg.optional(arg.int32()) },
  run({ machine }, { vcpu }): string {
    if (vcpu !== undefined && vcpu !== 0n) throw new MonitorError(`CPU#${vcpu} not available`);
    const { cpu } = machine.accelerator;
    return cpu === undefined ? resetRegistersText() : registersText(cpu.registers());
  },
  hmp: {
    names: "registers",
    group: "info",
    parameters: "[-a|vcpu]",
    help: "show the cpu registers (-a: show register info for all cpus; vcpu: specific vCPU to query; " +
      "show the current CPU's registers if no argument is specified)",
    errorPrefix: "",
    print: (output, text) => output.print(text),
  },
});

export const infoHistory = command({
  name: "query-history",
  summary: "What was typed at this monitor.",
  arguments: {},
  run: (context): readonly string[] => context.session.history,
  hmp: {
    names: "history",
    group: "info",
    parameters: "",
    help: "show the command line history",
    print: (output, lines) => {
      lines.forEach((line, index) => output.print(`${index}: '${line}'\n`));
    },
  },
});
