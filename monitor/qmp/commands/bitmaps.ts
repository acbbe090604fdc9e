/**
 * Dirty bitmaps by node and name.
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
  disableBitmap,
  enableBitmap,
  mergeBitmaps,
  removeBitmap,
} from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { alternate, bool, list, optional, str, struct, uint32 } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";

/** The node of a bitmap. @throws {MonitorError} */
function nodeOf(graph: BlockGraph, name: string): BlockNode {
  const node = graph.find(name) ?? graph.backends.get(name)?.node;
  if (node === undefined) throw new MonitorError(`Node '${name}' not found`);
  return node;
}

const address = struct({ node: str, name: str });

export const bitmapAdd = qmpCommand({
  name: "block-dirty-bitmap-add",
  summary: "Gives a node a bitmap in which nothing is dirty.",
  data: struct({
    node: str,
    name: str,
    granularity: optional(uint32),
    persistent: optional(bool),
    disabled: optional(bool),
  }),
  async run({ graph }, { node, name, granularity, persistent = false, disabled = false }) {
    await addBitmap(graph.lookup(node), {
      name,
      persistent,
      disabled,
      ...(granularity === undefined ? {} : { granularityBytes: granularity }),
    });
  },
});

export const bitmapRemove = qmpCommand({
  name: "block-dirty-bitmap-remove",
  summary: "Removes a bitmap, from the image too.",
  data: address,
  run: ({ graph }, { node, name }) => removeBitmap(nodeOf(graph, node), name),
});

export const bitmapClear = qmpCommand({
  name: "block-dirty-bitmap-clear",
  summary: "Makes nothing dirty in a bitmap.",
  data: address,
  run: ({ graph }, { node, name }) => clearBitmap(nodeOf(graph, node), name),
});

export const bitmapEnable = qmpCommand({
  name: "block-dirty-bitmap-enable",
  summary: "Has a bitmap follow writes.",
  data: address,
  run: ({ graph }, { node, name }) => enableBitmap(nodeOf(graph, node), name),
});

export const bitmapDisable = qmpCommand({
  name: "block-dirty-bitmap-disable",
  summary: "Keeps a bitmap as it is.",
  data: address,
  run: ({ graph }, { node, name }) => disableBitmap(nodeOf(graph, node), name),
});

export const bitmapMerge = qmpCommand({
  name: "block-dirty-bitmap-merge",
  summary: "Makes dirty in one bitmap what is dirty in others; all of them or none.",
  data: struct({ node: str, target: str, bitmaps: list(alternate("BlockDirtyBitmapOrStr", str, address)) }),
  run({ graph }, { node, target, bitmaps }) {
    const sources = bitmaps.map((one) =>
      typeof one === "string" ? one : { node: nodeOf(graph, one.node), name: one.name }
    );
    mergeBitmaps(nodeOf(graph, node), target, sources);
  },
});

export const bitmapSha = qmpCommand({
  name: "x-debug-block-dirty-bitmap-sha256",
  summary: "A checksum of a bitmap's content, for tests.",
  data: address,
  returns: struct({ sha256: str }),
  features: ["unstable"],
  run: async ({ graph }, { node, name }) => ({ sha256: await bitmapSha256(nodeOf(graph, node), name) }),
});
