/**
 * Runs a machine from its command line's settings until it ends: pid file, log, machine, monitors, signals.
 *
 * QEMU opens its monitor after the drives and before the devices; so what is wrong with a device is told after the
 * banner on standard output.
 *
 * @module
 */
import { HostClock } from "../../base/clocks.ts";
import { HostRandom, SeededRandom } from "../../base/random.ts";
import { readFileSync } from "../../base/read_file.ts";
import { TraceEvents } from "../../base/trace.ts";
import { KiB, MiB } from "../../base/units.ts";
import { uuidText } from "../../base/uuid.ts";
import type { FdSets } from "../../block/mod.ts";
import {
  type AcceleratorWish,
  ChardevError,
  ChardevSet,
  type LinuxFiles,
  MachineError,
  type MachineWishes,
  MuxChardev,
  standardDeviceTypes,
  type StandardStreams,
  StdioChardev,
  type WiredMachine,
  wireMachine,
  WiringError,
} from "../../machine/mod.ts";
import {
  denoLogHost,
  LOG_ITEMS,
  MachineDriveMaker,
  MonitorLog,
  openControl,
  openPrompt,
  PROMPT,
  qemuVersionText,
  readLinuxFiles,
  Vm,
} from "../../monitor/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { suggest } from "../common/suggest.ts";
import { CommandLineError } from "./arguments.ts";
import { checkCurses, openCurses } from "./curses.ts";
import { announceReady } from "./daemon.ts";
import { makeDemonstration } from "./demonstration/disk.ts";
import { completeMonitors } from "./chardevs.ts";
import { logItemsText } from "./listings.ts";
import { say } from "./messages.ts";
import { hasBoardPart, smbiosEntryPointBits } from "./machine_values.ts";
import { loadOptionRoms } from "./read_firmware.ts";
import { readSplash } from "./read_splash.ts";
import { takeDescriptors } from "./read_descriptors.ts";
import { PidFile } from "./pid_file.ts";
import type { Settings } from "./settings.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** What {@link runMachine} is given beside the settings. */
export interface RunSite {
  /** What a monitor on stdio talks over, where that is not the process's own input and output. */
  readonly streams: StandardStreams | undefined;
  /** Called when all drives are open, before the board is built: which accelerator. What it throws ends the program. */
  readonly drivesOpen: () => AcceleratorWish | undefined;
}

/** Builds the machine and lives as long as it does; resolves to the exit status. */
export async function runMachine(settings: Settings, program: Program, site: RunSite): Promise<number> {
  const warn = (text: string, origin?: string) => say(program, text, origin);
  await using resources = new AsyncDisposableStack();
  // First made and last undone: a second signal must not end a process that closes its images.
  const signals = resources.use(new DisposableStack());
  completeMonitors(settings);
  checkCurses(settings);
  if (settings.pidfile !== undefined) resources.use(new PidFile(settings.pidfile));
  const fdSets = resources.use(takeDescriptors(settings.descriptors));
  const chardevs = resources.use(await openChardevs(settings, program, site));
  const log = resources.use(new MonitorLog(denoLogHost()));
  if (settings.logFile !== undefined) log.setFile(settings.logFile);
  const trace = new TraceEvents();
  trace.sink = (line) => log.line(line);
  setLogItems(settings, log, trace, program);
  const drives = [...settings.drives];
  const hasDisk = drives.length + settings.blockdevs.length > 0 || settings.loadvm !== undefined;
  if (!program.strict && !hasDisk && settings.kernel === undefined && !settings.nodefaults) {
    const demonstration = await makeDemonstration();
    resources.defer(demonstration.remove);
    program.line(demonstration.advice);
    drives.push({ pairs: [{ name: "file", value: demonstration.filename }, { name: "format", value: "qcow2" }] });
  }
  const wishes = wishesOf(settings, drives, warn);
  const wired = await build(wishes, {
    program,
    trace,
    warn,
    chardevs,
    fdSets,
    settings,
    drivesOpen: site.drivesOpen,
  });
  const vm = resources.use(Vm.over({
    machine: wired.machine,
    qtest: wired.qtest,
    drives: new MachineDriveMaker(wired.machine, { unplugged: wired.unplugged }),
    chardevs,
    log,
    strict: program.strict,
    ...(settings.uuid === undefined ? {} : { uuid: uuidText(settings.uuid) }),
  }));
  for (const { pattern, origin } of settings.tracePatterns) {
    if (trace.list(pattern).length === 0 && !/[*?]/.test(pattern)) {
      warn(`warning: trace event '${pattern}' does not exist`, origin);
    }
  }
  return await serve(vm, settings, program, signals);
}

/** Monitors, signals and the guest's own wish to end. */
async function serve(
  vm: Vm,
  settings: Settings,
  program: Program,
  signals: DisposableStack,
): Promise<number> {
  await using resources = new AsyncDisposableStack();
  let failed = false;
  let isEnding = false;
  const end = () => {
    isEnding = true;
    void vm.quit();
  };
  for (const signal of SIGNALS) {
    const caught = () => {
      if (isEnding) return;
      program.error(`terminating on signal ${SIGNAL_NUMBERS[signal]}`);
      end();
    };
    Deno.addSignalListener(signal, caught);
    signals.defer(() => Deno.removeSignalListener(signal, caught));
  }
  const continued = () => {
    for (const device of vm.chardevs.list) if (device instanceof StdioChardev) device.continued();
  };
  Deno.addSignalListener("SIGCONT", continued);
  resources.defer(() => Deno.removeSignalListener("SIGCONT", continued));
  resources.defer(vm.machine.events.on("SHUTDOWN", ({ guest }) => {
    if (guest && !settings.noShutdown) end();
  }));
  if (settings.loadvm !== undefined) {
    try {
      await vm.loadvm(settings.loadvm);
    } catch (error) {
      if (promptIsPiped(vm.chardevs, settings)) program.out(`${banner()}${PROMPT}`);
      throw new CommandLineError((error as Error).message, undefined, undefined, {
        unnamed: `-loadvm ${settings.loadvm}`,
        advice: "Snapshots are listed by 'moa img snapshot -l FILE'.",
      });
    }
  }
  const onFailure = (error: unknown) => {
    failed = true;
    program.error(error instanceof Error ? error.stack ?? error.message : String(error));
    end();
  };
  // In QEMU ports come after prompts: what is typed goes to the port until Ctrl-a c.
  for (const id of [...settings.serials, ...settings.parallels]) {
    const device = id === undefined ? undefined : vm.chardevs.find(id);
    if (device instanceof MuxChardev) device.holdFocus();
  }
  for (const { chardev, origin, control } of settings.monitors) {
    try {
      const device = vm.chardevs.get(chardev);
      if (control === undefined) resources.use(await openPrompt(vm.hmp, device, { onInterrupt: end, onFailure }));
      else resources.use(openControl(vm.qmpServer, device, { pretty: control.pretty, onFailure }));
    } catch (error) {
      throw error instanceof ChardevError ? new CommandLineError(error.message, origin) : error;
    }
  }
  vm.chardevs.start();
  if (settings.display === "curses") resources.use(openCurses(vm, settings));
  if (!settings.paused && !vm.hmp.ended) await vm.cont();
  announceReady();
  await vm.closed;
  return failed ? 1 : 0;
}

interface BuildSite {
  readonly program: Program;
  readonly trace: TraceEvents;
  readonly warn: (text: string, origin?: string) => void;
  readonly chardevs: ChardevSet;
  readonly fdSets: FdSets;
  readonly settings: Settings;
  readonly drivesOpen: () => AcceleratorWish | undefined;
}

async function build(wishes: MachineWishes, site: BuildSite): Promise<WiredMachine> {
  const { program, trace, warn, chardevs, fdSets, settings } = site;
  try {
    return await wireMachine(wishes, {
      clocks: { realtime: new HostClock(), host: new HostClock({ sinceEpoch: true }) },
      random: settings.seed === undefined ? new HostRandom() : new SeededRandom(settings.seed),
      trace,
      chardevs,
      fdSets,
      warn,
      notice: (text) => program.line(text),
      formatting: (text) => program.outAtOnce(`${text}\n`),
      temporary: {
        create: () => Deno.makeTempFile({ prefix: "moa-", suffix: ".qcow2" }),
        remove: (filename) => Deno.remove(filename),
      },
      strict: program.strict,
      drivesOpen: () => {
        const accelerator = site.drivesOpen();
        if (settings.lateFailure !== undefined) throw settings.lateFailure;
        return accelerator;
      },
    });
  } catch (error) {
    if (error === settings.lateFailure && promptIsPiped(chardevs, settings)) program.out(`${banner()}${PROMPT}`);
    if (error instanceof WiringError) {
      if (error.stage === "devices" && promptIsPiped(chardevs, settings)) program.out(`${banner()}${PROMPT}`);
      throw new CommandLineError(error.message, error.origin, error.hint, { advice: deviceMeant(error.message) });
    }
    throw error;
  }
}

function deviceMeant(message: string): string | undefined {
  const typed = /^'(.*)' is not a valid device model name$/s.exec(message)?.[1];
  if (typed === undefined) return undefined;
  const names = standardDeviceTypes().list().filter(({ userCreatable }) => userCreatable).map(({ name }) => name);
  const known = suggest(typed, names);
  return known === undefined ? "Devices are listed by -device help." : `Did you mean '${known}'?`;
}

/** Whether the prompt is on standard input and output, and those are no terminal. */
function promptIsPiped(chardevs: ChardevSet, { monitors }: Settings): boolean {
  return monitors.some(({ chardev, control }) => {
    const device = chardevs.find(chardev);
    return control === undefined && device instanceof StdioChardev && !device.isTerminal;
  });
}

/** Opens all character devices, in order; a socket that waits holds up the others. @throws CommandLineError */
async function openChardevs(settings: Settings, program: Program, site: RunSite): Promise<ChardevSet> {
  await using undo = new AsyncDisposableStack();
  /** The option that is carried out. */
  let opening: string | undefined;
  const chardevs = undo.use(
    new ChardevSet({
      streams: site.streams ?? Deno,
      clock: new HostClock(),
      note: (text) => say(program, text, opening),
      ...(settings.escape === undefined ? {} : { escape: settings.escape }),
    }),
  );
  // Ports come last: where two want standard input and output, it is the port that cannot have it.
  const ordered = settings.chardevs.toSorted((a, b) => Number("failed" in a) - Number("failed" in b));
  for (const { id, wish, origin, failed } of ordered) {
    opening = origin;
    try {
      await chardevs.add(id, wish);
      const terminal = chardevs.terminalOf(id);
      if (terminal !== undefined) program.outAtOnce(`${terminal.announcement}\n`);
    } catch (error) {
      throw error instanceof ChardevError ? new CommandLineError(error.message, origin, failed ?? error.hint) : error;
    }
  }
  opening = undefined;
  for (const { id, failure } of settings.lateChecks) {
    if (chardevs.find(id) === undefined) settings.lateFailure ??= failure;
  }
  for (const { chardev, origin } of settings.monitors) {
    if (chardevs.find(chardev) !== undefined) continue;
    settings.lateFailure ??= new CommandLineError(`chardev "${chardev}" not found`, origin);
  }
  undo.move();
  return chardevs;
}

function banner(): string {
  return `QEMU ${qemuVersionText()} monitor - type 'help' for more information\r\n`;
}

function setLogItems(settings: Settings, log: MonitorLog, trace: TraceEvents, program: Program): void {
  if (settings.traceFile !== undefined) log.setFile(settings.traceFile);
  for (const { pattern } of settings.tracePatterns) trace.set(pattern, true);
  if (settings.logItems === undefined) return;
  const items = settings.logItems.split(",");
  for (const item of items) {
    if (item.startsWith("trace:") && item.length > "trace:".length) trace.set(item.slice("trace:".length), true);
    else if (item !== "all" && !LOG_ITEMS.some(({ name }) => name === item)) {
      program.out(logItemsText());
      throw new Exit(1);
    }
  }
  log.setItems(items.filter((item) => !item.startsWith("trace:")));
}

function wishesOf(
  settings: Settings,
  drives: Settings["drives"],
  warn: (text: string) => void,
): MachineWishes {
  const { ramBytes, bootOrder, bootOnce, name, uuid, bios, rebootTimeoutMs, clock } = settings;
  const startSeconds = startOfClock(settings);
  const splash = settings.splash === undefined ? undefined : readSplash(settings.splash, settings.dataFolders, warn);
  return {
    drives,
    blockdevs: settings.blockdevs,
    devices: settings.devices,
    globals: settings.globals,
    objects: settings.objects,
    serials: settings.serials,
    parallels: settings.parallels,
    vga: cardOf(settings),
    snapshot: settings.snapshot,
    nodefaults: settings.nodefaults,
    noReboot: settings.noReboot,
    firmwareItems: {
      bootMenu: settings.bootMenu,
      noGraphic: settings.nographic,
      acpi: hasBoardPart(settings, "acpi"),
      hpet: hasBoardPart(settings, "hpet"),
      acpiTables: settings.acpiTables,
      files: settings.firmwareFiles,
      optionRoms: loadOptionRoms(settings.optionRoms, settings.dataFolders, warn),
      smbios: { ...settings.smbios.wishes, entryPointBits: smbiosEntryPointBits(settings) },
      ...(uuid === undefined ? {} : { uuid }),
      ...(rebootTimeoutMs === undefined ? {} : { rebootTimeoutMs }),
      strictBoot: settings.strictBoot,
      skipsFloppyCheck: settings.skipsFloppyCheck,
      ...(settings.splashTimeMs === undefined ? {} : { splashTimeMs: settings.splashTimeMs }),
      ...(splash === undefined ? {} : { splash }),
    },
    ...(ramBytes === undefined ? {} : { ramBytes }),
    ...(bootOrder === undefined ? {} : { bootOrder }),
    ...(bootOnce === undefined ? {} : { bootOnce }),
    ...(name === undefined ? {} : { name }),
    dataFolders: settings.dataFolders,
    ...(bios === undefined ? {} : { firmware: readFirmware(bios, settings), firmwareName: bios }),
    ...linuxWish(settings),
    ...(startSeconds === undefined ? {} : { timeOfDay: { clock: CLOCKS[clock.clock], startSeconds } }),
  };
}

/** QEMU's default, unless `-device` brings one. */
function cardOf({ vga, nodefaults, devices }: Settings): "std" | "none" {
  const brought = devices.some(({ pairs }) => pairs.some(({ name, value }) => name === "driver" && value === "VGA"));
  return vga ?? (nodefaults || brought ? "none" : "std");
}

const CLOCKS = { host: "host", rt: "realtime", vm: "virtual" } as const;

/** The time of day at the start; `undefined` where it is the host's. */
function startOfClock({ clock }: Settings): number | undefined {
  if (typeof clock.base === "number") return clock.base;
  const now = new Date();
  if (clock.base === "localtime") return Math.floor(now.getTime() / 1000) - now.getTimezoneOffset() * 60;
  return clock.clock === "host" ? undefined : Math.floor(now.getTime() / 1000);
}

/** The room below 4 GiB that firmware may take. */
const MAX_FIRMWARE_BYTES = 16 * MiB;

const FIRMWARE_UNIT_BYTES = 64 * KiB;

/** What asks for moa's own firmware, unless a file is named so. */
const BUILT_IN = "built-in";

/** As it is named, or so named in one of the data folders; that there is none is told with what comes late. */
function readFirmware(filename: string, settings: Settings): Uint8Array | typeof BUILT_IN {
  const named = filename.includes("/") ? [] : [...settings.dataFolders, "/usr/share/seabios", "/usr/share/qemu"];
  let advice: string | undefined;
  for (const place of [filename, ...named.map((folder) => `${folder}/${filename}`)]) {
    try {
      const image = readFileSync(place, MAX_FIRMWARE_BYTES);
      if (image.length > 0 && image.length % FIRMWARE_UNIT_BYTES === 0) return image;
      advice = `It has ${image.length} bytes; a firmware has a multiple of 64 KiB.`;
      break;
    } catch { /* the next one */ }
  }
  if (filename === BUILT_IN && advice === undefined) return BUILT_IN;
  const message = `could not load PC BIOS '${filename}'`;
  settings.lateFailure ??= new CommandLineError(message, undefined, undefined, { advice });
  return BUILT_IN;
}

/** The files of `-kernel` and `-initrd`; that one cannot be read is told with what comes late. */
function linuxWish(settings: Settings): { readonly linux?: LinuxFiles } {
  const { kernel, initrd, append } = settings;
  if (kernel === undefined) return {};
  try {
    return { linux: readLinuxFiles({ kernel, initrd, append }) };
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    settings.lateFailure ??= new CommandLineError(error.message);
    return {};
  }
}
