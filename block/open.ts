/**
 * From a description or a file name to open nodes: QEMU's order of names, what children inherit, probing.
 *
 * @module
 */
import type { BlockDriver, ChildOptions, DriverDefinition, OpenContext } from "./driver.ts";
import { BlockError } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import { BlockNode } from "./node.ts";
import { ALL_PERMISSIONS } from "./permissions.ts";
import type { BlockdevOptions } from "./options/blockdev.ts";

/** What is to be opened. */
export interface ImageRequest {
  /** As typed: a path, `json:{...}`, `driver:rest`. */
  readonly filename?: string;
  /** A description, possibly without `driver` where there is a file name; or a node's name. */
  readonly options?: Partial<BlockdevOptions> | string;
  readonly signal?: AbortSignal;
}

/** Options whose driver is not known yet. */
export type OptionTree = Readonly<Record<string, unknown>>;

/** What a child takes from its parent where it says nothing of its own. */
export interface Inherited {
  readonly readOnly: boolean;
  readonly autoReadOnly: boolean;
  readonly forceShare: boolean;
  readonly direct: boolean;
  readonly noFlush: boolean;
  readonly discard: boolean;
}

const TOP: Inherited = {
  readOnly: false,
  autoReadOnly: false,
  forceShare: false,
  direct: false,
  noFlush: false,
  discard: false,
};

/** Opens what `request` says; the node is not held yet. */
export async function openReference(graph: BlockGraph, request: ImageRequest): Promise<BlockNode> {
  if (typeof request.options === "string") return findNode(graph, request.options);
  return await openTree(graph, request.filename, (request.options ?? {}) as OptionTree, TOP, request.signal);
}

function findNode(graph: BlockGraph, name: string): BlockNode {
  const node = graph.find(name);
  if (node === undefined) {
    throw new BlockError({ kind: "state", text: `Cannot find device='' nor node-name='${name}'`, errno: "ENODEV" });
  }
  return node;
}

async function openTree(
  graph: BlockGraph,
  filename: string | undefined,
  options: OptionTree,
  inherited: Inherited,
  signal: AbortSignal | undefined,
): Promise<BlockNode> {
  const name = options["driver"] as string | undefined;
  const loading = name === undefined ? undefined : graph.drivers.load(name);
  if (name === undefined || loading === undefined) {
    throw new BlockError({ kind: "option", option: "driver", text: `Unknown driver '${name ?? ""}'` });
  }
  return await openWith(graph, await loading, options, inherited, filename, signal);
}

async function openWith(
  graph: BlockGraph,
  definition: DriverDefinition,
  options: OptionTree,
  inherited: Inherited,
  filename: string | undefined,
  signal: AbortSignal | undefined,
): Promise<BlockNode> {
  const flags = flagsOf(options, inherited);
  const early = new Map<string, BlockNode>();
  let file: BlockNode | undefined;
  if (definition.kind === "format" && typeof options["file"] === "object") {
    // The file is opened before its format, which therefore has the later name.
    file = await openTree(graph, undefined, options["file"] as OptionTree, childFlags("file", flags, {}), signal);
    early.set("file", file);
  }
  const node = new BlockNode({
    name: (options["node-name"] as string | undefined) ?? graph.nextName(),
    kind: definition.kind,
    readOnly: flags.readOnly,
    cacheDirect: flags.direct,
    cacheNoFlush: flags.noFlush,
    discard: flags.discard,
    detectZeroes: (options["detect-zeroes"] as "off" | "on" | "unmap" | undefined) ?? "off",
    forceShare: flags.forceShare,
    autoReadOnly: flags.autoReadOnly,
    filename: filename ?? (options["filename"] as string | undefined) ?? file?.filename ?? "",
    traces: graph.traces,
  });
  graph.enter(node);
  try {
    const context = contextFor(graph, node, flags, early, signal);
    const driver: BlockDriver = await definition.open(options as unknown as BlockdevOptions, context);
    if (driver.readOnly === true) node.readOnly = true;
    node.attachDriver(driver);
    return node;
  } catch (error) {
    await graph.closeNode(node).catch(() => {});
    for (const child of early.values()) if (child.parents.length === 0) await graph.closeNode(child).catch(() => {});
    throw error;
  }
}

function contextFor(
  graph: BlockGraph,
  node: BlockNode,
  flags: Inherited,
  early: Map<string, BlockNode>,
  signal: AbortSignal | undefined,
): OpenContext {
  return {
    nodeName: node.name,
    readOnly: flags.readOnly,
    cacheDirect: flags.direct,
    cacheNoFlush: flags.noFlush,
    autoReadOnly: flags.autoReadOnly,
    forceShare: flags.forceShare,
    clocks: graph.clocks,
    random: graph.random,
    ...(signal === undefined ? {} : { signal }),
    warn: graph.warn,
    async openChild(role, options, how = {}) {
      const child = early.get(role) ??
        (typeof options === "string"
          ? findNode(graph, options)
          : await openTree(graph, undefined, options as unknown as OptionTree, childFlags(role, flags, how), signal));
      early.delete(role);
      node.children.push(await graph.attach(node, child, role, 0, ALL_PERMISSIONS));
      return child;
    },
  };
}

function flagsOf(options: OptionTree, inherited: Inherited): Inherited {
  const cache = (options["cache"] ?? {}) as { direct?: boolean; "no-flush"?: boolean };
  const bool = (name: string, otherwise: boolean) => (options[name] as boolean | undefined) ?? otherwise;
  return {
    readOnly: bool("read-only", inherited.readOnly),
    autoReadOnly: bool("auto-read-only", inherited.autoReadOnly),
    forceShare: bool("force-share", inherited.forceShare),
    direct: cache.direct ?? inherited.direct,
    noFlush: cache["no-flush"] ?? inherited.noFlush,
    discard: options["discard"] === undefined ? inherited.discard : options["discard"] === "unmap",
  };
}

function childFlags(role: string, parent: Inherited, how: ChildOptions): Inherited {
  const copied = role === "backing";
  return {
    ...parent,
    readOnly: how.readOnly ?? (copied || parent.readOnly),
    autoReadOnly: copied ? false : parent.autoReadOnly,
    // Formats send discards and flushes down with care, so that what lies below them may always pass them on.
    discard: true,
  };
}
