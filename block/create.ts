/**
 * Making images: the file by its protocol, the format in it, in the steps and with the messages of `qemu-img create`.
 *
 * @module
 */
import { errnoText } from "../base/errno.ts";
import { alignUp } from "../base/bits.ts";
import type { OptionPair } from "../base/keyval.ts";
import { SECTOR_BYTES } from "../base/units.ts";
import { createOptionsText, mergeCreateOptions, parseCreateOptions } from "./create_options.ts";
import type { CreateContext, CreateOption, CreateValues, DriverDefinition } from "./driver.ts";
import { BlockError } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import { BlockNode } from "./node.ts";
import { protocolDriver, protocolOf, resolveAgainst, stripProtocol } from "./options/filename.ts";
import { QEMU_DRIVERS } from "./options/schema.ts";
import { optionError, type OptionTree } from "./options/tree.ts";

/** What is to be made. */
export interface CreateRequest {
  readonly filename: string;
  /** `"raw"` where it is not given. */
  readonly format?: string;
  /** As typed behind `-o`, in order. */
  readonly options?: readonly OptionPair[];
  /** The same under QEMU's names with their types; they come after `options`. */
  readonly values?: CreateValues;
  /** Bytes; without it, the backing file's. */
  readonly size?: number;
  readonly backingFile?: string;
  readonly backingFormat?: string;
  /** Do not open the backing file: `-u`. */
  readonly unsafe?: boolean;
  /** Told once everything is parsed, before anything is made: `Formatting 'F', fmt=...`. */
  readonly onFormatting?: (line: string) => void;
}

/** What a format can be made with in a place. */
export interface CreationDrivers {
  readonly format: DriverDefinition;
  readonly protocol: DriverDefinition;
  readonly rows: readonly CreateOption[];
}

/** Finds format, protocol and their options; without `filename` the protocol's are left out. */
export async function creationDrivers(
  graph: BlockGraph,
  formatName: string,
  filename: string | undefined,
): Promise<CreationDrivers> {
  const format = await graph.drivers.load(formatName);
  if (format === undefined) throw optionError(`Unknown file format '${formatName}'`, "format");
  const protocolName = filename === undefined ? "file" : await protocolDriver(filename, graph.drivers);
  const protocol = (await graph.drivers.load(protocolName))!;
  if (format.createOptions === undefined) {
    throw optionError(`Format driver '${formatName}' does not support image creation`, "format");
  }
  if (protocol.createOptions === undefined && filename !== undefined) {
    throw optionError(`Protocol driver '${protocolName}' does not support image creation`, "filename");
  }
  return { format, protocol, rows: mergeCreateOptions(format, filename === undefined ? undefined : protocol) };
}

/**
 * Makes an image. What was at `filename` before is gone.
 * @throws {BlockError} in `qemu-img`'s words; {@link OptionError} for values of a wrong type.
 * @example
 * ```ts
 * import { ManualClock } from "../base/clocks.ts";
 * import { SeededRandom } from "../base/random.ts";
 * import { BlockGraph } from "./graph.ts";
 * import { createImage } from "./create.ts";
 *
 * const clock = new ManualClock();
 * const clocks = { virtual: clock, realtime: clock, host: clock };
 * await using graph = new BlockGraph({ clocks, random: new SeededRandom(1) });
 * const filename = await Deno.makeTempFile();
 * await createImage(graph, { filename, format: "raw", size: 1024 * 1024 });
 * await Deno.remove(filename);
 * ```
 */
export async function createImage(graph: BlockGraph, request: CreateRequest): Promise<CreateValues> {
  const formatName = request.format ?? "raw";
  const { format, protocol, rows } = await creationDrivers(graph, formatName, request.filename);
  const values = { ...parseCreateOptions(rows, request.options ?? []), ...request.values };
  applyBacking(values, rows, request, formatName);
  if (values["size"] !== undefined && request.size !== undefined) {
    throw optionError("The image size must be specified only once", "size");
  }
  if (request.size !== undefined) values["size"] = request.size;
  await checkBacking(graph, values, request);
  if (values["size"] === undefined) throw optionError("Image creation needs a size parameter", "size");
  request.onFormatting?.(`Formatting '${request.filename}', ${createOptionsText(formatName, rows, values)}`);
  const backingFormat = values["backing_fmt"];
  if (typeof backingFormat === "string" && !QEMU_DRIVERS.includes(backingFormat)) {
    throw optionError(`Parameter 'backing-fmt' does not accept value '${backingFormat}'`, "backing_fmt");
  }
  try {
    await make(graph, format, protocol, rows, request.filename, values);
  } catch (error) {
    if (error instanceof BlockError && error.errno === "EFBIG") {
      throw optionError(`The image size is too large for file format '${formatName}'`, "size");
    }
    throw error;
  }
  return values;
}

function applyBacking(
  values: Record<string, string | number | boolean>,
  rows: readonly CreateOption[],
  request: CreateRequest,
  format: string,
): void {
  const takes = (name: string) => rows.some((row) => row.name === name);
  if (request.backingFile !== undefined) {
    if (!takes("backing_file")) throw optionError(`Backing file not supported for file format '${format}'`);
    values["backing_file"] = request.backingFile;
  }
  if (request.backingFormat !== undefined) {
    if (!takes("backing_fmt")) throw optionError(`Backing format not supported for file format '${format}'`);
    values["backing_fmt"] = request.backingFormat;
  }
}

/** Opens the backing file, as a check and for its size. */
async function checkBacking(
  graph: BlockGraph,
  values: Record<string, string | number | boolean>,
  request: CreateRequest,
): Promise<void> {
  const name = values["backing_file"] as string | undefined;
  if (name === undefined || name === "") return;
  if (name === request.filename) {
    throw optionError("Error: Trying to create an image with the same filename as the backing file", "backing_file");
  }
  const format = values["backing_fmt"] as string | undefined;
  const sized = values["size"] !== undefined;
  if (request.unsafe === true) return;
  const resolved = resolveAgainst(request.filename, name);
  let backing: BlockNode;
  try {
    const driver: OptionTree = format === undefined ? {} : { driver: format };
    const options = { ...driver, "read-only": true };
    backing = await graph.openImage({ filename: resolved, options, metadataOnly: true });
  } catch (error) {
    const text = `${(error as Error).message}\nCould not open backing image.`;
    throw new BlockError({ kind: "state", text, errno: error instanceof BlockError ? error.errno : "EIO" });
  }
  try {
    if (format === undefined) {
      const text = "Backing file specified without backing format";
      const hint = `\nDetected format of ${backing.driver.name}.`;
      throw new BlockError({ kind: "option", option: "backing_fmt", text: text + hint });
    }
    if (!sized) values["size"] = backing.size;
  } finally {
    await graph.release(backing);
  }
}

async function make(
  graph: BlockGraph,
  format: DriverDefinition,
  protocol: DriverDefinition,
  rows: readonly CreateOption[],
  filename: string,
  values: CreateValues,
): Promise<void> {
  const { clocks, random, secrets } = graph;
  const openBacking = (name: string, backingFormat: string | undefined) =>
    graph.openImage({
      filename: resolveAgainst(filename, name),
      options: { ...(backingFormat === undefined ? {} : { driver: backingFormat }), "read-only": true },
    });
  const opened: BlockNode[] = [];
  const createFile = async (name: string) => {
    const driver = (await graph.drivers.load(await protocolDriver(name, graph.drivers)))!;
    if (driver.createOptions === undefined) {
      throw optionError(`Protocol driver '${driver.name}' does not support image creation`, "filename");
    }
    await makeStorage(graph, driver, { size: 0 }, { ...context, filename: name, file: new BlockNode({ name: "" }) });
    const node = await openCreated(graph, driver, name);
    opened.push(node);
    return node;
  };
  const context = { filename, clocks, random, secrets, openBacking, createFile };
  const own = new Set((protocol.createOptions ?? []).map((row) => row.name));
  const passed: Record<string, string | number | boolean> = {};
  for (const row of rows) {
    const value = values[row.name];
    const isFormats = format.createOptions?.some((one) => one.name === row.name) === true;
    if (value !== undefined && own.has(row.name) && (format.name === "raw" || !isFormats)) passed[row.name] = value;
  }
  const size = alignUp(Number(values["size"]), SECTOR_BYTES);
  const closed = new BlockNode({ name: "" });
  const simple = format.kind === "protocol" || format.create === undefined;
  passed["size"] = simple ? size : 0;
  await makeStorage(graph, protocol, passed, { ...context, file: closed });
  if (simple) return;
  const file = await openCreated(graph, protocol, filename);
  opened.push(file);
  let whole = false;
  try {
    await format.create!({ ...values, size }, { ...context, file });
    for (const node of opened) await node.flush();
    whole = true;
  } finally {
    for (const node of opened) await graph.release(node);
    // What could not be made is not left behind, as QEMU has it.
    if (!whole) await protocol.remove?.(pathIn(protocol, filename));
  }
}

/** What an image will lie in: made by its protocol or, where it is there already, as devices are, made to look empty. */
async function makeStorage(
  graph: BlockGraph,
  protocol: DriverDefinition,
  values: CreateValues,
  context: CreateContext,
): Promise<void> {
  if (protocol.create !== undefined) return await protocol.create(values, context);
  const preallocation = values["preallocation"] ?? "off";
  if (preallocation !== "off") {
    throw optionError(`Unsupported preallocation mode '${preallocation}'`, "preallocation");
  }
  const node = await openCreated(graph, protocol, context.filename);
  try {
    await node.truncate(Number(values["size"] ?? 0));
    // Whatever image was here, nobody recognizes it any more.
    await node.writeZeroes(0, Math.min(SECTOR_BYTES, node.size));
    await node.flush();
  } finally {
    await graph.release(node);
  }
}

/** The name of a file as its protocol takes it. */
function pathIn(protocol: DriverDefinition, filename: string): string {
  return protocolOf(filename) === undefined ? filename : stripProtocol(protocol.name, filename);
}

/** Opens the file that was just made under `filename`, for writing. */
async function openCreated(graph: BlockGraph, protocol: DriverDefinition, filename: string): Promise<BlockNode> {
  const options = { driver: protocol.name, filename: pathIn(protocol, filename), discard: "unmap" };
  return await graph.openImage({ options });
}

/** The text of an error number, as tools print it behind a message of their own. */
export function reasonOf(error: unknown): string {
  return error instanceof BlockError ? errnoText(error.errno) : String(error);
}
