/**
 * Interrupt controllers: what they hold, and how often each line has risen.
 *
 * @module
 */
import type { InterruptControllers, LocalApicView } from "../../machine/mod.ts";
import { MonitorError } from "../errors.ts";
import { interruptCountsText, localApicText, picText } from "../format/interrupts.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

export const infoPic = command({
  name: "query-pic",
  summary: "The 8259s and the I/O APIC, the CPU's own where it brings them.",
  arguments: {},
  run: ({ machine }): InterruptControllers => machine.built.interruptControllers(),
  hmp: {
    names: "pic",
    group: "info",
    parameters: "",
    help: "show PIC state",
    print: (output, controllers) => output.print(picText(controllers)),
  },
});

export const infoLapic = command({
  name: "query-lapic",
  summary: "The CPU's local APIC; without a CPU, one that was just switched on.",
  arguments: { id: arg.optional(arg.int32()) },
  run({ machine }, { id }): LocalApicView {
    if (id !== undefined && id !== 0n) throw new MonitorError("No CPU available");
    return machine.built.interruptControllers().localApic;
  },
  hmp: {
    names: "lapic",
    group: "info",
    parameters: "[apic-id]",
    help: "show local apic state (apic-id: local apic to read, default is which of current CPU)",
    errorPrefix: "",
    print: (output, apic) => output.print(localApicText(apic)),
  },
});

export const infoIrq = command({
  name: "query-irq",
  summary: "How often each of the 24 interrupt lines has risen since the machine was built.",
  arguments: {},
  run: ({ machine }): readonly number[] => machine.built.interruptCounts(),
  hmp: {
    names: "irq",
    group: "info",
    parameters: "",
    help: "show the interrupts statistics (if available)",
    print: (output, counts) => output.print(interruptCountsText(counts)),
  },
});
