/**
 * A mark on a node that tells once when a write reaches beyond it: so that whoever gives the image room does so in time.
 *
 * Source: qapi/block-core.json, `block-set-write-threshold`, `BLOCK_WRITE_THRESHOLD`.
 *
 * @module
 */
import type { BlockGraph } from "./graph.ts";
import type { BlockNode } from "./node.ts";

/** A mark that is set. */
export interface WriteThreshold {
  readonly bytes: number;
  readonly remove: () => void;
}

/** Tells once of a write that ends beyond `bytes`; 0 takes the mark away. The one before is forgotten. */
export function setWriteThreshold(graph: BlockGraph, node: BlockNode, bytes: number): void {
  node.writeThreshold?.remove();
  node.writeThreshold = undefined;
  if (bytes === 0) return;
  const remove = node.beforeWrite(({ at, length, kind }) => {
    const end = at + length;
    if (end <= bytes || kind === "grow") return;
    setWriteThreshold(graph, node, 0);
    const data = { "node-name": node.name, "amount-exceeded": end - bytes, "write-threshold": bytes };
    graph.events.emit("event", { name: "BLOCK_WRITE_THRESHOLD", data });
  });
  node.writeThreshold = { bytes, remove };
}
