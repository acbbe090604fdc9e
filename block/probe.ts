/**
 * Guessing a format from an image's first bytes, and what follows when the guess is raw: block 0 must not become
 * another format's header behind our back.
 *
 * @module
 */
import { IoVector } from "../base/io_vector.ts";
import { SECTOR_BYTES } from "../base/units.ts";
import { ioError } from "./errors.ts";
import { foreignFormat } from "./foreign.ts";
import type { BlockGraph } from "./graph.ts";
import type { BlockNode } from "./node.ts";

const PROBE_BYTES = 2048;

/** The name of the format that knows `file` best; it may be one that moa has no driver for. */
export async function probeFormat(graph: BlockGraph, file: BlockNode): Promise<string> {
  if (file.size === 0) return "raw";
  const head = IoVector.allocate(PROBE_BYTES);
  await file.read(0, head);
  return await bestFormat(graph, head.toBytes().subarray(0, Math.min(PROBE_BYTES, file.size)), file.filename);
}

async function bestFormat(graph: BlockGraph, head: Uint8Array, filename: string): Promise<string> {
  let best = "raw";
  let bestScore = 0;
  for (const name of graph.drivers.formats) {
    const definition = await graph.drivers.load(name);
    const score = definition?.probe?.(head, filename) ?? 0;
    if (score <= bestScore) continue;
    best = name;
    bestScore = score;
  }
  const foreign = foreignFormat(head, filename);
  return foreign !== undefined && foreign.score > bestScore ? foreign.name : best;
}

/** Refuses writes that would make a guessed raw image look like another format. */
export function guardProbedRaw(graph: BlockGraph, node: BlockNode): void {
  node.beforeWrite(async ({ at, length, from }) => {
    if (at >= SECTOR_BYTES || length === 0 || from === undefined) return;
    const head = new Uint8Array(SECTOR_BYTES);
    if (at > 0 || length < SECTOR_BYTES) await node.driver.read(0, IoVector.of(head));
    from.slice(0, Math.min(length, SECTOR_BYTES - at)).copyTo(head, at);
    if (await bestFormat(graph, head, node.filename) !== "raw") throw ioError("write", "EPERM", { node: node.name });
  });
}
