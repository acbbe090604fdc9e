/**
 * `-drive` and `drive_add`: one list of options becomes what belongs to the drive (bus, id, cache, error policy) and
 * what belongs to the node below it.
 *
 * Which unit a drive without one gets, and which device it becomes, is the machine's business.
 *
 * @module
 */
import { type OptionPair, parseBool, parseUnsigned, type QemuOptType } from "../../base/keyval.ts";
import type { ReadErrorPolicy, WriteErrorPolicy } from "../policy.ts";
import { cacheMode } from "./cache_mode.ts";
import { LIMIT_NAMES, limitsAnything, limitsOf, type ThrottleLimits } from "../throttling/limits.ts";
import type { DriveOption } from "./drive_options.ts";
import { nestOptions, optionError, type OptionTree, type OptionValue } from "./tree.ts";

const INTERFACES = ["none", "ide", "scsi", "floppy", "pflash", "mtd", "sd", "virtio", "xen"] as const;

/** `if=` of `-drive`. */
export type DriveInterface = typeof INTERFACES[number];

/** A drive as it was asked for. */
export interface DriveOptions {
  /** `undefined`: the machine's default. */
  readonly interface: DriveInterface | undefined;
  readonly id: string | undefined;
  readonly bus: number | undefined;
  readonly unit: number | undefined;
  readonly index: number | undefined;
  readonly media: "disk" | "cdrom";
  /** As typed; absent for an empty drive and for one that is described by `file.*` or `driver`. */
  readonly filename: string | undefined;
  /** The node's options, nested, as strings and switches. */
  readonly options: OptionTree;
  readonly isEmpty: boolean;
  readonly readOnly: boolean;
  readonly snapshot: boolean;
  readonly copyOnRead: boolean;
  readonly writeCache: boolean;
  readonly detectZeroes: "off" | "on" | "unmap";
  readonly aio: "threads" | "native" | "io_uring" | undefined;
  readonly werror: WriteErrorPolicy;
  readonly rerror: ReadErrorPolicy;
  /** werror or rerror was given: buses that have none refuse. */
  readonly errorPolicyGiven: "werror" | "rerror" | undefined;
  /** Limits and their group, whose name is the drive's where none is given; `undefined` where nothing is limited. */
  readonly throttling: { readonly group: string | undefined; readonly limits: ThrottleLimits } | undefined;
  /** `format=help`: show {@link formatsHelp} and end. */
  readonly helpWanted: boolean;
  /** For stderr, after the program's name and the option. */
  readonly warnings: readonly string[];
}

/** Older names of throttling options. */
const THROTTLE_ALIASES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["bps", "iops"].flatMap((unit) =>
      [["", "total"], ["_rd", "read"], ["_wr", "write"]].flatMap(([old, name]) => [
        [`${unit}${old}`, `throttling.${unit}-${name}`],
        [`${unit}${old}_max`, `throttling.${unit}-${name}-max`],
      ])
    ),
  ),
  iops_size: "throttling.iops-size",
  group: "throttling.group",
};

/** Takes names out of a list of options, the last of equal ones. */
class Bag {
  #pairs: OptionPair[];

  constructor(pairs: readonly OptionPair[]) {
    this.#pairs = [...pairs];
  }

  get rest(): readonly OptionPair[] {
    return this.#pairs;
  }

  has(name: string): boolean {
    return this.#pairs.some((pair) => pair.name === name);
  }

  take(name: DriveOption<QemuOptType> | "id" | "cache"): string | undefined {
    const found = this.#pairs.findLast((pair) => pair.name === name)?.value;
    this.#pairs = this.#pairs.filter((pair) => pair.name !== name);
    return found;
  }

  takeBool(name: DriveOption<"bool">): boolean | undefined {
    const value = this.take(name);
    return value === undefined ? undefined : parseBool(value, name);
  }

  takeNumber(name: DriveOption<"number">): number | undefined {
    const value = this.take(name);
    return value === undefined ? undefined : Number(parseUnsigned(value, name));
  }

  rename(from: string, to: string): void {
    if (!this.has(from)) return;
    if (this.has(to)) throw optionError(`'${to}' and its alias '${from}' can't be used at the same time`, from);
    this.#pairs = this.#pairs.map((pair) => pair.name === from ? { name: to, value: pair.value } : pair);
  }
}

/**
 * Reads the options of one `-drive`, in order; `id` may be among them. `snapshot`: the machine was started with
 * `-snapshot`.
 * @throws {BlockError} `option`; {@link OptionError} for values of a wrong type.
 */
export function parseDrive(pairs: readonly OptionPair[], how: { readonly snapshot?: boolean } = {}): DriveOptions {
  const bag = new Bag(pairs);
  bag.rename("readonly", "read-only");
  const warnings: string[] = [];
  const cache = takeCache(bag);
  const id = bag.take("id");
  const media = bag.take("media") ?? "disk";
  if (media !== "disk" && media !== "cdrom") throw optionError(`'${media}' invalid media`, "media");
  const busType = bag.take("if");
  if (busType !== undefined && !INTERFACES.includes(busType as DriveInterface)) {
    throw optionError(`unsupported bus type '${busType}'`, "if");
  }
  const [bus, unit, index] = [bag.takeNumber("bus"), bag.takeNumber("unit"), bag.takeNumber("index")];
  if (index !== undefined && ((bus ?? 0) !== 0 || unit !== undefined)) {
    throw optionError("index cannot be used with bus and unit", "index");
  }
  const readOnly = (bag.takeBool("read-only") ?? false) || media === "cdrom";
  let copyOnRead = bag.takeBool("copy-on-read") ?? false;
  if (copyOnRead && readOnly) {
    warnings.push("disabling copy-on-read on read-only drive");
    copyOnRead = false;
  }
  const policies = takePolicies(bag);
  const snapshot = bag.takeBool("snapshot") ?? how.snapshot ?? false;
  const aio = takeAio(bag);
  const detectZeroes = takeDetectZeroes(bag);
  const discard = takeDiscard(bag);
  const throttling = takeThrottling(bag);
  bag.takeBool("stats-account-invalid");
  bag.takeBool("stats-account-failed");
  const format = bag.take("format");
  const helpWanted = format === "help" || format === "?";
  if (format !== undefined && bag.has("driver")) {
    throw optionError("Cannot specify both 'driver' and 'format'", "format");
  }
  const filename = bag.take("file") || undefined;
  const autoReadOnly = bag.take("auto-read-only") ?? "on";
  const tree = nestOptions(bag.rest);
  const isEmpty = filename === undefined && format === undefined && Object.keys(tree).length === 0;
  const own: Record<string, OptionValue> = { ...tree as Record<string, OptionValue> };
  if (format !== undefined) own["driver"] = format;
  own["cache"] = { direct: cache.direct, "no-flush": cache.noFlush };
  own["read-only"] = readOnly;
  own["auto-read-only"] = autoReadOnly;
  if (discard !== undefined) own["discard"] = discard;
  return {
    interface: busType as DriveInterface | undefined,
    id,
    bus,
    unit,
    index,
    media,
    filename,
    options: own,
    isEmpty,
    readOnly,
    snapshot,
    copyOnRead,
    writeCache: cache.writeback,
    detectZeroes,
    aio,
    ...policies,
    throttling,
    helpWanted,
    warnings,
  };
}

function takeCache(bag: Bag): { writeback: boolean; direct: boolean; noFlush: boolean } {
  const word = bag.take("cache");
  const mode = word === undefined ? cacheMode("writeback") : cacheMode(word);
  if (mode === undefined) throw optionError("invalid cache option", "cache");
  return {
    writeback: bag.takeBool("cache.writeback") ?? mode.writeback,
    direct: bag.takeBool("cache.direct") ?? mode.direct,
    noFlush: bag.takeBool("cache.no-flush") ?? mode.noFlush,
  };
}

function takePolicies(bag: Bag): Pick<DriveOptions, "werror" | "rerror" | "errorPolicyGiven"> {
  const werror = bag.take("werror");
  if (werror !== undefined && !["ignore", "stop", "report", "enospc"].includes(werror)) {
    throw optionError(`'${werror}' invalid write error action`, "werror");
  }
  const rerror = bag.take("rerror");
  if (rerror !== undefined && !["ignore", "stop", "report"].includes(rerror)) {
    throw optionError(`'${rerror}' invalid read error action`, "rerror");
  }
  return {
    werror: (werror ?? "enospc") as WriteErrorPolicy,
    rerror: (rerror ?? "report") as ReadErrorPolicy,
    errorPolicyGiven: werror !== undefined ? "werror" : rerror !== undefined ? "rerror" : undefined,
  };
}

function takeAio(bag: Bag): DriveOptions["aio"] {
  const aio = bag.take("aio");
  if (aio === undefined || aio === "threads" || aio === "native" || aio === "io_uring") return aio;
  throw optionError("invalid aio option", "aio");
}

function takeDetectZeroes(bag: Bag): DriveOptions["detectZeroes"] {
  const mode = bag.take("detect-zeroes") ?? "off";
  if (mode === "off" || mode === "on" || mode === "unmap") return mode;
  throw optionError(`invalid parameter value: ${mode}`, "detect-zeroes");
}

/** `on` and `off` are older spellings. */
function takeDiscard(bag: Bag): "ignore" | "unmap" | undefined {
  const mode = bag.take("discard");
  if (mode === undefined) return undefined;
  if (mode === "ignore" || mode === "off") return "ignore";
  if (mode === "unmap" || mode === "on") return "unmap";
  throw optionError("Invalid discard option", "discard");
}

function takeThrottling(bag: Bag): DriveOptions["throttling"] {
  for (const [old, name] of Object.entries(THROTTLE_ALIASES)) bag.rename(old, name);
  const group = bag.take("throttling.group");
  const given: Record<string, number> = {};
  for (const name of LIMIT_NAMES) {
    const value = bag.takeNumber(`throttling.${name}`);
    if (value !== undefined) given[name] = value;
  }
  const limits = limitsOf(given);
  return limitsAnything(limits) ? { group, limits } : undefined;
}

/** The id of a drive that was given none: `"ide0-hd0"`, `"virtio0"`. */
export function driveId(busType: DriveInterface, bus: number, unit: number, media: "disk" | "cdrom"): string {
  const hasBuses = busType === "ide" || busType === "scsi";
  if (!hasBuses) return `${busType}${unit}`;
  return `${busType}${bus}-${media === "cdrom" ? "cd" : "hd"}${unit}`;
}
