/**
 * From a description or a file name to open nodes, step by step in QEMU's order, which node names depend on: the file
 * below a format first, then the format, then its backing file.
 *
 * Left to others: what a driver does with its options, and names and holds, which are the graph's.
 *
 * @module
 */
import { isIdentifier } from "../base/keyval.ts";
import { checkHandover, markInactive } from "./activity.ts";
import type { ChildOptions, DriverDefinition, OpenContext } from "./driver.ts";
import { BlockError, prefixed } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import { childFlags, flagsOf, type Inherited, TOP_FLAGS } from "./inherit.ts";
import { nameNode } from "./node_filename.ts";
import { BlockNode } from "./node.ts";
import type { BlockdevOptions } from "./options/blockdev.ts";
import { protocolDriver, resolveAgainst, stripProtocol } from "./options/filename.ts";
import { parseJsonName } from "./options/json.ts";
import { optionRow, QEMU_DRIVERS } from "./options/schema.ts";
import { convertOptions, isTree, optionError, type OptionTree } from "./options/tree.ts";
import { childPermissions, cumulative } from "./permissions.ts";
import { guardProbedRaw, probeFormat } from "./probe.ts";

/** What is to be opened. */
export interface ImageRequest {
  /** As typed: a path, `json:{...}`, `driver:rest`. */
  readonly filename?: string;
  /** A description, possibly without `driver` where there is a file name; or a node's name. */
  readonly options?: Partial<BlockdevOptions> | OptionTree | string;
  /** The engine of files below, where their own options name none. */
  readonly aio?: "threads" | "native" | "io_uring";
  readonly signal?: AbortSignal;
  /** Leave backing files closed that the image names: its description alone is wanted. */
  readonly noBacking?: boolean;
  /** Opened for a check: nothing is repaired beforehand, and an image that is known to be corrupt may be written. */
  readonly forCheck?: boolean;
  /** What the image says of itself is wanted, none of its data: an encrypted one opens without its passphrase. */
  readonly metadataOnly?: boolean;
}

/** What goes down the tree while it is opened. */
interface Opening {
  readonly graph: BlockGraph;
  readonly signal: AbortSignal | undefined;
  readonly flags: Inherited;
  /** The parent is a format: a protocol is wanted, nothing is probed. */
  readonly protocolOnly: boolean;
  readonly noBacking: boolean;
  readonly forCheck: boolean;
  readonly metadataOnly: boolean;
  /** Paths of the images whose backing file this is, to find loops. */
  readonly overlays: readonly string[];
}

const MAX_NODE_NAME = 31;

/** Opens what `request` says; the node is not held yet. */
export async function openReference(graph: BlockGraph, request: ImageRequest): Promise<BlockNode> {
  if (typeof request.options === "string") return graph.lookup(request.options);
  const flags: Inherited = { ...TOP_FLAGS, aio: request.aio };
  const noBacking = request.noBacking ?? false;
  const forCheck = request.forCheck ?? false;
  const metadataOnly = request.metadataOnly ?? false;
  const { signal } = request;
  const opening = { graph, signal, flags, protocolOnly: false, noBacking, forCheck, metadataOnly, overlays: [] };
  return await openTree(opening, request.filename, (request.options ?? {}) as OptionTree);
}

async function openTree(opening: Opening, typedName: string | undefined, tree: OptionTree): Promise<BlockNode> {
  const { graph } = opening;
  opening.signal?.throwIfAborted();
  let filename = typedName;
  let options = tree;
  if (filename?.startsWith("json:")) {
    options = { ...parseJsonName(filename), ...options };
    filename = undefined;
  }
  let name = options["driver"];
  if (name !== undefined && typeof name !== "string") throw optionError("Parameter 'driver' expects a string");
  if (name === undefined && opening.protocolOnly) {
    filename ??= options["filename"] as string | undefined;
    if (filename === undefined) throw optionError("Must specify either driver or file");
    name = await protocolDriver(filename, graph.drivers);
  }
  let definition = name === undefined ? undefined : await loadDriver(graph, name);
  if (definition !== undefined && definition.kind !== "format" && definition.overFile !== true) {
    return await openNode(opening, definition, withFilename(definition, options, filename), undefined);
  }
  const file = await openFile(opening, filename, options);
  try {
    if (definition === undefined) {
      if (file === undefined) throw optionError("Must specify either driver or file");
      const guess = await probeFormat(graph, file);
      definition = await loadDriver(graph, guess);
      return await openNode(opening, definition, options, file, guess === "raw");
    }
    if (file === undefined) throw optionError(`A block device must be specified for "file"`, "file");
    return await openNode(opening, definition, options, file);
  } catch (error) {
    if (file !== undefined) await graph.closeIfUnused(file).catch(() => {});
    throw error;
  }
}

async function loadDriver(graph: BlockGraph, name: string): Promise<DriverDefinition> {
  const loading = graph.drivers.load(name);
  if (loading !== undefined) return await loading;
  const help = QEMU_DRIVERS.includes(name) ? { help: `moa has no driver '${name}' yet.` } : {};
  throw new BlockError({ kind: "option", option: "driver", text: `Unknown driver '${name}'` }, help);
}

/** The options of a protocol that is opened by a file's name. */
function withFilename(definition: DriverDefinition, options: OptionTree, filename: string | undefined): OptionTree {
  const given = filename ?? options["filename"];
  if (filename !== undefined && options["filename"] !== undefined && options["filename"] !== filename) {
    throw optionError("Can't specify 'file' and 'filename' options at the same time", "filename");
  }
  if (typeof given !== "string") return options;
  if (definition.parseFilename !== undefined && filename !== undefined) {
    const { filename: _typed, ...rest } = options;
    return { ...definition.parseFilename(filename) as OptionTree, ...rest, driver: definition.name };
  }
  const path = filename === undefined ? given : stripProtocol(definition.name, filename);
  return { ...options, driver: definition.name, filename: path };
}

/** Opens the file below a format: by name, by description, or finds it by the name of a node. */
async function openFile(
  opening: Opening,
  filename: string | undefined,
  options: OptionTree,
): Promise<BlockNode | undefined> {
  const described = options["file"];
  if (typeof described === "string") return opening.graph.lookup(described);
  if (described === undefined && filename === undefined) return undefined;
  const flags = childFlags("file", flagsOf(convertOptions("", options).options, opening.flags));
  const tree = isTree(described) ? described : {};
  return await openTree({ ...opening, flags, protocolOnly: true }, filename, tree);
}

async function openNode(
  opening: Opening,
  definition: DriverDefinition,
  asked: OptionTree,
  file: BlockNode | undefined,
  probedRaw = false,
): Promise<BlockNode> {
  const { graph } = opening;
  const { backing, ...withoutBacking } = asked;
  const tree = opening.noBacking ? withoutBacking : asked;
  const { options: converted, unknown } = convertOptions(definition.name, tree);
  const flags = flagsOf(converted, opening.flags);
  const takesAio = converted["aio"] === undefined && flags.aio !== undefined && takesOption(definition.name, "aio");
  let options = takesAio ? { ...converted, aio: flags.aio } : converted;
  if (options["backing"] === "") {
    graph.warn('Use of "backing": "" is deprecated; use "backing": null instead');
    options = { ...options, backing: null };
  }
  if (opening.noBacking && options["backing"] === undefined && takesOption(definition.name, "backing")) {
    options = { ...options, backing: null };
  }
  checkFlags(options, flags);
  const node = new BlockNode({
    name: nodeName(graph, options["node-name"] as string | undefined),
    kind: definition.kind,
    plain: definition.plain ?? definition.kind === "filter",
    readOnly: flags.readOnly,
    cacheDirect: flags.direct,
    cacheNoFlush: flags.noFlush,
    discard: flags.discard,
    detectZeroes: (options["detect-zeroes"] as "off" | "on" | "unmap" | undefined) ?? "off",
    forceShare: flags.forceShare,
    autoReadOnly: flags.autoReadOnly,
    filename: file?.filename ?? (typeof options["filename"] === "string" ? options["filename"] : ""),
    traces: graph.traces,
  });
  if (flags.inactive) markInactive(node);
  graph.enter(node);
  if (graph.traces.open.enabled) {
    graph.traces.open.emit({ node: node.name, filename: node.filename, format: definition.name });
  }
  try {
    const inner: Opening = {
      ...opening,
      flags,
      overlays: file === undefined ? [] : [...opening.overlays, file.filename],
    };
    const state = { file, headerBacking: undefined };
    const context = contextFor(inner, node, options, state, probedRaw);
    if (probedRaw && !node.readOnly) warnProbed(graph, file?.filename ?? node.filename);
    node.attachDriver(await definition.open(options as unknown as BlockdevOptions, context));
    if (flags.inactive) checkHandover(node);
    if (node.driver.readOnly === true && !node.readOnly) node.readOnly = node.openedReadOnly = true;
    refuseUnknown(definition, unknown);
    if (opening.noBacking) refuseBacking(definition, backing);
    node.options = options;
    await nameNode(node, definition, tree, state.headerBacking);
    node.probed = probedRaw;
    if (probedRaw && !node.readOnly) guardProbedRaw(graph, node);
    await settleChildren(graph, node);
    return node;
  } catch (error) {
    await graph.closeNode(node).catch(() => {});
    throw error;
  }
}

function takesOption(driver: string, name: string): boolean {
  return optionRow(driver, name) !== undefined;
}

/** Tells the children what a node with nobody above it asks of them, now that its driver is known. */
async function settleChildren(graph: BlockGraph, node: BlockNode): Promise<void> {
  for (const edge of node.children) {
    const { used, shared } = childPermissions(node, edge.node, edge.role, cumulative(node));
    await graph.setEdgePermissions(edge, used, shared);
  }
}

function contextFor(
  opening: Opening,
  node: BlockNode,
  options: OptionTree,
  state: { file: BlockNode | undefined; headerBacking: string | undefined },
  probed: boolean,
): OpenContext {
  const { graph, flags, signal } = opening;
  return {
    nodeName: node.name,
    readOnly: flags.readOnly || flags.inactive,
    cacheDirect: flags.direct,
    cacheNoFlush: flags.noFlush,
    autoReadOnly: flags.autoReadOnly,
    forceShare: flags.forceShare,
    probed,
    clocks: graph.clocks,
    random: graph.random,
    ...(signal === undefined ? {} : { signal }),
    forCheck: opening.forCheck,
    metadataOnly: opening.metadataOnly,
    inMachine: graph.inMachine,
    secrets: graph.secrets,
    warn: graph.warn,
    notice: graph.notice,
    throttleGroups: graph.throttleGroups,
    fdSets: graph.fdSets,
    find: (name) => graph.find(name),
    tell: (event) => graph.events.emit("event", event),
    async openChild(role, described, how = {}) {
      let child: BlockNode;
      if (role === "file" && state.file !== undefined) {
        child = state.file;
      } else if (role === "backing") {
        const header = headerBacking(node, described, how, options["backing"]);
        state.headerBacking = header.filename;
        child = await openBacking(opening, header, how, options["backing"]);
        if (usesHeader(header, options["backing"])) state.headerBacking = child.filename;
      } else child = await openOther(opening, role, described, how);
      const wanted = childPermissions(node, child, role, cumulative(node));
      try {
        const edge = await graph.attach(node, child, role, wanted.used, wanted.shared);
        edge.isWithin = typeof (role === "file" && state.file !== undefined ? options["file"] : described) !== "string";
        node.children.push(edge);
      } catch (error) {
        await graph.closeIfUnused(child).catch(() => {});
        throw error;
      }
      return child;
    },
  };
}

async function openOther(
  opening: Opening,
  role: string,
  described: BlockdevOptions | string | undefined,
  how: ChildOptions,
): Promise<BlockNode> {
  if (typeof described === "string") return opening.graph.lookup(described);
  if (described === undefined && how.filename === undefined) {
    throw optionError(`A block device must be specified for "${role}"`, role);
  }
  const protocolOnly = how.anyDriver !== true;
  const flags = childFlags(role, opening.flags, how.readOnly);
  return await openTree({ ...opening, flags, protocolOnly }, how.filename, (described ?? {}) as OptionTree);
}

interface HeaderBacking {
  /** Seen from where the program runs. */
  readonly filename: string | undefined;
  readonly format: string | undefined;
  /** What the user says of the backing node. */
  readonly described: OptionTree | string | undefined;
}

/** What the image and the user say of the backing file. A driver may have resolved the header's name itself. */
function headerBacking(
  node: BlockNode,
  described: BlockdevOptions | string | undefined,
  how: ChildOptions,
  given: unknown,
): HeaderBacking {
  const tree = described as OptionTree | string | undefined;
  if (given === undefined && isTree(tree) && typeof tree["filename"] === "string") {
    return { filename: tree["filename"], format: tree["driver"] as string | undefined, described: undefined };
  }
  const filename = how.filename === undefined ? undefined : resolveAgainst(pathOf(node), how.filename);
  return { filename, format: how.driver, described: tree };
}

/** The path of the file that holds the image: what relative names count from. */
function pathOf(node: BlockNode): string {
  const file = node.children.find((edge) => edge.role !== "backing")?.node;
  return file === undefined ? node.filename : pathOf(file);
}

/** Whether the backing file is the one that the header names. */
function usesHeader(header: HeaderBacking, given: unknown): boolean {
  return typeof header.described !== "string" && !namesFile(given) && !namesFile(header.described);
}

/** Whether options of a backing node say where it is. */
function namesFile(options: unknown): boolean {
  if (!isTree(options)) return false;
  const { file } = options;
  return typeof file === "string" || options["filename"] !== undefined ||
    (isTree(file) && (file["filename"] !== undefined || file["driver"] !== undefined));
}

async function openBacking(
  opening: Opening,
  header: HeaderBacking,
  how: ChildOptions,
  given: unknown,
): Promise<BlockNode> {
  const { graph } = opening;
  const { described } = header;
  try {
    if (typeof described === "string") return graph.lookup(described);
    let tree = described ?? {};
    // Options that name a file of their own leave the header's name out; others refine how it is opened.
    const filename = usesHeader(header, given) ? header.filename : undefined;
    if (tree["driver"] === undefined && header.format !== undefined) tree = { ...tree, driver: header.format };
    if (filename !== undefined && opening.overlays.includes(filename)) {
      throw new BlockError({ kind: "state", text: `Backing file '${filename}' creates an infinite loop.` });
    }
    const flags = childFlags("backing", opening.flags, how.readOnly);
    return await openTree({ ...opening, flags, protocolOnly: false, forCheck: false }, filename, tree);
  } catch (error) {
    throw prefixed("Could not open backing file: ", error);
  }
}

function checkFlags(options: OptionTree, flags: Inherited): void {
  if (flags.forceShare && !flags.readOnly) {
    throw optionError("force-share=on can only be used with read-only images", "force-share");
  }
  if (options["detect-zeroes"] === "unmap" && !flags.discard) {
    throw optionError(
      "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap",
      "detect-zeroes",
    );
  }
}

function nodeName(graph: BlockGraph, wanted: string | undefined): string {
  if (wanted === undefined) return graph.nextName();
  if (!isIdentifier(wanted)) throw optionError(`Invalid node-name: '${wanted}'`, "node-name");
  if (graph.backends.has(wanted)) {
    throw optionError(`node-name=${wanted} is conflicting with a device id`, "node-name");
  }
  if (graph.find(wanted) !== undefined) {
    throw new BlockError({ kind: "state", text: `Duplicate nodes with node-name='${wanted}'` });
  }
  if (wanted.length > MAX_NODE_NAME) throw optionError("Node name too long", "node-name");
  return wanted;
}

function refuseUnknown(definition: DriverDefinition, unknown: readonly string[]): void {
  const name = unknown[0];
  if (name === undefined) return;
  throw optionError(
    definition.kind !== "protocol" && definition.parseFilename === undefined
      ? `Block format '${definition.name}' does not support the option '${name}'`
      : `Block protocol '${definition.name}' doesn't support the option '${name}'`,
    name,
  );
}

/** Who opens without backing files takes no option about them: a key of theirs is as unknown as any. */
function refuseBacking(definition: DriverDefinition, backing: OptionTree[string] | undefined): void {
  if (typeof backing === "string" && backing !== "") refuseUnknown(definition, ["backing"]);
  if (isTree(backing)) refuseUnknown(definition, Object.keys(backing).map((key) => `backing.${key}`));
}

function warnProbed(graph: BlockGraph, filename: string): void {
  graph.notice(`WARNING: Image format was not specified for '${filename}' and probing guessed raw.`);
  graph.notice(
    "         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be " +
      "restricted.",
  );
  graph.notice("         Specify the 'raw' format explicitly to remove the restrictions.");
}
