/**
 * An installation from start to end: disk, installer, dialogue, snapshots, the first start of what was installed.
 *
 * ```
 * disk made, snapshot "empty" ── installer: dialogue ── ends ── snapshot "installed" ── first start ── "login:"
 *        ^                            │ fails                         ^                     │ fails
 *        └────────── applied, again ──┘                               └── applied, again ───┘
 * ```
 * Who resumes begins at the last snapshot that the disk has. A disk without "installed" is made again: there is nothing on
 * it worth keeping, and nobody knows how a process ended that flushed nothing.
 *
 * While the installer writes nothing is flushed (`cache=unsafe`): what is lost then is installed again. The first start
 * runs with `cache=writeback`.
 *
 * @module
 */
import { buildCpio, buildFat, createImage, type MediaFiles, openImage, Vm, WaitError } from "../../mod.ts";
import { readMedium } from "./medium.ts";
import type { InstallerProfile } from "./profile.ts";
import type { ProgressLine } from "./progress.ts";

/** What is wanted. */
export interface Installation {
  readonly profile: InstallerProfile;
  readonly iso: string;
  readonly disk: string;
  readonly sizeBytes: number;
  /** The user's answers; the profile's own where absent. */
  readonly answers: string | undefined;
  /** How often each part is tried. */
  readonly tries: number;
  /** A disk of that name is replaced; else it stays, and nothing is done. */
  readonly overwrite?: boolean;
  /** A disk that was begun before is gone on with from its last snapshot. */
  readonly resume?: boolean;
  readonly progress: ProgressLine;
  /** Ends it in the middle; the reason is what is thrown. */
  readonly signal?: AbortSignal;
  /** Called once the disk is there. */
  readonly diskMade?: () => void;
}

/** An installation that did not succeed; the message says where it stood. */
export class InstallationError extends Error {
  override readonly name = "InstallationError";
  /** Another try would end in the same way. */
  readonly isFinal: boolean;

  constructor(message: string, options: { readonly isFinal?: boolean; readonly cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.isFinal = options.isFinal ?? false;
  }
}

const MS_PER_MINUTE = 60_000;
const DEFAULT_MINUTES = 30;
const LAST_WORDS_MS = 500;
const LINES_OF_EVIDENCE = 20;
const EMPTY = "empty";
const INSTALLED = "installed";

/** Installs; resolves to the version of what was installed. */
export async function install(wanted: Installation): Promise<string> {
  const { profile, iso, disk, sizeBytes, progress } = wanted;
  const begun = await checkDisk(wanted);
  progress.say(`looking at ${iso}`);
  const { version, kernel, initrd } = await readMedium(iso, profile);
  if (begun?.isInstalled) {
    progress.say(`${profile.name} ${version}; going on from snapshot '${INSTALLED}' of ${disk}`);
    wanted.diskMade?.();
    await goBack(disk, INSTALLED);
  } else {
    progress.say(`${profile.name} ${version}; making ${disk}`);
    await createImage({ filename: disk, format: "qcow2", size: begun?.sizeBytes ?? sizeBytes });
    wanted.diskMade?.();
    await snapshot(disk, EMPTY);
    await fromMedium(wanted, kernel, initrd);
    await snapshot(disk, INSTALLED);
  }
  const { installed } = profile;
  if (installed !== undefined) {
    await attempt(wanted, "the first start", INSTALLED, () => startInstalled(wanted, installed));
  }
  return version;
}

/** The files for the installer, and the installer itself. @throws {InstallationError} */
async function fromMedium(wanted: Installation, kernel: Uint8Array, initrd: Uint8Array): Promise<void> {
  const { profile } = wanted;
  const folder = await Deno.makeTempDir({ prefix: "moa-install-" });
  try {
    const files = { kernel: `${folder}/vmlinuz`, initrd: `${folder}/initrd.img`, floppy: `${folder}/answers.img` };
    await Deno.writeFile(files.kernel, kernel);
    const answers = wanted.answers ?? profile.answers;
    await Deno.writeFile(files.initrd, withFiles(initrd, profile.initrdFiles?.(answers)));
    await Deno.writeFile(files.floppy, buildFat(profile.floppy(answers)));
    await attempt(wanted, "the installation", EMPTY, () => runInstaller(wanted, files));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A disk that an earlier run left. */
interface BegunDisk {
  readonly sizeBytes: number;
  readonly isInstalled: boolean;
}

/** Nobody loses a disk by a slip: what there is to go on with, if anything. @throws {InstallationError} */
async function checkDisk({ iso, disk, overwrite, resume }: Installation): Promise<BegunDisk | undefined> {
  const refuse = (reason: string) => {
    throw new InstallationError(`'${disk}' ${reason}`, { isFinal: true });
  };
  const there = await Deno.stat(disk).catch((error) => error instanceof Error ? error : new Error(String(error)));
  if (there instanceof Deno.errors.NotFound) return undefined;
  const medium = await Deno.realPath(iso).catch(() => undefined);
  if (medium !== undefined && await Deno.realPath(disk).catch(() => undefined) === medium) {
    refuse("is the medium itself");
  }
  // What Deno does not look at is there all the same: a device.
  if (!(there instanceof Error) && there.isDirectory) refuse("is a folder; a disk is a file");
  if (overwrite) return undefined;
  if (!resume) {
    refuse("is there already: name another disk, or say --resume to go on with it, or --overwrite to replace it");
  }
  await using image = await openImage(disk, { format: "qcow2" });
  const names = image.snapshots.map(({ name }) => name);
  if (!names.includes(EMPTY)) {
    refuse(`was not begun by an installation: it has no snapshot '${EMPTY}'; --overwrite replaces it`);
  }
  return { sizeBytes: image.sizeBytes, isInstalled: names.includes(INSTALLED) };
}

/** An initial RAM disk with `files` behind what it has: the kernel looks for another archive at a multiple of 4 bytes. */
function withFiles(initrd: Uint8Array, files: MediaFiles | undefined): Uint8Array {
  if (files === undefined) return initrd;
  const more = buildCpio(files);
  const whole = new Uint8Array(Math.ceil(initrd.length / 4) * 4 + more.length);
  whole.set(initrd);
  whole.set(more, whole.length - more.length);
  return whole;
}

/** Runs `work`; where it fails, goes back to a snapshot and tries again. @throws {InstallationError} in the end */
async function attempt(wanted: Installation, what: string, back: string, work: () => Promise<void>): Promise<void> {
  for (let left = wanted.tries - 1;; left--) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof WaitError) && !(error instanceof InstallationError)) throw error;
      if (error instanceof InstallationError && error.isFinal) throw error;
      if (left <= 0) throw new InstallationError(`${what} did not succeed: ${error.message}`, { cause: error });
      wanted.progress.say(`${what} did not succeed (${firstLine(error)}); back to snapshot '${back}' and again`);
      await goBack(wanted.disk, back);
    }
  }
}

async function goBack(disk: string, name: string): Promise<void> {
  await using image = await openImage(disk);
  await image.applySnapshot(name);
}

async function snapshot(disk: string, name: string): Promise<void> {
  await using image = await openImage(disk);
  await image.takeSnapshot(name);
}

/** The installer, from its kernel's start to the moment when it restarts the machine. */
async function runInstaller(
  { profile, iso, disk, progress, signal: wanted }: Installation,
  files: { readonly kernel: string; readonly initrd: string; readonly floppy: string },
): Promise<void> {
  await using vm = await Vm.start({
    accel: "v86",
    kernel: files.kernel,
    initrd: files.initrd,
    append: profile.append,
    memory: profile.memoryMiB,
    drives: [
      `file=${escaped(disk)},format=qcow2,if=ide,index=0,cache=unsafe`,
      `file=${escaped(iso)},format=raw,if=ide,index=2,media=cdrom,readonly=on`,
      `file=${escaped(files.floppy)},format=raw,if=floppy,index=0`,
    ],
    noReboot: true,
    paused: true,
  });
  const ended = vm.event("SHUTDOWN", { timeoutMs: 24 * 60 * MS_PER_MINUTE }).then(() => "ended" as const);
  const over = new AbortController();
  const follow = followProgress(vm, profile, progress, over.signal);
  const signal = AbortSignal.any([brokenDisk(vm, disk, over.signal), ...(wanted === undefined ? [] : [wanted])]);
  try {
    await vm.cont();
    await converse(vm, profile, progress, { ended, signal });
    await withLimit(ended, DEFAULT_MINUTES, "the installer to restart the machine", signal);
  } finally {
    over.abort();
    await follow;
    // Where the dialogue failed nobody waits for this any more.
    ended.catch(() => {});
  }
}

/** Aborted where the disk cannot be written and the machine stands still for it: its file system is full, most often. */
export function brokenDisk(vm: Vm, disk: string, over: AbortSignal): AbortSignal {
  const broken = new AbortController();
  const watch = async () => {
    for (;;) {
      const { action, operation, reason } = await vm.event("BLOCK_IO_ERROR", { timeoutMs: Infinity, signal: over });
      if (action !== "stop") continue;
      const message = `'${disk}' could not be ${operation === "read" ? "read" : "written"}: ${reason}`;
      broken.abort(new InstallationError(message, { isFinal: true }));
    }
  };
  watch().catch(() => {
    // The installation is over, the machine has gone.
  });
  return broken.signal;
}

/** Goes through a dialogue in order; optional steps are passed over when the one behind them comes. */
async function converse(
  vm: Vm,
  { dialogue, failure }: InstallerProfile,
  progress: ProgressLine,
  { ended, signal }: { readonly ended: Promise<"ended">; readonly signal: AbortSignal },
): Promise<void> {
  for (let index = 0; index < dialogue.length;) {
    // This step, or any behind it as far as those before that are optional.
    let last = index;
    while (dialogue[last]?.optional && last + 1 < dialogue.length) last++;
    const expected = dialogue.slice(index, last + 1);
    const minutes = Math.max(...expected.map((step) => step.minutes ?? DEFAULT_MINUTES));
    const patterns = [
      ...expected.map(({ waitFor }) => grouped(waitFor)),
      ...(failure ? [`(?i:${failure.source})`] : []),
    ];
    const pattern = new RegExp(patterns.join("|"));
    progress.say(`waiting for: ${expected.map(({ says }) => says).join(", or ")}`);
    const controller = new AbortController();
    const said = vm.serial.waitFor(pattern, {
      timeoutMs: minutes * MS_PER_MINUTE,
      signal: AbortSignal.any([controller.signal, signal]),
    });
    let first = await Promise.race([said, ended]);
    if (first === "ended") {
      // What was said last may come after the news that the machine has ended.
      const late = setTimeout(() => controller.abort(), LAST_WORDS_MS);
      const last = await said.catch(() => undefined).finally(() => clearTimeout(late));
      if (last === undefined) {
        throw new InstallationError(`the machine ended while it was waited for: ${expected[0]!.says}`);
      }
      first = last;
    }
    const { text } = first;
    const found = expected.findIndex(({ waitFor }) => waitFor.test(text));
    if (found < 0 && failure !== undefined) {
      const lines = vm.serial.lines(LINES_OF_EVIDENCE).map((line) => `\n  ${line}`).join("");
      throw new InstallationError(`the installer said '${text}'; its last lines:${lines}`);
    }
    const step = expected[Math.max(0, found)]!;
    progress.say(step.says);
    const { answer } = step;
    if (answer !== undefined) await vm.serial.send(typeof answer === "string" ? answer : answer(text));
    index += Math.max(0, found) + 1;
  }
}

/** A pattern as a part of another one: that it takes upper and lower case for the same goes with it. */
function grouped({ source, ignoreCase }: RegExp): string {
  return `(?${ignoreCase ? "i" : ""}:${source})`;
}

/** Shows what the installer tells of how far it is. */
async function followProgress(
  vm: Vm,
  { progress: pattern }: InstallerProfile,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<void> {
  const look = new RegExp(pattern.source, pattern.flags.includes("g") ? pattern.flags : `${pattern.flags}g`);
  while (!signal.aborted) {
    const found = [...vm.serial.lines(50).join("\n").matchAll(look)].at(-1);
    if (found !== undefined) {
      const [done, all] = [Number(found[1]), Number(found[2] ?? 100)];
      if (all > 0 && done <= all) line.at(done / all);
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 500);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      }, { once: true });
    });
  }
}

/** Starts what was installed and waits until it says that it is up. */
async function startInstalled({ profile, disk, progress, signal }: Installation, installed: RegExp): Promise<void> {
  progress.say("starting what was installed");
  await using vm = await Vm.start({
    accel: "v86",
    memory: profile.memoryMiB,
    boot: "c",
    drives: [`file=${escaped(disk)},format=qcow2,if=ide,index=0,cache=writeback`],
  });
  const over = new AbortController();
  const broken = brokenDisk(vm, disk, over.signal);
  await vm.serial.waitFor(installed, {
    timeoutMs: DEFAULT_MINUTES * MS_PER_MINUTE,
    signal: AbortSignal.any([broken, ...(signal === undefined ? [] : [signal])]),
  }).finally(() => over.abort());
  progress.say("it is up");
  await vm.monitor("system_powerdown");
}

async function withLimit<T>(work: Promise<T>, minutes: number, what: string, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    timer = setTimeout(
      () => reject(new InstallationError(`${what}: not within ${minutes} minutes`)),
      minutes * MS_PER_MINUTE,
    );
  });
  return await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

/** A file name inside of options: commas are doubled. */
function escaped(name: string): string {
  return name.replaceAll(",", ",,");
}

function firstLine(error: Error): string {
  return error.message.split("\n", 1)[0]!;
}
