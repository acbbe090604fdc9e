/**
 * Checking an image: the references that there are against the refcounts, and the marks "exactly one reference" against
 * both; and mending them.
 *
 * Texts and their order are QEMU's. A repair of refcounts that cannot be done one by one builds the whole structure anew
 * (rebuild.ts).
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import { errnoText } from "../../../base/errno.ts";
import type { CheckResult } from "../../driver.ts";
import { errnoOf, ioError } from "../../errors.ts";
import { entryHex, type Findings, type Fix, noFindings, ReferenceWalk } from "./check_counts.ts";
import { INCOMPATIBLE } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { COPIED_HIGH, decodeEntry, ENTRY_BYTES } from "./mapping.ts";
import { AREA } from "./overlap.ts";
import { rebuildRefcounts } from "./rebuild.ts";
import { completeSnapshotTable } from "./snapshots.ts";

/** Looks, and changes nothing. */
export async function checkImage(image: Qcow2Image): Promise<CheckResult> {
  return await examine(image, "none");
}

/**
 * Mends what `fix` says; nothing of the image is dirty in memory, and the lock is held.
 *
 * @throws {BlockError} EIO where refcounts have to be built anew and only leaks may be mended; the messages so far have
 * then gone to the image's warnings
 */
export async function repairImage(image: Qcow2Image, fix: "leaks" | "all"): Promise<CheckResult> {
  const result = await examine(image, fix);
  await image.flushAll();
  if (result.corruptions === 0 && result.checkErrors === 0) {
    image.needsRepair = false;
    await image.markClean();
    await clearCorrupt(image);
  }
  image.allocator.resetHint();
  return result;
}

async function clearCorrupt(image: Qcow2Image): Promise<void> {
  const bit = BigInt(INCOMPATIBLE.corrupt);
  if ((image.header.incompatible & bit) === 0n) return;
  image.header.incompatible &= ~bit;
  await image.writeHeader();
  await image.file.flush();
}

async function examine(image: Qcow2Image, fix: Fix): Promise<CheckResult> {
  const findings = noFindings();
  const incomplete = findIncompleteSnapshots(image, findings, fix);
  const walk = new ReferenceWalk(image, findings, fix);
  await walk.run();
  const first = await compareCounts(walk, "none");
  const wrong = findings.corruptions > 0 || findings.leaks > 0;
  if (findings.rebuild && fix !== "none") {
    if (fix !== "all") {
      findings.messages.push("ERROR need to rebuild refcount structures");
      for (const message of findings.messages) image.settings.warn(message);
      throw ioError("status", "EIO");
    }
    await rebuildAndRecount(walk);
  } else if (fix !== "none" && wrong) {
    await mendCounts(walk, fix, first);
  }
  if (incomplete > 0 && fix === "all") {
    await completeSnapshotTable(image);
    findings.corruptionsFixed += incomplete;
  }
  await checkMarks(walk);
  return resultOf(image, findings);
}

/** Records of the snapshot table that lack extra data; how many. Mending waits until refcounts can be trusted. */
function findIncompleteSnapshots(image: Qcow2Image, findings: Findings, fix: Fix): number {
  let count = 0;
  for (const [index, { incomplete }] of image.snapshots.entries()) {
    if (!incomplete) continue;
    count++;
    findings.messages.push(`${fix === "all" ? "Repairing" : "ERROR"} snapshot table entry ${index} is incomplete`);
  }
  if (fix !== "all") findings.corruptions += count;
  return count;
}

function resultOf(image: Qcow2Image, findings: Findings): CheckResult {
  const { rebuild: _rebuild, ...result } = findings;
  return { ...result, totalClusters: divideCeil(image.header.size, image.clusterSize) };
}

/** Compares refcounts with references, cluster by cluster; with `fix`, sets those that it may. Tells what it found. */
async function compareCounts(walk: ReferenceWalk, fix: Fix): Promise<{ corruptions: number; leaks: number }> {
  const { image, findings, counts } = walk;
  const before = { corruptions: findings.corruptions, leaks: findings.leaks };
  let highest = 0;
  for (let cluster = 0; cluster < counts.length; cluster++) {
    const references = counts.get(cluster);
    let refcount: number;
    try {
      const known = image.refcounts.peek(cluster);
      refcount = known > 0 || (known === 0 && image.refcounts.blockOffset(cluster) === 0)
        ? known
        : await image.allocator.refcount(cluster);
    } catch (error) {
      findings.messages.push(`Can't get refcount for cluster ${cluster}: ${errnoText(errnoOf(error))}`);
      findings.checkErrors++;
      continue;
    }
    if (refcount > 0 || references > 0) highest = cluster;
    if (refcount === references) continue;
    if (refcount === 0) findings.rebuild = true;
    await mendOne(walk, fix, { cluster, refcount, references });
  }
  findings.imageEndOffset = (highest + 1) * image.clusterSize;
  return { corruptions: findings.corruptions - before.corruptions, leaks: findings.leaks - before.leaks };
}

async function mendOne(
  walk: ReferenceWalk,
  fix: Fix,
  what: { cluster: number; refcount: number; references: number },
): Promise<void> {
  const { image, findings } = walk;
  const { cluster, refcount, references } = what;
  const leak = refcount > references;
  const mend = refcount > 0 && fix !== "none" && (leak || fix === "all");
  const verb = mend ? "Repairing" : leak ? "Leaked" : "ERROR";
  findings.messages.push(`${verb} cluster ${cluster} refcount=${refcount} reference=${references}`);
  if (mend) {
    await image.refcounts.set(cluster, references);
    if (leak) findings.leaksFixed++;
    else findings.corruptionsFixed++;
  } else if (leak) findings.leaks++;
  else findings.corruptions++;
}

/** The second comparison, which sets what can be set; what the `first` one found is found again or mended. */
async function mendCounts(
  walk: ReferenceWalk,
  fix: Fix,
  first: { readonly corruptions: number; readonly leaks: number },
): Promise<void> {
  walk.findings.corruptions -= first.corruptions;
  walk.findings.leaks -= first.leaks;
  await compareCounts(walk, fix);
  await walk.image.writeBack(true);
}

async function rebuildAndRecount(walk: ReferenceWalk): Promise<void> {
  const { image, findings } = walk;
  findings.messages.push("Rebuilding refcount structure");
  const { corruptions, leaks } = findings;
  await rebuildRefcounts(walk);
  findings.rebuild = false;
  findings.corruptions = 0;
  findings.leaks = 0;
  // What the old structures took is free now; that is the repair's own doing and counts as nobody's leak.
  const recount = new ReferenceWalk(image, noFindings(), "none");
  await recount.run();
  recount.findings.messages.length = 0;
  await compareCounts(recount, "leaks");
  findings.messages.push(...recount.findings.messages);
  findings.corruptions = recount.findings.corruptions;
  findings.leaks = recount.findings.leaks;
  findings.imageEndOffset = recount.findings.imageEndOffset;
  findings.corruptionsFixed += Math.max(0, corruptions - findings.corruptions);
  findings.leaksFixed += Math.max(0, leaks - findings.leaks);
  await image.writeBack(true);
}

/** The marks in the active tables against the refcounts. */
async function checkMarks(walk: ReferenceWalk): Promise<void> {
  const { image, findings, fix } = walk;
  const clean = findings.corruptions === 0 && findings.leaks === 0 && findings.checkErrors === 0;
  const mend = fix === "all" || (fix === "leaks" && clean);
  for (let index = 0; index < image.l1.length; index++) {
    const offset = image.l1.l2Offset(index);
    if (offset === 0) continue;
    const high = image.l1.high(index);
    const low = image.l1.view.getUint32(index * ENTRY_BYTES + 4);
    const refcount = await countOrSkip(walk, Math.floor(offset / image.clusterSize));
    if (refcount === undefined) continue;
    if ((refcount === 1) !== (high >= COPIED_HIGH)) {
      findings.messages.push(
        `${mend ? "Repairing" : "ERROR"} OFLAG_COPIED L2 cluster: l1_index=${index} ` +
          `l1_entry=${entryHex(high, low)} refcount=${refcount}`,
      );
      if (mend) {
        image.l1.set(index, offset, refcount === 1);
        findings.corruptionsFixed++;
      } else findings.corruptions++;
    }
    await checkTableMarks(walk, offset, mend);
  }
  if (mend) await image.writeBack(true);
}

async function countOrSkip(walk: ReferenceWalk, cluster: number): Promise<number | undefined> {
  try {
    return await walk.image.allocator.refcount(cluster);
  } catch {
    // The comparison has said so already.
    return undefined;
  }
}

async function checkTableMarks(walk: ReferenceWalk, offset: number, mend: boolean): Promise<void> {
  const { image, findings } = walk;
  const bytes = await image.file.readBytes(offset, image.clusterSize);
  const view = new DataView(bytes.buffer);
  let changed = false;
  for (let index = 0; index < image.l2Entries; index++) {
    const high = view.getUint32(index * ENTRY_BYTES);
    const low = view.getUint32(index * ENTRY_BYTES + 4);
    if (high === 0 && low === 0) continue;
    const mapping = decodeEntry(high, low, image.header.clusterBits);
    if (mapping.kind === "unallocated" || mapping.kind === "compressed" || mapping.host === 0) continue;
    const refcount = await countOrSkip(walk, Math.floor(mapping.host / image.clusterSize));
    if (refcount === undefined || (refcount === 1) === mapping.copied) continue;
    findings.messages.push(
      `${mend ? "Repairing" : "ERROR"} OFLAG_COPIED data cluster: l2_entry=${entryHex(high, low)} refcount=${refcount}`,
    );
    if (!mend) {
      findings.corruptions++;
      continue;
    }
    view.setUint32(index * ENTRY_BYTES, refcount === 1 ? high | COPIED_HIGH : high & ~COPIED_HIGH);
    findings.corruptionsFixed++;
    changed = true;
  }
  if (!changed) return;
  image.checkOverlap(offset, bytes.length, AREA.activeL2);
  await image.file.write(offset, bytes);
  image.l2.forget(offset, image.clusterSize);
}
