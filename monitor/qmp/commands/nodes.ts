/**
 * Nodes that come and go, and their size.
 *
 * Source: qapi/block-core.json.
 *
 * @module
 */
import {
  ALL_PERMISSIONS,
  BlockBackend,
  type BlockGraph,
  type BlockNode,
  checkBlockdevAdd,
  type OptionTree,
  optionValue,
  Permission,
  visibleNode,
} from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { int, optional, str, struct, unchecked } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { blockdevOptions } from "../types/blockdev.ts";

export const blockdevAdd = qmpCommand({
  name: "blockdev-add",
  summary: "Opens a node, with all below it.",
  data: unchecked,
  described: blockdevOptions,
  async run({ graph }, data) {
    await graph.open(checkBlockdevAdd(optionValue(data) as OptionTree));
  },
});

export const blockdevDel = qmpCommand({
  name: "blockdev-del",
  summary: "Lets go of a node that blockdev-add made and that nobody uses.",
  data: struct({ "node-name": str }),
  async run({ graph }, { "node-name": name }) {
    const node = graph.find(name);
    if (node === undefined) throw new MonitorError(`Failed to find node with node-name='${name}'`);
    const drive = node.parents.find(({ owner }) => owner instanceof BlockBackend);
    if (drive !== undefined) throw new MonitorError(`Node ${name} is in use`);
    graph.jobs.refuseBusy(node, "other");
    if (!graph.isHeld(node)) throw new MonitorError(`Node ${name} is not owned by the monitor`);
    if (node.parents.length > 0) throw new MonitorError(`Block device ${name} is in use`);
    await graph.release(node);
  },
});

/** The node of a drive, or of a name. @throws {MonitorError} */
export function deviceNode(graph: BlockGraph, device: string | undefined, name: string | undefined): BlockNode {
  if (device !== undefined) {
    const drive = graph.backends.get(device);
    if (drive !== undefined) {
      if (drive.node === undefined) throw new MonitorError(`Device '${device}' has no medium`);
      return drive.node;
    }
  }
  const node = name === undefined ? undefined : graph.find(name);
  if (node !== undefined) return node;
  throw new MonitorError(`Cannot find device='${device ?? ""}' nor node-name='${name ?? ""}'`);
}

/** Changes the size of a node; whoever else has it is asked. */
export async function resizeNode(graph: BlockGraph, node: BlockNode, sizeBytes: number): Promise<void> {
  if (sizeBytes < 0) throw new MonitorError("Parameter 'size' expects a >0 size");
  if ((node.inactive ?? node).readOnly) throw new MonitorError("Image is read-only");
  await using resizer = new BlockBackend({ graph, used: Permission.resize, shared: ALL_PERMISSIONS });
  await resizer.insertMedium(node);
  await node.drainedBegin();
  try {
    await node.truncate(sizeBytes);
  } finally {
    node.drainedEnd();
  }
}

export const blockResize = qmpCommand({
  name: "block_resize",
  summary: "Changes the size of a drive's image, or of a node.",
  data: struct({ device: optional(str), "node-name": optional(str), size: int }),
  run({ graph }, { device, "node-name": name, size }) {
    const node = visibleNode(deviceNode(graph, device, name));
    // As the real program has it, even where no device was named.
    if (graph.jobs.list().some((job) => job.blocks(node))) {
      throw new MonitorError(`Device '${device ?? "(null)"}' is in use`);
    }
    return resizeNode(graph, node, size);
  },
});
