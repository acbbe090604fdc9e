/**
 * The references that were counted against the image's own counts, cluster by cluster, and mending those that differ.
 *
 * Source: [QCOW2] "Host cluster management".
 *
 * @module
 */
import { errnoText } from "../../../base/errno.ts";
import { LAST_OFFSET } from "./check_blocks.ts";
import type { Fix } from "./check_findings.ts";
import type { ReferenceWalk } from "./check_references.ts";
import { readCount, writeCount } from "./refcounts.ts";
import type { Table } from "./table_cache.ts";

/** Once a count differs, how many clusters come one by one before the quick way is tried again. */
const RESUME_CLUSTERS = 4096;

/**
 * Compares all clusters of the file; with `fix`, sets the counts that it may.
 *
 * @returns whether all counts are now what was counted
 */
export async function compareCounts(walk: ReferenceWalk, fix: Fix): Promise<boolean> {
  const { image, findings, references } = walk;
  const perBlock = image.refcounts.blockEntries;
  let highest = 0;
  const before = findings.corruptions + findings.leaks + findings.checkErrors;
  for (let first = 0; first < references.length; first += perBlock) {
    const end = Math.min(first + perBlock, references.length);
    const block = await loadBlock(walk, first);
    if (block === "unreadable") {
      for (let cluster = first; cluster < end; cluster++) sayUnreadable(walk, cluster);
      continue;
    }
    const freed: number[] = [];
    const last = compareBlock(walk, { block, first, end, fix, freed });
    if (last > highest) highest = last;
    await discard(walk, freed);
    await image.relieve();
  }
  findings.imageEndOffset = (highest + 1) * image.clusterSize;
  return findings.corruptions + findings.leaks + findings.checkErrors === before;
}

async function loadBlock(walk: ReferenceWalk, cluster: number): Promise<Table | undefined | "unreadable"> {
  const { refcounts } = walk.image;
  const offset = refcounts.blockOffset(cluster);
  if (offset === 0) return undefined;
  if (offset >= LAST_OFFSET) return "unreadable";
  try {
    // Complains where the block is not aligned.
    await walk.image.allocator.refcount(cluster);
    await refcounts.cache.load(offset);
    return refcounts.cache.lookup(offset) ?? "unreadable";
  } catch {
    return "unreadable";
  }
}

function sayUnreadable(walk: ReferenceWalk, cluster: number): void {
  walk.findings.messages.push(`Can't get refcount for cluster ${cluster}: ${errnoText("EIO")}`);
  walk.findings.checkErrors++;
}

/** Compares what one block counts; the last cluster in use, 0 for none. */
function compareBlock(
  walk: ReferenceWalk,
  what: { block: Table | undefined; first: number; end: number; fix: Fix; freed: number[] },
): number {
  const { image, findings, references } = walk;
  const { block, first, end, fix } = what;
  const { order } = image.refcounts;
  const { counts } = references;
  let highest = 0;
  const view = block?.view;
  for (let cluster = first; cluster < end; cluster++) {
    if ((cluster - first) % RESUME_CLUSTERS === 0 && block !== undefined && counts instanceof Uint16Array) {
      const run = equalRun(block.bytes, counts, first, cluster, end);
      highest = Math.max(highest, run.highest);
      cluster = run.end;
      if (cluster >= end) break;
    }
    const refcount = view === undefined
      ? 0
      : order === 4
      ? view.getUint16((cluster - first) * 2)
      : readCount(view, cluster - first, order);
    const wanted = counts[cluster]!;
    if (refcount > 0 || wanted > 0) highest = cluster;
    if (refcount === wanted) continue;
    if (refcount === 0) findings.rebuild = true;
    const leak = refcount > wanted;
    const mend = block !== undefined && refcount > 0 && fix !== "none" && (leak || fix === "all");
    const verb = mend ? "Repairing" : leak ? "Leaked" : "ERROR";
    // Such a count may have more bits than a double.
    const shown = refcount > Number.MAX_SAFE_INTEGER ? block?.view.getBigUint64((cluster - first) * 8) : refcount;
    findings.messages.push(`${verb} cluster ${cluster} refcount=${shown} reference=${wanted}`);
    if (mend) {
      writeCount(block.view, cluster - first, order, wanted);
      image.refcounts.cache.markDirty(block);
      if (leak) findings.leaksFixed++;
      else findings.corruptionsFixed++;
      if (wanted === 0) what.freed.push(cluster);
    } else if (leak) findings.leaks++;
    else findings.corruptions++;
  }
  return highest;
}

/**
 * How far counts of 16 bits from cluster `from` on are what was counted, two in a step; `first` is the block's first
 * cluster. Also the last of them that is in use, 0 for none.
 */
function equalRun(
  bytes: Uint8Array<ArrayBuffer>,
  counts: Uint16Array,
  first: number,
  from: number,
  end: number,
): { end: number; highest: number } {
  const stored = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const counted = new Int32Array(counts.buffer, 0, counts.length >> 1);
  let highest = -1;
  let cluster = from;
  for (; cluster + 1 < end; cluster += 2) {
    const pair = counted[cluster >> 1]!;
    // The file has the higher byte first.
    if (((pair & 0x00ff_00ff) << 8 | pair >>> 8 & 0x00ff_00ff) !== stored[(cluster - first) >> 1]!) break;
    if (pair !== 0) highest = cluster;
  }
  if (highest >= 0 && counts[highest + 1] !== 0) highest++;
  return { end: cluster, highest: Math.max(0, highest) };
}

/** Nobody refers to these clusters: the file may have them back. */
async function discard(walk: ReferenceWalk, clusters: readonly number[]): Promise<void> {
  const { file, clusterSize } = walk.image;
  for (let i = 0; i < clusters.length;) {
    let end = i + 1;
    while (end < clusters.length && clusters[end] === clusters[end - 1]! + 1) end++;
    try {
      await file.discard(clusters[i]! * clusterSize, (end - i) * clusterSize);
    } catch {
      // A file that cannot give space back keeps it; nothing is lost.
    }
    i = end;
  }
}
