/**
 * Looking through a backing chain: which layer holds a run of bytes, and what it says of them.
 *
 * @module
 */
import type { Extent } from "./driver.ts";
import { ioError } from "./errors.ts";
import type { BlockNode } from "./node.ts";

/** A run as the whole chain has it. */
export interface ChainExtent {
  /** At least 1, at most what was asked for. */
  readonly lengthBytes: number;
  readonly kind: "data" | "zero";
  /** The layer that decides: 0 is the node that was asked. */
  readonly depth: number;
  /** Whether that layer holds the run, rather than there being nobody below it. */
  readonly present: boolean;
  readonly layer: BlockNode;
  /** What the layer itself says. */
  readonly extent: Extent;
}

/** The images of a chain, the top first, down to `base`, which is left out; filters between them are too. */
export function layersAbove(top: BlockNode, base?: BlockNode): BlockNode[] {
  return nodesAbove(top, base).filter(({ driver }) => driver.filtered === undefined);
}

/** The same with the filters. */
function nodesAbove(top: BlockNode, base?: BlockNode): BlockNode[] {
  const nodes: BlockNode[] = [];
  for (let node: BlockNode | undefined = top; node !== undefined && node !== base;) {
    nodes.push(node);
    node = node.driver.filtered ?? node.backing;
  }
  return nodes;
}

/** What the chain from `top` down says of the first run of `length` bytes at `at`, which lie inside `top`. */
export async function chainStatus(top: BlockNode, at: number, length: number): Promise<ChainExtent> {
  let run = Math.min(length, top.size - at);
  // Who copies a chain while its images are closed finds nothing there any more.
  if (run <= 0) throw ioError("status", "ENOMEDIUM");
  let depth = 0;
  const nodes = nodesAbove(top);
  for (const [index, layer] of nodes.entries()) {
    const below = nodes[index + 1];
    const extent = await layer.status(at, Math.min(run, layer.size - at));
    run = Math.min(run, extent.lengthBytes);
    // A filter is no layer, and was asked only since it may refuse: the layer below it says more.
    if (layer.driver.filtered !== undefined) continue;
    // Nobody below, or only somebody too short: zeroes that no layer holds.
    if (extent.kind === "unallocated" && below !== undefined && at < below.size) {
      depth++;
      continue;
    }
    const present = extent.kind !== "unallocated";
    return { lengthBytes: run, kind: extent.kind === "data" ? "data" : "zero", depth, present, layer, extent };
  }
  throw new RangeError("a chain has at least one layer");
}

/**
 * Whether any layer from `top` down to `base`, which is left out, holds the first run, and how long that run is. Behind
 * the end of a short layer there are zeroes, as if it held them.
 */
export async function isAllocatedAbove(
  top: BlockNode,
  base: BlockNode | undefined,
  at: number,
  length: number,
): Promise<{ readonly allocated: boolean; readonly lengthBytes: number }> {
  let run = length;
  for (const layer of nodesAbove(top, base)) {
    if (at >= layer.size) return { allocated: true, lengthBytes: run };
    const extent = await layer.status(at, Math.min(run, layer.size - at));
    if (extent.kind !== "unallocated") return { allocated: true, lengthBytes: Math.min(run, extent.lengthBytes) };
    run = Math.min(run, extent.lengthBytes);
  }
  return { allocated: false, lengthBytes: run };
}
