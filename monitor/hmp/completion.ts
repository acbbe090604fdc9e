/**
 * What Tab offers: commands, what `info` and `help` know, drives, snapshots, trace events, files, keys of -drive.
 *
 * Where in a command's arguments the word stands is told by its declaration. Nothing here changes anything.
 *
 * @module
 */
import type { MonitorContext } from "../context.ts";
import { ioCommands } from "../io/mod.ts";
import type { Argument } from "../schema/arguments.ts";
import type { HmpEntry } from "../schema/registry.ts";
import type { Completion } from "./editor.ts";
import { completeFile } from "./file_names.ts";

/** Keys of -drive that people type most, with those of node options. */
export const DRIVE_KEYS: readonly string[] = [
  "aio=",
  "auto-read-only=",
  "backing.driver=",
  "backing.file.filename=",
  "bus=",
  "cache=",
  "cache.direct=",
  "cache.no-flush=",
  "cache.writeback=",
  "copy-on-read=",
  "detect-zeroes=",
  "discard=",
  "driver=",
  "file=",
  "file.driver=",
  "file.filename=",
  "file.locking=",
  "force-share=",
  "format=",
  "id=",
  "if=",
  "index=",
  "media=",
  "node-name=",
  "read-only=",
  "readonly=",
  "rerror=",
  "snapshot=",
  "unit=",
  "werror=",
];

const DRIVE_VALUES: Readonly<Record<string, readonly string[]>> = {
  aio: ["threads", "native", "io_uring"],
  cache: ["writeback", "writethrough", "none", "directsync", "unsafe"],
  "copy-on-read": ["on", "off"],
  "detect-zeroes": ["on", "off", "unmap"],
  discard: ["ignore", "unmap"],
  if: ["none", "ide", "scsi", "floppy", "pflash", "mtd", "sd", "virtio"],
  media: ["disk", "cdrom"],
  "read-only": ["on", "off"],
  readonly: ["on", "off"],
  rerror: ["report", "ignore", "stop"],
  snapshot: ["on", "off"],
  werror: ["report", "ignore", "stop", "enospc"],
};

/** Candidates for the word that ends `line`. */
export async function completeLine(line: string, context: MonitorContext): Promise<Completion> {
  const start = wordStart(line);
  const typed = line.slice(start);
  const words = line.slice(0, start).split(/\s+/).filter((word) => word !== "");
  const offers = await offersFor(words, typed, context);
  const at = offers.at ?? 0;
  return {
    start: start + at,
    candidates: offers.candidates.filter((candidate) => candidate.startsWith(typed.slice(at))),
  };
}

interface Offers {
  readonly candidates: readonly string[];
  /** Where in the word that was typed the part begins that is completed. */
  readonly at?: number;
}

function wordStart(line: string): number {
  const quote = line.lastIndexOf('"');
  // Inside of an open quotation the word is what follows the quotation mark or the last blank.
  if ((line.match(/"/g)?.length ?? 0) % 2 === 1) return Math.max(quote, line.lastIndexOf(" ")) + 1;
  return /\S*$/.exec(line)!.index;
}

async function offersFor(words: readonly string[], typed: string, context: MonitorContext): Promise<Offers> {
  const { registry } = context;
  const [first, second] = words;
  if (first === undefined) return names(registry.table());
  if (first === "info" && words.length === 1) return names(registry.table("info"));
  if (first === "help" || first === "?") {
    if (words.length === 1) return names(registry.table());
    return second === "info" && words.length === 2 ? names(registry.table("info")) : { candidates: [] };
  }
  const entry = first === "info" ? registry.find(second!, "info") : registry.find(first);
  if (entry === undefined) return { candidates: [] };
  const given = words.slice(first === "info" ? 2 : 1);
  const argument = argumentAt(entry, given, typed);
  return argument === undefined ? { candidates: [] } : await offersForArgument(argument, typed, context);
}

/** The argument that the next word is for: switches that were given, or may yet be, do not count. */
function argumentAt(entry: HmpEntry, given: readonly string[], typed: string): Argument<unknown> | undefined {
  const declared = Object.values(entry.command.arguments) as Argument<unknown>[];
  const plain = declared.filter(({ kind }) => kind !== "-" && kind !== "/");
  const switches = declared.filter(({ kind }) => kind === "-").map(({ letter }) => `-${letter}`);
  if (typed.startsWith("-") && switches.length > 0) return undefined;
  const position = given.filter((word) => !switches.includes(word) && !word.startsWith("/")).length;
  return plain[position] ?? (plain.at(-1)?.completes === "qemu-io" ? plain.at(-1) : undefined);
}

async function offersForArgument(
  argument: Argument<unknown>,
  typed: string,
  context: MonitorContext,
): Promise<Offers> {
  const { machine } = context;
  switch (argument.completes) {
    case "snapshot":
      return {
        candidates: machine.backends.list().flatMap(({ node }) =>
          node?.driver.snapshots?.list().map(({ name }) => name) ?? []
        ),
      };
    case "trace-event":
      return { candidates: machine.trace.list().map(({ name }) => name) };
    case "format":
      return { candidates: ["qcow2", "raw"] };
    case "qemu-io":
      return { candidates: ioCommands().map(({ name }) => name) };
    case "drive-option":
      return await driveOptions(typed);
  }
  switch (argument.kind) {
    case "B":
      return { candidates: machine.backends.list().map(({ name }) => name).filter((name) => name !== "") };
    case "F":
      return { candidates: await completeFile(typed) };
    case "b":
      return { candidates: ["on", "off"] };
    default:
      return { candidates: [] };
  }
}

/** `file=a,if=no`: a key, or the value of one. */
async function driveOptions(typed: string): Promise<Offers> {
  const at = typed.lastIndexOf(",") + 1;
  const part = typed.slice(at);
  const equals = part.indexOf("=");
  if (equals < 0) return { candidates: DRIVE_KEYS, at };
  const key = part.slice(0, equals);
  const valueAt = at + equals + 1;
  if (key === "file" || key === "file.filename") {
    return { candidates: await completeFile(typed.slice(valueAt)), at: valueAt };
  }
  return { candidates: DRIVE_VALUES[key] ?? [], at: valueAt };
}

function names(table: readonly HmpEntry[]): Offers {
  return { candidates: table.flatMap(({ words }) => words) };
}
