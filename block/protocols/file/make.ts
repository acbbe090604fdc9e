/**
 * From options to an open driver: what is refused, which engine and which locks.
 *
 * @module
 */
import { errnoText } from "../../../base/errno.ts";
import { HostError } from "../../../base/host/errors.ts";
import { closeDescriptor, storageOf } from "../../../base/host/files.ts";
import { type HostLibrary, hostLibrary } from "../../../base/host/libc.ts";
import type { BlockDriver, OpenContext } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import type { BlockdevOptionsFile } from "../../options/blockdev.ts";
import { FileDriver } from "./driver.ts";
import { type FileEngine, LazyEngine, RingEngine } from "./engine.ts";
import { canLock, ImageLocks } from "./locks.ts";
import { type FileDriverName, openFile } from "./open.ts";
import { QuickPath } from "./quick.ts";

type AioMode = "threads" | "native" | "io_uring";

/** For tests and comparisons: another engine than the options ask for, and no quick path in front of it. */
export interface FileOverrides {
  readonly engine?: (host: HostLibrary) => FileEngine;
  readonly quick?: false;
}

/** Opens `options.filename` as `name`. */
export async function openFileDriver(
  name: FileDriverName,
  options: BlockdevOptionsFile,
  context: OpenContext,
  overrides: FileOverrides = {},
): Promise<BlockDriver> {
  const { aio, locking } = checkOptions(name, options, context);
  const host = hostLibrary();
  if (host === undefined) {
    const { openWithoutLibrary } = await import("./node_fs.ts");
    return openWithoutLibrary(name, options, context);
  }
  const { filename } = options;
  const file = openFile(host, {
    driver: name,
    path: filename,
    readOnly: context.readOnly,
    autoReadOnly: context.autoReadOnly ?? options["auto-read-only"] ?? false,
    direct: context.cacheDirect,
    fdSets: context.fdSets,
  });
  let engine: FileEngine | undefined;
  try {
    engine = overrides.engine?.(host) ?? openEngine(host, aio);
    const locks = openLocks(host, file.descriptor, filename, locking, context);
    const storage = file.stat.kind === "file" ? storageOf(host, file.descriptor) : "local";
    return new FileDriver({
      host,
      name,
      path: filename,
      file,
      engine,
      quick: new QuickPath(host, context.clocks.realtime, overrides.quick === false ? "never" : storage),
      locks,
      dropCache: options["drop-cache"] ?? true,
    });
  } catch (error) {
    engine?.close();
    closeDescriptor(host, file.descriptor);
    throw error;
  }
}

function checkOptions(
  name: FileDriverName,
  options: BlockdevOptionsFile,
  context: OpenContext,
): { aio: AioMode; locking: "auto" | "on" | "off" } {
  if (options.filename === undefined || options.filename === "") {
    throw optionError("filename", `The '${name}' block driver requires a file name`);
  }
  const aio = oneOf(options.aio, "threads", ["threads", "native", "io_uring"]);
  if (aio === "native" && !context.cacheDirect) {
    throw optionError(
      "aio",
      "aio=native was specified, but it requires cache.direct=on, which was not specified.",
    );
  }
  if (options["pr-manager"] !== undefined) {
    const text = `No persistent reservation manager with id '${options["pr-manager"]}'`;
    throw new BlockError({ kind: "unsupported", feature: "pr-manager", text });
  }
  return { aio, locking: oneOf(options.locking, "auto", ["auto", "on", "off"]) };
}

/** The value of an option, since what came from text may be anything. */
function oneOf<Value extends string>(value: string | undefined, fallback: Value, values: readonly Value[]): Value {
  if (value === undefined) return fallback;
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) throw optionError(undefined, `invalid parameter value: ${value}`);
  return found;
}

function optionError(option: string | undefined, text: string): BlockError {
  return new BlockError(option === undefined ? { kind: "option", text } : { kind: "option", option, text });
}

/** The ring where it was asked for by name must be had; else threads do. */
function openEngine(host: HostLibrary, aio: AioMode): FileEngine {
  if (aio !== "io_uring") return new LazyEngine(host);
  try {
    return new RingEngine(host);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const text = `Unable to use io_uring: ${errnoText(error.errno)}`;
    throw new BlockError({ kind: "state", text, errno: error.errno }, { cause: error });
  }
}

function openLocks(
  host: HostLibrary,
  descriptor: number,
  path: string,
  locking: "auto" | "on" | "off",
  context: OpenContext,
): ImageLocks | undefined {
  if (locking === "off") return undefined;
  if (!canLock(host, descriptor)) {
    if (locking === "on") context.warn(`File lock requested but the file system of '${path}' has no OFD locks`);
    return undefined;
  }
  return new ImageLocks(host, descriptor, path);
}
