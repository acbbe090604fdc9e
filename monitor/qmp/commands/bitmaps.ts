/**
 * Dirty bitmaps by node and name, each change by itself or as part of a transaction.
 *
 * Source: qapi/block-core.json; docs/interop/bitmaps.
 *
 * @module
 */
import {
  addBitmap,
  bitmapSha256,
  type BlockGraph,
  type BlockNode,
  clearBitmap,
  DirtyBitmap,
  disableBitmap,
  enableBitmap,
  findBitmap,
  mergeBitmaps,
} from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { alternate, bool, type Infer, list, optional, str, struct, uint32 } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { changeTogether, type Prepare, type PreparedChange } from "./actions.ts";

/** The node of a bitmap. @throws {MonitorError} */
function nodeOf(graph: BlockGraph, name: string): BlockNode {
  const node = graph.find(name) ?? graph.backends.get(name)?.node;
  if (node === undefined) throw new MonitorError(`Node '${name}' not found`);
  return node;
}

export const bitmapAddress = struct({ node: str, name: str });
type Address = Infer<typeof bitmapAddress>;

export const bitmapAddData = struct({
  node: str,
  name: str,
  granularity: optional(uint32),
  persistent: optional(bool),
  disabled: optional(bool),
});

export const bitmapMergeData = struct({
  node: str,
  target: str,
  bitmaps: list(alternate("BlockDirtyBitmapOrStr", str, bitmapAddress)),
});

/** Adds a bitmap. */
export function addAction(graph: BlockGraph, data: Infer<typeof bitmapAddData>): Prepare {
  return async () => {
    const { granularity, persistent = false, disabled = false } = data;
    const node = graph.lookup(data.node);
    const bitmap = await addBitmap(node, {
      name: data.name,
      persistent,
      disabled,
      ...(granularity === undefined ? {} : { granularityBytes: granularity }),
    });
    return { abort: () => drop(node, bitmap) };
  };
}

/** Removes a bitmap, from the image too; until the end nobody can use it. */
export function removeAction(graph: BlockGraph, { node: nodeName, name }: Address): Prepare {
  return async () => {
    const node = nodeOf(graph, nodeName);
    const bitmap = findBitmap(node, name);
    bitmap.refuseUnusable({ inconsistent: true });
    const { persistent } = bitmap;
    if (persistent) await node.driver.bitmapStore?.remove(name);
    bitmap.persistent = false;
    bitmap.busy = true;
    return {
      commit: () => drop(node, bitmap),
      abort() {
        // It is still whole, and so is kept by the image when that is closed.
        bitmap.persistent = persistent;
        bitmap.busy = false;
      },
    };
  };
}

function drop(node: BlockNode, bitmap: DirtyBitmap): void {
  node.bitmaps.splice(node.bitmaps.indexOf(bitmap), 1);
}

/** Changes what is dirty in a bitmap; taken back, all is dirty again that was. */
function changeContent(node: BlockNode, name: string, change: () => void): PreparedChange {
  const bitmap = findBitmap(node, name);
  const { sizeBytes, granularityBytes } = bitmap;
  const before = new DirtyBitmap({ sizeBytes, granularityBytes });
  before.merge(bitmap);
  change();
  return {
    abort() {
      bitmap.clear();
      bitmap.merge(before);
    },
  };
}

/** Makes nothing dirty in a bitmap. */
export function clearAction(graph: BlockGraph, { node: nodeName, name }: Address): Prepare {
  return () => {
    const node = nodeOf(graph, nodeName);
    return changeContent(node, name, () => clearBitmap(node, name));
  };
}

/** Has a bitmap follow writes, or not. */
export function recordAction(graph: BlockGraph, { node: nodeName, name }: Address, records: boolean): Prepare {
  return () => {
    const node = nodeOf(graph, nodeName);
    const bitmap = findBitmap(node, name);
    const before = bitmap.enabled;
    if (records) enableBitmap(node, name);
    else disableBitmap(node, name);
    return { abort: () => void (bitmap.enabled = before) };
  };
}

/** Makes dirty in one bitmap what is dirty in others. */
export function mergeAction(graph: BlockGraph, data: Infer<typeof bitmapMergeData>): Prepare {
  return () => {
    const node = nodeOf(graph, data.node);
    const sources = data.bitmaps.map((one) =>
      typeof one === "string" ? one : { node: nodeOf(graph, one.node), name: one.name }
    );
    return changeContent(node, data.target, () => mergeBitmaps(node, data.target, sources));
  };
}

export const bitmapAdd = qmpCommand({
  name: "block-dirty-bitmap-add",
  summary: "Gives a node a bitmap in which nothing is dirty.",
  data: bitmapAddData,
  run: ({ graph }, data) => changeTogether([addAction(graph, data)]),
});

export const bitmapRemove = qmpCommand({
  name: "block-dirty-bitmap-remove",
  summary: "Removes a bitmap, from the image too.",
  data: bitmapAddress,
  run: ({ graph }, data) => changeTogether([removeAction(graph, data)]),
});

export const bitmapClear = qmpCommand({
  name: "block-dirty-bitmap-clear",
  summary: "Makes nothing dirty in a bitmap.",
  data: bitmapAddress,
  run: ({ graph }, { node, name }) => clearBitmap(nodeOf(graph, node), name),
});

export const bitmapEnable = qmpCommand({
  name: "block-dirty-bitmap-enable",
  summary: "Has a bitmap follow writes.",
  data: bitmapAddress,
  run: ({ graph }, data) => changeTogether([recordAction(graph, data, true)]),
});

export const bitmapDisable = qmpCommand({
  name: "block-dirty-bitmap-disable",
  summary: "Keeps a bitmap as it is.",
  data: bitmapAddress,
  run: ({ graph }, data) => changeTogether([recordAction(graph, data, false)]),
});

export const bitmapMerge = qmpCommand({
  name: "block-dirty-bitmap-merge",
  summary: "Makes dirty in one bitmap what is dirty in others; all of them or none.",
  data: bitmapMergeData,
  run: ({ graph }, data) => changeTogether([mergeAction(graph, data)]),
});

export const bitmapSha = qmpCommand({
  name: "x-debug-block-dirty-bitmap-sha256",
  summary: "A checksum of a bitmap's content, for tests.",
  data: bitmapAddress,
  returns: struct({ sha256: str }),
  features: ["unstable"],
  run: async ({ graph }, { node, name }) => ({ sha256: await bitmapSha256(nodeOf(graph, node), name) }),
});
