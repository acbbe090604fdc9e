/**
 * Checking an image: the references that there are against the refcounts, and the marks "exactly one reference" against
 * both; and mending them.
 *
 *     snapshot table (check_snapshots) -> references (check_references, check_l2, check_blocks, check_bitmaps)
 *       -> counts (check_compare; rebuild, where they cannot be mended one by one) -> marks (check_marks)
 *
 * Texts and their order are QEMU's, as are the numbers.
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import type { CheckResult } from "../../driver.ts";
import { BlockError, errnoOf, ioError } from "../../errors.ts";
import { compareCounts } from "./check_compare.ts";
import { CheckStopped, type Findings, type Fix, noFindings } from "./check_findings.ts";
import { checkMarks } from "./check_marks.ts";
import { ReferenceWalk } from "./check_references.ts";
import { checkSnapshotTable, mendSnapshotTable } from "./check_snapshots.ts";
import { INCOMPATIBLE } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { registerInactiveL2 } from "./overlap_inactive.ts";
import { rebuildRefcounts } from "./rebuild.ts";

/** Looks, and changes nothing. */
export async function checkImage(image: Qcow2Image): Promise<CheckResult> {
  return await examine(image, "none");
}

/** Mends what `fix` says; nothing of the image is dirty in memory, and the lock is held. */
export async function repairImage(image: Qcow2Image, fix: "leaks" | "all"): Promise<CheckResult> {
  const result = await examine(image, fix);
  // Mended counts are in memory so far; where a contradiction came up on the way, they had better stay there.
  if (!image.broken) await image.flushAll();
  image.allocator.resetHint();
  if (result.failure !== undefined || result.corruptions > 0 || result.checkErrors > 0) return result;
  image.needsRepair = false;
  await image.markClean();
  await clearCorrupt(image);
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
  image.ensureWorking("status");
  const findings = noFindings();
  const { settings } = image;
  // What other parts say on the way has its place between the lines of the check.
  image.settings = { ...settings, warn: (line) => void findings.messages.push(line) };
  let failure: CheckResult["failure"];
  try {
    await examineAll(image, findings, fix);
  } catch (error) {
    if (error instanceof CheckStopped) failure = { errno: error.errno, report: error.report };
    else if (error instanceof BlockError) failure = { errno: errnoOf(error) };
    else throw error;
  } finally {
    image.settings = { ...image.settings, warn: settings.warn };
  }
  const { rebuild: _, ...result } = findings;
  return {
    ...result,
    totalClusters: divideCeil(image.header.size, image.clusterSize),
    ...(failure === undefined ? {} : { failure, checkErrors: Math.max(1, result.checkErrors) }),
  };
}

async function examineAll(image: Qcow2Image, findings: Findings, fix: Fix): Promise<void> {
  // The table's own findings stay apart until counts are right: only then can it be written.
  const ofTable = noFindings(findings.messages);
  try {
    await checkSnapshotTable(image, ofTable, fix);
    if (!image.readOnly) image.registerMetadata();
    await registerInactiveL2(image);
    await examineCounts(image, findings, fix);
    await mendSnapshotTable(image, ofTable, fix);
  } finally {
    findings.corruptions += ofTable.corruptions;
    findings.corruptionsFixed += ofTable.corruptionsFixed;
    findings.checkErrors += ofTable.checkErrors;
  }
}

async function examineCounts(image: Qcow2Image, findings: Findings, fix: Fix): Promise<void> {
  const walk = new ReferenceWalk(image, findings, fix);
  await walk.run();
  const before = { corruptions: findings.corruptions, leaks: findings.leaks };
  let agree = await compareCounts(walk, "none");
  if (findings.rebuild && fix === "all") {
    await rebuildAndRecount(walk);
    agree = false;
  } else if (fix !== "none") {
    if (findings.rebuild) {
      findings.messages.push("ERROR need to rebuild refcount structures");
      throw ioError("status", "EIO");
    }
    if (findings.leaks > 0 || findings.corruptions > 0) {
      // What was only counted is found again now, and mended.
      Object.assign(findings, before);
      agree = await compareCounts(walk, fix);
    }
  }
  await checkMarks(walk, agree && !findings.rebuild);
}

async function rebuildAndRecount(walk: ReferenceWalk): Promise<void> {
  const { image, findings } = walk;
  const { corruptions, leaks } = findings;
  findings.messages.push("Rebuilding refcount structure");
  await rebuildRefcounts(walk);
  findings.rebuild = false;
  findings.corruptions = 0;
  findings.leaks = 0;
  const recount = new ReferenceWalk(image, findings, "none");
  await recount.run();
  // What the old structures took is free now; that is the repair's own doing and counts as nobody's leak.
  const counted = { ...findings };
  await compareCounts(recount, "leaks");
  if (findings.rebuild) findings.messages.push("ERROR rebuilt refcount structure is still broken");
  Object.assign(findings, counted, { imageEndOffset: findings.imageEndOffset });
  findings.corruptionsFixed += Math.max(0, corruptions - findings.corruptions);
  findings.leaksFixed += Math.max(0, leaks - findings.leaks);
}
