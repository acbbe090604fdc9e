/**
 * What a whole chain says of a run of bytes, in the terms of `map`, `compare` and `convert`: stored or not, zero or not,
 * by which layer, where.
 *
 * One run is one answer: callers that want long runs ask on and join what is equal. Left out: looking for zeroes inside
 * of data.
 *
 * @module
 */
import { chainStatus } from "./chain.ts";
import type { BlockNode } from "./node.ts";

/** A run as the chain from a node down has it. */
export interface BlockStatus {
  /** At least 1, at most what was asked for. */
  readonly lengthBytes: number;
  /** Bytes are stored for it. With `zero` too: room is kept, and a hole lies there. */
  readonly data: boolean;
  /** It reads as zeroes. */
  readonly zero: boolean;
  /** A layer holds the run, be it as zeroes. */
  readonly allocated: boolean;
  /** The layer that decides: 0 is the node that was asked. */
  readonly depth: number;
  /** Where the bytes lie, in `file`, linear over the run. */
  readonly hostOffset?: number;
  readonly file?: BlockNode;
}

/** The first run of `length` bytes at `at`, which lie inside `top`. */
export async function blockStatus(top: BlockNode, at: number, length: number): Promise<BlockStatus> {
  const found = await chainStatus(top, at, length);
  const { extent, layer, depth, present: allocated } = found;
  let { lengthBytes } = found;
  const data = found.kind === "data";
  let zero = !data;
  const { hostOffset } = extent;
  const file = extent.node ?? fileOf(layer);
  if (hostOffset === undefined) return { lengthBytes, data, zero, allocated, depth };
  if (data && extent.mayBeHole === true) {
    const below = await file.status(hostOffset, lengthBytes);
    if (below.kind !== "data") {
      zero = true;
      // What lies behind the end of the file reads as zeroes with it.
      if (hostOffset + below.lengthBytes < file.size) lengthBytes = Math.min(lengthBytes, below.lengthBytes);
    } else lengthBytes = Math.min(lengthBytes, below.lengthBytes);
  }
  return { lengthBytes, data, zero, allocated, depth, hostOffset, file };
}

/** The node in which a layer's bytes lie. */
function fileOf(layer: BlockNode): BlockNode {
  return layer.child("file") ?? layer;
}
