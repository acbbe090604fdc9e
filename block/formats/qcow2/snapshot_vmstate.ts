/**
 * The VM state that a snapshot keeps, read through the snapshot's own L1 table while the active state stays as it is.
 *
 * So a machine can look at a state, and refuse it, before anything changes. VM state has no backing file, and what it
 * does not allocate reads as zeroes.
 *
 * Source: [QCOW2] "Snapshots", "Cluster mapping".
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import type { IoVector } from "../../../base/io_vector.ts";
import { readUnaligned } from "./encryption.ts";
import { formatError } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";
import { ENTRY_BYTES, entryOffset } from "./mapping.ts";
import { snapshotL1Problem } from "./snapshot_table.ts";
import { findSnapshot } from "./snapshots.ts";

/** Fills `into` from byte `at` of the VM state in snapshot `id`. @throws {BlockError} for a damaged table */
export async function readSnapshotVmState(image: Qcow2Image, id: string, at: number, into: IoVector): Promise<void> {
  const snapshot = findSnapshot(image, id);
  const problem = snapshotL1Problem(snapshot, image.clusterSize);
  if (problem !== undefined) throw formatError(problem, "EFBIG");
  const start = alignUp(snapshot.diskBytes, image.bytesPerL1Entry) + at;
  for (let done = 0; done < into.length;) {
    const offset = start + done;
    const inTable = image.bytesPerL1Entry - offset % image.bytesPerL1Entry;
    const length = Math.min(inTable, into.length - done);
    const index = Math.floor(offset / image.bytesPerL1Entry);
    const l2 = index < snapshot.l1Entries ? await readEntry(image, snapshot.l1Offset, index) : 0;
    await readThroughL2(image, l2, offset, into.slice(done, length));
    done += length;
  }
}

/** The offset that entry `index` of the L1 table at `table` leads to. */
async function readEntry(image: Qcow2Image, table: number, index: number): Promise<number> {
  const [high, low] = halves(await image.file.readBytes(table + index * ENTRY_BYTES, ENTRY_BYTES), 0);
  return entryOffset(high, low);
}

/** Reads within what one L2 table maps; a table at 0 maps nothing. */
async function readThroughL2(image: Qcow2Image, l2: number, offset: number, into: IoVector): Promise<void> {
  if (l2 === 0) return into.fill(0);
  if (l2 % image.clusterSize !== 0) throw formatError("L2 table of a snapshot is not aligned", "EIO");
  const { clusterSize } = image;
  const first = Math.floor(offset % image.bytesPerL1Entry / clusterSize);
  const count = Math.floor((offset % clusterSize + into.length - 1) / clusterSize) + 1;
  const { entryBytes } = image.entries;
  const entries = await image.file.readBytes(l2 + first * entryBytes, count * entryBytes);
  const view = new DataView(entries.buffer);
  for (let done = 0; done < into.length;) {
    const inCluster = (offset + done) % clusterSize;
    const index = Math.floor((offset % clusterSize + done) / clusterSize);
    const mapping = image.entries.decode(view, index);
    // Of subclusters that differ, one after the other.
    const unit = mapping.kind === "mixed" ? image.subclusterSize : clusterSize;
    let length = unit - inCluster % unit;
    if (mapping.kind === "compressed") throw formatError("VM state of a snapshot is compressed", "EIO");
    const isData = mapping.kind === "data" ||
      (mapping.kind === "mixed" && (mapping.data & 2 ** Math.floor(inCluster / unit)) !== 0);
    if (mapping.kind === "data") {
      // Clusters that lie side by side are read as one.
      for (let next = index + 1; next < count; next++, length += clusterSize) {
        const following = image.entries.decode(view, next);
        if (following.kind !== "data" || following.host !== mapping.host + (next - index) * clusterSize) break;
      }
    }
    length = Math.min(length, into.length - done);
    const part = into.slice(done, length);
    if (isData) await readUnaligned(image.data, mapping.host + inCluster, offset + done, part);
    else part.fill(0);
    done += length;
  }
}

function halves(bytes: Uint8Array, at: number): [high: number, low: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, ENTRY_BYTES);
  return [view.getUint32(0), view.getUint32(4)];
}
