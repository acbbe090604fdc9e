/**
 * Jobs that make a backing chain shorter: stream and commit.
 *
 * Source: qapi/block-core.json; docs/interop/live-block-operations.
 *
 * @module
 */
import {
  type BlockGraph,
  BlockNode,
  createImage,
  type CreateRequest,
  findBacking,
  layersAbove,
  startCommit,
  startMirror,
  startStream,
  visibleNode,
} from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { bool, type Infer, int, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { onError } from "../types/jobs.ts";

/** A node by its own name only. @throws {MonitorError} */
export function namedNode(graph: BlockGraph, name: string): BlockNode {
  const node = graph.find(name);
  if (node === undefined) throw new MonitorError(`Cannot find device='' nor node-name='${name}'`);
  return node;
}

/** The name of the drive that has `node`: what jobs are called that are given no name. */
export function deviceName(graph: BlockGraph, node: BlockNode): string {
  for (const { name, node: medium } of graph.backends.values()) {
    if (medium !== undefined && visibleNode(medium) === node) return name;
  }
  return "";
}

/** A node that no other node lies on. @throws {MonitorError} */
export function rootNode(graph: BlockGraph, name: string): BlockNode {
  const node = visibleNode(graph.lookup(name));
  if (node.parents.some(({ owner }) => owner instanceof BlockNode)) throw new MonitorError("Need a root block node");
  return node;
}

/** Makes an image whose backing file is open already, or is none. @throws {BlockError} */
export async function makeImage(graph: BlockGraph, request: CreateRequest): Promise<void> {
  await createImage(graph, { ...request, unsafe: true, onFormatting: graph.formatting });
  // QEMU opens a new qcow2 image twice while it makes it; the names that people see count on.
  if (request.format === "qcow2") { for (let opened = 0; opened < 2; opened++) graph.nextName(); }
}

/** Whether `node` is a layer of the chain from `top` down. */
function isBelow(top: BlockNode, node: BlockNode): boolean {
  return layersAbove(top).some((layer) => visibleNode(layer) === node);
}

const jobMembers = {
  speed: optional(int),
  "on-error": optional(onError),
  "filter-node-name": optional(str),
  "auto-finalize": optional(bool),
  "auto-dismiss": optional(bool),
};

/** What all jobs are started with, as the block layer calls it. */
export function jobOptions(
  graph: BlockGraph,
  node: BlockNode,
  data: {
    readonly "job-id"?: string | undefined;
    readonly speed?: number | undefined;
    readonly "filter-node-name"?: string | undefined;
    readonly "auto-finalize"?: boolean | undefined;
    readonly "auto-dismiss"?: boolean | undefined;
  },
) {
  return {
    id: data["job-id"] ?? deviceName(graph, node),
    speed: data.speed ?? 0,
    filterNodeName: data["filter-node-name"],
    autoFinalize: data["auto-finalize"] ?? true,
    autoDismiss: data["auto-dismiss"] ?? true,
  };
}

interface StreamEnds {
  readonly base?: string | undefined;
  readonly "base-node"?: string | undefined;
  readonly bottom?: string | undefined;
}

/** The layer that stays below a stream. */
function streamBase(graph: BlockGraph, top: BlockNode, ends: StreamEnds): BlockNode | undefined {
  const { base, "base-node": baseNode, bottom } = ends;
  const both = (a: string, b: string) => new MonitorError(`'${a}' and '${b}' cannot be specified at the same time`);
  if (base !== undefined && baseNode !== undefined) throw both("base", "base-node");
  if (base !== undefined && bottom !== undefined) throw both("base", "bottom");
  if (bottom !== undefined && baseNode !== undefined) throw both("bottom", "base-node");
  if (base !== undefined) {
    const found = findBacking(top, base);
    if (found === undefined) throw new MonitorError(`Can't find '${base}' in the backing chain`);
    return found.backing;
  }
  if (baseNode !== undefined) {
    const node = namedNode(graph, baseNode);
    if (node !== top && isBelow(top, node)) return node;
    throw new MonitorError(`Node '${baseNode}' is not a backing image of '${top.name}'`);
  }
  if (bottom === undefined) return undefined;
  const node = namedNode(graph, bottom);
  if (!isBelow(top, node)) throw new MonitorError(`Node '${bottom}' is not in a chain starting from '${top.name}'`);
  return node.backing;
}

const streamData = struct({
  "job-id": optional(str),
  device: str,
  base: optional(str),
  "base-node": optional(str),
  "backing-file": optional(str),
  bottom: optional(str),
  ...jobMembers,
});

/** Starts a stream as `block-stream` describes it. */
export async function stream(graph: BlockGraph, data: Infer<typeof streamData>): Promise<void> {
  const top = visibleNode(graph.lookup(data.device));
  const base = streamBase(graph, top, data);
  for (const layer of layersAbove(top, base)) graph.jobs.refuseBusy(layer, "stream");
  if (base === undefined && data["backing-file"] !== undefined) {
    throw new MonitorError("backing file specified, but streaming the entire chain");
  }
  await startStream(graph, top, {
    ...jobOptions(graph, top, data),
    base,
    backingFile: data["backing-file"],
    onError: data["on-error"],
  });
}

export const blockStream = qmpCommand({
  name: "block-stream",
  summary: "Copies what a layer shows of the layers below into it, so that it needs fewer of them.",
  data: streamData,
  run: ({ graph }, data) => stream(graph, data),
});

interface CommitEnds {
  readonly top?: string | undefined;
  readonly "top-node"?: string | undefined;
  readonly base?: string | undefined;
  readonly "base-node"?: string | undefined;
}

/** The highest and the lowest layer of a commit. */
function commitEnds(graph: BlockGraph, active: BlockNode, ends: CommitEnds): { top: BlockNode; base: BlockNode } {
  const { top: topFile, "top-node": topNode, base: baseFile, "base-node": baseNode } = ends;
  const outside = (name: string) => new MonitorError(`'${name}' is not in this backing file chain`);
  if (topNode !== undefined && topFile !== undefined) {
    throw new MonitorError("'top-node' and 'top' are mutually exclusive");
  }
  let top = active;
  if (topNode !== undefined) {
    top = namedNode(graph, topNode);
    if (!isBelow(active, top)) throw outside(topNode);
  } else if (topFile !== undefined && topFile !== active.filename) {
    const found = findBacking(active, topFile)?.backing;
    if (found === undefined) throw new MonitorError(`Top image file ${topFile} not found`);
    top = found;
  }
  if (baseNode !== undefined && baseFile !== undefined) {
    throw new MonitorError("'base-node' and 'base' are mutually exclusive");
  }
  let base: BlockNode;
  if (baseNode !== undefined) {
    base = namedNode(graph, baseNode);
    if (!isBelow(active, base)) throw outside(baseNode);
  } else if (baseFile !== undefined) {
    const found = findBacking(top, baseFile)?.backing;
    if (found === undefined) throw new MonitorError(`Can't find '${baseFile}' in the backing chain`);
    base = found;
  } else base = layersAbove(top).at(-1)!;
  if (top === base || !isBelow(top, base)) throw new MonitorError("cannot commit an image into itself");
  return { top, base };
}

export const blockCommit = qmpCommand({
  name: "block-commit",
  summary: "Copies layers into one below them; the layer that the guest writes is left when the job is completed.",
  data: struct({
    "job-id": optional(str),
    device: str,
    "base-node": optional(str),
    base: optional(str, ["deprecated"]),
    "top-node": optional(str),
    top: optional(str, ["deprecated"]),
    "backing-file": optional(str),
    ...jobMembers,
  }),
  async run({ graph }, data) {
    const { device, "backing-file": backingFile, "on-error": policy } = data;
    if (graph.find(device) === undefined && graph.backends.get(device)?.node === undefined) {
      throw new MonitorError(`Device '${device}' not found`, { class: "DeviceNotFound" });
    }
    const active = rootNode(graph, device);
    graph.jobs.refuseBusy(active, "commit-source");
    const { top, base } = commitEnds(graph, active, data);
    for (const layer of [...layersAbove(top, base), base]) graph.jobs.refuseBusy(layer, "commit-target");
    const options = jobOptions(graph, active, data);
    if (top !== active) {
      const overlay = layersAbove(active).find((layer) => layer.backing === top)!;
      await startCommit(graph, { ...options, top, base, overlay, backingFile, onError: policy });
      return;
    }
    if (backingFile !== undefined) {
      throw new MonitorError(`'backing-file' specified, but 'top' is the active layer`);
    }
    const errors = { onSourceError: policy, onTargetError: policy };
    await startMirror(graph, { ...options, ...errors, source: active, target: base, sync: "full", type: "commit" });
  },
});
