/**
 * The L2 tables of snapshots among the metadata that no write may hit: only `overlap-check=all` asks for them, since they
 * are found by reading every snapshot's L1 table.
 *
 * Read once, when the set of snapshots changes, and not for each write.
 *
 * @module
 */
import type { Qcow2Image } from "./image.ts";
import { ENTRY_BYTES, entryOffset } from "./mapping.ts";
import { AREA } from "./overlap.ts";
import { snapshotL1Problem } from "./snapshot_table.ts";

/** Enters the L2 tables of all snapshots anew, where somebody wants them watched. */
export async function registerInactiveL2(image: Qcow2Image): Promise<void> {
  const { metadata, clusterSize } = image;
  if (image.readOnly || !metadata.watches(AREA.inactiveL2)) return;
  metadata.removeAll(AREA.inactiveL2);
  for (const snapshot of image.snapshots) {
    if (snapshotL1Problem(snapshot, clusterSize) !== undefined) continue;
    const bytes = await image.file.readBytes(snapshot.l1Offset, snapshot.l1Entries * ENTRY_BYTES);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < bytes.length; at += ENTRY_BYTES) {
      const offset = entryOffset(view.getUint32(at), view.getUint32(at + 4));
      if (offset !== 0) metadata.add(AREA.inactiveL2, offset, clusterSize);
    }
  }
}
