/**
 * Installs Red Hat Enterprise Linux 5 or 6 (i386) from its medium onto a new disk, unattended, and proves that it starts.
 *
 *     deno run -P=script scripts/install-rhel.ts --iso FILE --disk FILE.qcow2 [--size 20G] [--kickstart FILE]
 *                                                [--profile FILE.ts] [--tries N]
 *
 * Other installers need a profile: copy `profiles/rhel.ts`.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { BlockError, MachineError, MonitorError, parseSize, requirePermissions } from "../mod.ts";
import { install, InstallationError } from "./installer/install.ts";
import { MediumError } from "./installer/medium.ts";
import type { InstallerProfile } from "./installer/profile.ts";
import { ProgressLine } from "./installer/progress.ts";
import { profile as rhel } from "./profiles/rhel.ts";

const USAGE = "usage: deno run -P=script scripts/install-rhel.ts --iso FILE --disk FILE.qcow2 [--size 20G] " +
  "[--kickstart FILE] [--profile FILE.ts] [--tries N]";
const OPTIONS = ["iso", "disk", "size", "kickstart", "profile", "tries"];
const DEFAULT_SIZE = "20G";

/** A wrong command line. */
class UsageError extends Error {}

requirePermissions("script");
const output = {
  terminal: Deno.stdout.isTerminal(),
  write: (text: string) => void Deno.stdout.writeSync(new TextEncoder().encode(text)),
};
const progress = new ProgressLine(output, () => performance.now());
try {
  const wanted = await readArguments(Deno.args);
  const version = await install({ ...wanted, progress });
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
  console.error(`install-rhel: ${(error as Error).message}`);
  Deno.exit(1);
}

function isExpected(error: unknown): boolean {
  return [InstallationError, MediumError, BlockError, MachineError, MonitorError].some((kind) =>
    error instanceof kind
  ) ||
    (error instanceof Error && (error.name === "WiringError" || error instanceof Deno.errors.NotFound));
}

async function readArguments(args: readonly string[]) {
  const { _: words, ...given } = parseArgs(args, { string: OPTIONS });
  const unknown = Object.keys(given).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no option --${unknown}`);
  if (words.length > 0) throw new UsageError(`'${words[0]}' is no option`);
  const text = (name: string) => typeof given[name] === "string" && given[name] !== "" ? given[name] : undefined;
  const [iso, disk] = [text("iso"), text("disk")];
  if (iso === undefined || disk === undefined) throw new UsageError("--iso and --disk are needed");
  const tries = Number(text("tries") ?? "2");
  if (!Number.isSafeInteger(tries) || tries < 1 || tries > 10) throw new UsageError("--tries is a number from 1 to 10");
  const kickstart = text("kickstart");
  return {
    iso,
    disk,
    tries,
    sizeBytes: sizeOf(text("size") ?? DEFAULT_SIZE),
    answers: kickstart === undefined ? undefined : await Deno.readTextFile(kickstart),
    profile: await profileOf(text("profile")),
  };
}

function sizeOf(text: string): number {
  try {
    return parseSize(text, "size");
  } catch {
    throw new UsageError(`--size wants a size such as 20G, not '${text}'`);
  }
}

async function profileOf(path: string | undefined): Promise<InstallerProfile> {
  if (path === undefined) return rhel;
  const loaded = await import(new URL(path, `file://${Deno.cwd()}/`).href).catch((error) => {
    throw new UsageError(`--profile ${path}: ${(error as Error).message}`);
  });
  if (loaded.profile === undefined) throw new UsageError(`--profile ${path}: it exports no 'profile'`);
  return loaded.profile as InstallerProfile;
}
