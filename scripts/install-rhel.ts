/**
 * Installs Red Hat Enterprise Linux 5 or 6 (i386) from its medium onto a new disk, unattended, and proves that it starts.
 *
 *     deno run -P=script scripts/install-rhel.ts --iso FILE --disk FILE.qcow2 [--size 20G] [--kickstart FILE]
 *                                                [--profile FILE.ts] [--tries N] [--resume | --overwrite]
 *
 * Other installers need a profile: copy `profiles/rhel.ts`.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { BlockError, MachineError, MiB, MonitorError, parseSize, requirePermissions } from "../mod.ts";
import { install, InstallationError } from "./installer/install.ts";
import { MediumError } from "./installer/medium.ts";
import type { InstallerProfile } from "./installer/profile.ts";
import { ProgressLine } from "./installer/progress.ts";
import { profile as rhel } from "./profiles/rhel.ts";

const USAGE = "usage: deno run -P=script scripts/install-rhel.ts --iso FILE --disk FILE.qcow2 [--size 20G] " +
  "[--kickstart FILE] [--profile FILE.ts] [--tries N] [--resume | --overwrite]";
const HELP = `${USAGE}

Installs Red Hat Enterprise Linux 5 or 6 (i386), unattended, and proves that it starts.

  --iso FILE        the installation medium
  --disk FILE       the disk that is made, a qcow2 image, with snapshots 'empty' and 'installed'
  --size SIZE       its size: 20G
  --kickstart FILE  answers in place of the built-in ones, which install the smallest system (password of root: moa)
  --profile FILE    another installer: copy scripts/profiles/rhel.ts
  --tries N         how often a part that fails is begun again: 2
  --resume          a disk that an earlier run left is gone on with, from its last snapshot
  --overwrite       a disk of that name is replaced
`;
const OPTIONS = ["iso", "disk", "size", "kickstart", "profile", "tries"];
const SWITCHES = ["resume", "overwrite", "help"];
const DEFAULT_SIZE = "20G";
const MIN_SIZE = 64 * MiB;
/** What fits on the floppy, and far more than anybody writes. */
const MAX_ANSWERS = MiB;
const INTERRUPTED = 130;

/** A wrong command line. */
class UsageError extends Error {}

requirePermissions("script");
if (Deno.args.some((word) => word === "--help" || word === "-h")) {
  console.log(HELP.trimEnd());
  Deno.exit(0);
}
const output = {
  terminal: Deno.stdout.isTerminal(),
  columns: () => {
    try {
      return Deno.consoleSize().columns;
    } catch {
      return 80; // the terminal has gone
    }
  },
  write: (text: string) => {
    try {
      Deno.stdout.writeSync(new TextEncoder().encode(text));
    } catch { /* nobody looks any more: a closed pipe, a terminal that has gone */ }
  },
};
const progress = new ProgressLine(output, () => performance.now());
Deno.unrefTimer(setInterval(() => progress.tick(), 1000));
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => {
    // Who says it twice wants it at once; a terminal that goes says it more than once.
    if (interruption.signal.aborted && signal !== "SIGHUP") Deno.exit(INTERRUPTED);
    interruption.abort(new InstallationError("interrupted", { isFinal: true }));
  });
}
let begun: string | undefined;
try {
  const wanted = await readArguments(Deno.args);
  const version = await install({
    ...wanted,
    progress,
    signal: interruption.signal,
    diskMade: () => begun = wanted.disk,
  });
  progress.end();
  console.log(
    `${wanted.profile.name} ${version} is on ${wanted.disk}, with snapshots 'empty' and 'installed'. Start it:\n` +
      `  deno task start -m ${wanted.profile.memoryMiB} -hda ${wanted.disk} -serial mon:stdio`,
  );
} catch (error) {
  progress.end();
  if (error instanceof UsageError) {
    console.error(`install-rhel: ${error.message}\n${USAGE}`);
    Deno.exit(2);
  }
  if (!isExpected(error)) throw error;
  console.error(`install-rhel: ${(error as Error).message.trimEnd()}`);
  if (begun !== undefined) {
    console.error(
      `'${begun}' is left as far as it came; --resume goes on from its last snapshot, --overwrite begins again.`,
    );
  }
  Deno.exit(interruption.signal.aborted ? INTERRUPTED : 1);
}
Deno.exit(0);

function isExpected(error: unknown): boolean {
  return [InstallationError, MediumError, BlockError, MachineError, MonitorError].some((kind) =>
    error instanceof kind
  ) ||
    (error instanceof Error && (error.name === "WiringError" || error instanceof Deno.errors.NotFound));
}

async function readArguments(args: readonly string[]) {
  const { _: words, ...given } = parseArgs(args, { string: OPTIONS, boolean: SWITCHES });
  const unknown = Object.keys(given).find((name) => ![...OPTIONS, ...SWITCHES].includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no option --${unknown}`);
  if (words.length > 0) throw new UsageError(`'${words[0]}' is no option`);
  const text = (name: string) => typeof given[name] === "string" && given[name] !== "" ? given[name] : undefined;
  const [iso, disk] = [text("iso"), text("disk")];
  if (iso === undefined || disk === undefined) throw new UsageError("--iso and --disk are needed");
  if (given.resume && given.overwrite) throw new UsageError("--resume and --overwrite are opposites: say one of them");
  const tries = Number(text("tries") ?? "2");
  if (!Number.isSafeInteger(tries) || tries < 1 || tries > 10) throw new UsageError("--tries is a number from 1 to 10");
  return {
    iso,
    disk,
    tries,
    sizeBytes: sizeOf(text("size") ?? DEFAULT_SIZE),
    resume: given.resume === true,
    overwrite: given.overwrite === true,
    answers: await answersOf(text("kickstart")),
    profile: await profileOf(text("profile")),
  };
}

function sizeOf(text: string): number {
  let size: number;
  try {
    size = parseSize(text, "size");
  } catch {
    throw new UsageError(`--size wants a size such as 20G, not '${text}'`);
  }
  if (size < MIN_SIZE) throw new UsageError(`--size ${text}: nothing can be installed in so little`);
  return size;
}

async function answersOf(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const bytes = await Deno.readFile(path).catch((error: Error) => {
    throw new UsageError(`--kickstart ${path}: ${error.message.replace(/ \(os error .*$/s, "")}`);
  });
  if (bytes.length === 0 || bytes.length > MAX_ANSWERS || bytes.includes(0)) {
    throw new UsageError(`--kickstart ${path}: this is no file of answers`);
  }
  return new TextDecoder().decode(bytes);
}

async function profileOf(path: string | undefined): Promise<InstallerProfile> {
  if (path === undefined) return rhel;
  const loaded = await import(new URL(path, `file://${Deno.cwd()}/`).href).catch((error) => {
    throw new UsageError(`--profile ${path}: ${(error as Error).message}`);
  });
  if (loaded.profile === undefined) throw new UsageError(`--profile ${path}: it exports no 'profile'`);
  return loaded.profile as InstallerProfile;
}
