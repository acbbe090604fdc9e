/**
 * Values of options that describe the machine as a whole: `-m`, `-smp`, `-boot`, `-machine`, `-rtc`, `-name`, `-uuid`.
 *
 * Source: behaviour of QEMU 7.2, the texts of its refusals.
 *
 * @module
 */
import { QemuOpts } from "../../base/keyval.ts";
import { parseKeyval } from "../../base/keyval_tree.ts";
import { parseSize } from "../../base/sizes.ts";
import { MiB } from "../../base/units.ts";
import { parseUuid } from "../../base/uuid.ts";
import { type InstructionClock, OPTION_GROUPS } from "../../machine/mod.ts";
import { CommandLineError } from "./arguments.ts";
import type { ClockSettings, Settings } from "./settings.ts";

const MAX_CPUS = 255;
const MAX_BOOT_TIME_MS = 0xffff;
const MACHINE = "pc-i440fx-7.2";
const ENTRY_POINT_TYPE = "smbios-entry-point-type";
const MACHINE_NAMES = ["pc", MACHINE];

/** Properties of QEMU's pc, with the values that can be had here. */
const MACHINE_PROPERTIES: Readonly<Record<string, readonly string[]>> = {
  "acpi": ["on", "off", "auto"],
  "default-bus-bypass-iommu": ["off"],
  "dump-guest-core": ["on", "off"],
  "fd-bootchk": ["on"],
  "graphics": ["on", "off"],
  "hpet": ["on", "off"],
  "i8042": ["on"],
  "kernel-irqchip": ["off"],
  "mem-merge": ["on", "off"],
  "nvdimm": ["off"],
  "pit": ["on"],
  "sata": ["on"],
  "smbios-entry-point-type": ["32", "64"],
  "smbus": ["on"],
  "smm": ["on", "auto"],
  "suppress-vmdesc": ["on", "off"],
  "usb": ["off"],
  "vmport": ["on", "auto"],
};

/** `-m`: MiB, or `size=`. */
export function readMemory(text: string, settings: Settings): void {
  const options = QemuOpts.parse(text, {
    impliedKey: "size",
    table: { ...OPTION_GROUPS.memory, size: "string" }, // of MiB where it does not say
  });
  const size = options.get("size");
  const bytes = size === undefined ? undefined : parseSize(size, "size", "m");
  const maximum = options.getSize("maxmem");
  const ram = bytes || 128 * MiB;
  if (maximum !== undefined && maximum < ram) {
    throw new CommandLineError(
      `invalid value of maxmem: maximum memory size (0x${maximum.toString(16)}) must be at least the initial ` +
        `memory size (0x${ram.toString(16)})`,
    );
  }
  if ((maximum ?? ram) > ram) throw new CommandLineError("memory cannot be added later: maxmem= above size=");
  settings.ramBytes = ram;
}

/** `-smp`: how many CPUs; moa has one. */
export function readSmp(text: string, settings: Settings): void {
  const values = leaves(text, "cpus", "smp", Object.keys(OPTION_GROUPS["smp-opts"]));
  const numbers = new Map([...values].map(([name, value]) => [name, integer(value, `smp.${name}`)]));
  if ([...numbers.values()].includes(0)) {
    settings.notes.push({
      text: "warning: Deprecated CPU topology (considered invalid): CPU topology parameters must be greater than zero",
    });
  }
  if ((numbers.get("clusters") ?? 1) > 1) {
    throw new CommandLineError("clusters not supported by this machine's CPU topology");
  }
  settings.cpus = cpusOf(numbers);
}

/**
 * How many CPUs a topology begins with. What was not said is filled in, cores first, then sockets, then threads, so that
 * all together are `maxcpus`.
 *
 * @throws CommandLineError where they are not, as QEMU 7.2 has it
 */
function cpusOf(said: ReadonlyMap<string, number>): number {
  const number = (name: string) => said.get(name) || 0;
  let [sockets, cores, threads] = [number("sockets"), number("cores"), number("threads")];
  const dies = number("dies") || 1;
  let maximum = number("maxcpus") || number("cpus");
  if (maximum === 0) [sockets, cores, threads] = [sockets || 1, cores || 1, threads || 1];
  else if (cores === 0) {
    [sockets, threads] = [sockets || 1, threads || 1];
    cores = Math.floor(maximum / (sockets * dies * threads));
  } else if (sockets === 0) {
    threads ||= 1;
    sockets = Math.floor(maximum / (dies * cores * threads));
  }
  threads ||= Math.floor(maximum / (sockets * dies * cores));
  const total = sockets * dies * cores * threads;
  maximum ||= total;
  const cpus = number("cpus") || maximum;
  const hierarchy = `sockets (${sockets}) * dies (${dies}) * cores (${cores}) * threads (${threads})`;
  if (total !== maximum) {
    throw new CommandLineError(
      `Invalid CPU topology: product of the hierarchy must match maxcpus: ${hierarchy} != maxcpus (${maximum})`,
    );
  }
  if (maximum < cpus) {
    throw new CommandLineError(
      "Invalid CPU topology: maxcpus must be equal to or greater than smp: " +
        `${hierarchy} == maxcpus (${maximum}) < smp_cpus (${cpus})`,
    );
  }
  if (maximum > MAX_CPUS) {
    throw new CommandLineError(
      `Invalid SMP CPUs ${maximum}. The max CPUs supported by machine '${MACHINE}' is ${MAX_CPUS}`,
    );
  }
  return cpus;
}

/** `-boot`. */
export function readBoot(text: string, settings: Settings): void {
  const values = leaves(text, "order", "boot", Object.keys(OPTION_GROUPS["boot-opts"]));
  const milliseconds = (name: string, least: number) => {
    const value = values.get(name);
    const number = value === undefined ? undefined : integer(value, `boot.${name}`);
    if (number !== undefined && !(number >= least && number <= MAX_BOOT_TIME_MS)) {
      const text = `${name.replace("reboot-", "reboot ")} is invalid,it should be a value between ${least} and 65535`;
      settings.lateFailure ??= new CommandLineError(text);
    }
    return number;
  };
  const menu = values.get("menu");
  if (menu !== undefined) settings.bootMenu = switched(menu, "boot.menu");
  const strict = values.get("strict");
  if (strict !== undefined) settings.strictBoot = switched(strict, "boot.strict");
  settings.splash = values.get("splash") ?? settings.splash;
  settings.splashTimeMs = milliseconds("splash-time", 0) ?? settings.splashTimeMs;
  settings.rebootTimeoutMs = milliseconds("reboot-timeout", -1) ?? settings.rebootTimeoutMs;
  for (const name of ["order", "once"] as const) {
    const order = values.get(name);
    if (order === undefined) continue;
    checkOrder(order);
    if (name === "order") settings.bootOrder = order;
    else settings.bootOnce = order;
  }
}

function checkOrder(order: string): void {
  const seen = new Set<string>();
  for (const letter of order) {
    if (letter < "a" || letter > "p") throw new CommandLineError(`Invalid boot device '${letter}'`);
    if (seen.has(letter)) throw new CommandLineError(`Boot device '${letter}' was given twice`);
    seen.add(letter);
  }
}

/** `-machine`: collected first, judged by {@link checkMachine} when all is read. */
export function readMachine(text: string, settings: Settings): void {
  const { tree, helpWanted } = parseKeyval(text, { impliedKey: "type", helpAllowed: true });
  if (helpWanted || tree.type === "help" || tree.type === "?") {
    settings.listing ??= { kind: "machine" };
    return;
  }
  for (const [name, value] of Object.entries(tree)) {
    if (name === "type") settings.machineType = String(value);
    else if (typeof value === "string") settings.machineProperties.set(name, value);
  }
}

/** Whether a part of the board that can be left out is there: `-machine hpet=off`. */
export function hasBoardPart(settings: Settings, name: "acpi" | "hpet"): boolean {
  return plainSwitch(settings.machineProperties.get(name) ?? "on") !== "off";
}

/** The width of addresses in SMBIOS's entry point. */
export function smbiosEntryPointBits({ machineProperties }: Settings): 32 | 64 {
  return machineProperties.get(ENTRY_POINT_TYPE) === "64" ? 64 : 32;
}

function plainSwitch(value: string): string {
  return { yes: "on", true: "on", y: "on", no: "off", false: "off", n: "off" }[value] ?? value;
}

/** Refuses machines, accelerators and properties that are not to be had. */
export function checkMachine(settings: Settings): void {
  const { machineType, machineProperties, kernel } = settings;
  for (const name of ["append", "initrd"] as const) {
    if (kernel !== undefined || settings[name] === undefined) continue;
    throw new CommandLineError(`-${name} only allowed with -kernel option`);
  }
  if (machineType !== undefined && !MACHINE_NAMES.includes(machineType)) {
    const hint = "Use -machine help to list supported machines";
    throw new CommandLineError("unsupported machine type", undefined, hint, { unnamed: `-machine ${machineType}` });
  }
  for (const [name, value] of machineProperties) {
    if (name === "accel") continue;
    const harmless = MACHINE_PROPERTIES[name];
    if (harmless === undefined) throw new CommandLineError(`Property '${MACHINE}-machine.${name}' not found`);
    if (name === ENTRY_POINT_TYPE && !harmless.includes(value)) {
      throw new CommandLineError(`Parameter '${name}' does not accept value '${value}'`);
    }
    if (!harmless.includes(plainSwitch(value))) {
      throw new CommandLineError(`-machine ${name}=${value} is not available in moa`);
    }
  }
}

/** The shift that QEMU's `shift=auto` begins with. */
const AUTO_SHIFT = 3;
const MAX_SHIFT = 10;

/** `-icount`. */
export function readInstructionClock(text: string): InstructionClock {
  const options = QemuOpts.parse(text, { impliedKey: "shift", table: OPTION_GROUPS.icount });
  const shift = options.get("shift") ?? "auto";
  const number = shift === "auto" ? AUTO_SHIFT : /^\d+$/.test(shift) ? Number(shift) : NaN;
  if (!(number <= MAX_SHIFT)) throw new CommandLineError("icount: Invalid shift value");
  if (options.getBool("align") === true) throw new CommandLineError("-icount align=on is not available in moa");
  if (options.has("rr")) {
    throw new CommandLineError("-icount rr= is not available in moa: there is no record and replay yet");
  }
  return { shift: number, sleep: options.getBool("sleep") ?? true };
}

/** `-seed`: 64 bits, decimal, hexadecimal or octal, of which 53 count. */
export function readSeed(text: string): number {
  const [, digits] = /^\s*\+?(0x[\da-f]+|0[0-7]*|[1-9]\d*)$/i.exec(text) ?? [];
  const seed = digits === undefined ? -1n : BigInt(/^0\d/.test(digits) ? `0o${digits}` : digits);
  if (seed < 0n || seed >> 64n !== 0n) throw new CommandLineError(`Invalid seed number: ${text}`);
  return Number(BigInt.asUintN(53, seed));
}

/** `-rtc`. */
export function readClock(text: string, settings: Settings): void {
  const options = QemuOpts.parse(text, { table: OPTION_GROUPS.rtc });
  const clock = options.get("clock") ?? "host";
  if (clock !== "host" && clock !== "rt" && clock !== "vm") {
    throw new CommandLineError(`invalid option value '${clock}'`);
  }
  const driftfix = options.get("driftfix") ?? "none";
  if (driftfix === "slew") {
    const text = "warning: -rtc driftfix=slew: clock interrupts that a guest misses are not made up for";
    settings.notes.push({ text });
  } else if (driftfix !== "none") throw new CommandLineError(`invalid option value '${driftfix}'`);
  settings.clock = { base: clockBase(options.get("base") ?? "utc"), clock };
}

function clockBase(text: string): ClockSettings["base"] {
  if (text === "utc" || text === "localtime") return text;
  const match = /^\d{4}-\d{1,2}-\d{1,2}(T\d{1,2}:\d{2}:\d{2})?$/.exec(text);
  const time = match === null ? NaN : Date.parse(`${text}${match[1] === undefined ? "T00:00:00" : ""}Z`);
  if (Number.isNaN(time)) {
    throw new CommandLineError(
      "invalid datetime format",
      undefined,
      "valid formats: '2006-06-17T16:01:21' or '2006-06-17'",
    );
  }
  return time / 1000;
}

/** `-name`. */
export function readName(text: string, settings: Settings): void {
  const options = QemuOpts.parse(text, { impliedKey: "guest", table: OPTION_GROUPS.name });
  settings.name = options.get("guest");
  if (options.getBool("debug-threads") === true) {
    settings.notes.push({ text: "warning: -name debug-threads=on: there are no threads to be named" });
  }
  if (options.has("process")) settings.notes.push({ text: "warning: -name process=: the process keeps its name" });
}

/** `-uuid`. */
export function readUuid(text: string): Uint8Array {
  const bytes = parseUuid(text);
  if (bytes === undefined) throw new CommandLineError("failed to parse UUID string: wrong format");
  return bytes;
}

/** Keys and values by the strict rules; those that are not known are "unexpected". */
function leaves(text: string, impliedKey: string, group: string, known: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  const { tree } = parseKeyval(text, { impliedKey });
  for (const [name, value] of Object.entries(tree)) {
    if (!known.includes(name) || typeof value !== "string") {
      throw new CommandLineError(`Parameter '${group}.${name}' is unexpected`);
    }
    values.set(name, value);
  }
  return values;
}

function integer(text: string, name: string): number {
  const value = /^[+-]?(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw new CommandLineError(`Parameter '${name}' expects integer`);
  return value;
}

function switched(text: string, name: string): boolean {
  if (["on", "yes", "true", "y"].includes(text)) return true;
  if (["off", "no", "false", "n"].includes(text)) return false;
  throw new CommandLineError(`Parameter '${name}' expects 'on' or 'off'`);
}
