/**
 * The snapshot table in a check: read anew with what is wrong about it, and written anew once counts can be trusted.
 *
 * Source: [QCOW2] "Snapshots".
 *
 * @module
 */
import { errnoText } from "../../../base/errno.ts";
import { BlockError, errnoOf } from "../../errors.ts";
import { CheckStopped, type Findings, type Fix } from "./check_findings.ts";
import { MAX_SNAPSHOTS } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { readSnapshotTable, REQUIRED_EXTRA_BYTES, type TableRepair } from "./snapshot_table.ts";
import { writeSnapshotTable } from "./snapshots.ts";

/**
 * Reads the table that the header points to into the image.
 *
 * @throws {CheckStopped} where it cannot be read at all
 */
export async function checkSnapshotTable(image: Qcow2Image, findings: Findings, fix: Fix): Promise<void> {
  const { header } = image;
  const mend = fix === "all";
  const repair: TableRepair = { say: (line) => findings.messages.push(line), recordsCut: 0, extraCut: 0 };
  // What an open image knows of its snapshots stays known where the table cannot be read now.
  const recorded = header.snapshotCount;
  if (header.snapshotCount > MAX_SNAPSHOTS && mend) {
    findings.messages.push(`Discarding ${header.snapshotCount - MAX_SNAPSHOTS} overhanging snapshots`);
    findings.corruptions += header.snapshotCount - MAX_SNAPSHOTS;
    header.snapshotCount = MAX_SNAPSHOTS;
  }
  refuseTable(image, findings);
  try {
    const { snapshots, bytes } = await readSnapshotTable(image.file, header, mend ? repair : undefined);
    image.snapshots = snapshots;
    image.snapshotTableBytes = bytes;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    findings.checkErrors++;
    throw new CheckStopped(errnoOf(error), `ERROR failed to read the snapshot table: ${error.message}`);
  }
  if (header.snapshotCount !== recorded || image.snapshots.length !== recorded) await writeCount(image, findings);
  findings.corruptions += repair.recordsCut + repair.extraCut;
  if (header.version < 3) return;
  for (const [index, { extraBytes }] of image.snapshots.entries()) {
    if (extraBytes === undefined || extraBytes >= REQUIRED_EXTRA_BYTES) continue;
    findings.corruptions++;
    findings.messages.push(`${mend ? "Repairing" : "ERROR"} snapshot table entry ${index} is incomplete`);
  }
}

/** What was cut off is gone from the header at once, so that nothing reads beyond what is kept. */
async function writeCount(image: Qcow2Image, findings: Findings): Promise<void> {
  image.header.snapshotCount = image.snapshots.length;
  const field = new Uint8Array(4);
  new DataView(field.buffer).setUint32(0, image.snapshots.length);
  try {
    await image.file.write(60, field);
    await image.file.flush();
  } catch (error) {
    findings.checkErrors++;
    findings.messages.push(
      `ERROR failed to update the snapshot count in the image header: ${errnoText(errnoOf(error))}`,
    );
    throw error;
  }
}

function refuseTable(image: Qcow2Image, findings: Findings): void {
  const { snapshotCount, snapshotsOffset } = image.header;
  const tooMany = snapshotCount > MAX_SNAPSHOTS;
  if (!tooMany && Number.isSafeInteger(snapshotsOffset) && snapshotsOffset % image.clusterSize === 0) return;
  findings.checkErrors++;
  if (!tooMany) throw new CheckStopped("EINVAL", "ERROR snapshot table offset invalid");
  const over = snapshotCount - MAX_SNAPSHOTS;
  const hint = `You can force-remove all ${over} overhanging snapshots with qemu-img check -r all`;
  throw new CheckStopped("EFBIG", `ERROR snapshot table too large\n${hint}`);
}

/** Writes the table anew where something of it was mended. @throws {BlockError} after saying so */
export async function mendSnapshotTable(image: Qcow2Image, findings: Findings, fix: Fix): Promise<void> {
  if (findings.corruptions === 0 || fix !== "all") return;
  try {
    await writeSnapshotTable(image, image.snapshots);
  } catch (error) {
    findings.checkErrors++;
    findings.messages.push(`ERROR failed to update snapshot table: ${errnoText(errnoOf(error))}`);
    throw error;
  }
  findings.corruptionsFixed += findings.corruptions;
  findings.corruptions = 0;
}
