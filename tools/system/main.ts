/**
 * `moa system`, known as `qemu-system-x86_64`: a command line becomes a machine with its monitor.
 *
 * Source: behaviour of qemu-system-x86_64 7.2.
 *
 * @module
 */
import type { AcceleratorWish } from "../../machine/mod.ts";
import type { StandardStreams } from "../../machine/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { chooseAccelerator } from "./accelerators.ts";
import { CommandLineError, readArguments } from "./arguments.ts";
import { daemonize, daemonPipe } from "./daemon.ts";
import { checkMachine } from "./machine_values.ts";
import { say } from "./messages.ts";
import { readSettings } from "./read_settings.ts";
import { defaultSettings, type Settings } from "./settings.ts";

/** Names of errors that users cause; others are bugs. */
const OPERATING = [
  "BlockError",
  "MonitorError",
  "MachineError",
  "PropertyError",
  "OptionError",
  "WiringError",
  "ChardevError",
];

/**
 * Runs one command line without the program's name; resolves to the exit status when the machine has ended.
 *
 * `streams` is what a monitor on stdio talks over, where that is not the process's own input and output.
 */
export async function main(program: Program, args: readonly string[], streams?: StandardStreams): Promise<number> {
  const settings = defaultSettings();
  try {
    readSettingsOf(args, settings, program);
    if (settings.listing !== undefined) {
      sayNotes(settings, program);
      const { showListing } = await import("./listings.ts");
      showListing(settings.listing, program);
      return 0;
    }
    if (settings.daemonOrigin !== undefined && daemonPipe() === undefined) {
      // What there is to say the second process says.
      return await daemonize(program, settings.daemonOrigin);
    }
    sayNotes(settings, program);
    checkMachine(settings);
    const { runMachine } = await import("./run.ts");
    return await runMachine(settings, program, { streams, drivesOpen: () => prepare(settings, program) });
  } catch (error) {
    if (error instanceof Exit) return error.code;
    return report(program, error);
  }
}

function readSettingsOf(args: readonly string[], settings: Settings, program: Program): void {
  try {
    readSettings(readArguments(args), settings);
  } catch (error) {
    sayNotes(settings, program);
    throw error;
  }
}

function sayNotes(settings: Settings, program: Program): void {
  for (const { text, origin } of settings.notes.splice(0)) say(program, text, origin);
}

/** Accelerator and CPU: QEMU looks at them when the drives are open. */
function prepare(settings: Settings, program: Program): AcceleratorWish | undefined {
  const accelerator = chooseAccelerator(settings, (line) => program.line(line));
  readCpu(settings, program);
  return accelerator;
}

function readCpu(settings: Settings, program: Program): void {
  if (settings.cpus > 1) program.error(`warning: -smp ${settings.cpus}: the machine gets one CPU`);
  const { cpuModel } = settings;
  if (cpuModel === undefined) return;
  const model = cpuModel.split(",", 1)[0]!;
  if (!CPU_MODELS.test(model)) settings.lateFailure ??= new CommandLineError(`unable to find CPU model '${model}'`);
  else program.error(`warning: -cpu ${model}: the CPU is what it is, a Pentium 4 of 32 bits with SSE3`);
}

/** Names of QEMU's x86 models, of any version. */
const CPU_MODELS = new RegExp(
  "^(486|athlon|base|max|host|n270|phenom|pentium[23]?|coreduo|core2duo|kvm(32|64)|qemu(32|64)|Conroe|Penryn|Nehalem|" +
    "Westmere|SandyBridge|IvyBridge|Haswell|Broadwell|Skylake-(Client|Server)|Cascadelake-Server|Cooperlake|" +
    "Icelake-Server|SapphireRapids|Snowridge|KnightsMill|Denverton|Opteron_G[1-5]|EPYC(-Rome|-Milan)?|Dhyana)" +
    "(-IBRS|-noTSX|-IBPB)*(-v\\d+)?$",
);

function report(program: Program, error: unknown): number {
  if (error instanceof CommandLineError) {
    say(program, error.message, error.origin ?? (program.strict ? undefined : error.unnamed));
    if (error.advice !== undefined && !program.strict) program.line(error.advice);
    if (error.hint !== undefined) {
      // A second message, or advice.
      if (error.origin !== undefined && error.hint.startsWith(error.origin)) program.error(error.hint);
      else program.line(error.hint);
    }
    return 1;
  }
  if (!(error instanceof Error) || !OPERATING.includes(error.name)) throw error;
  if (error.name === "MachineError") say(program, error.message);
  else program.report("", error);
  return 1;
}
