/**
 * A view of an open image's tables, for who wants to see what snapshots share and where clusters lie.
 *
 * What is cached and not written yet counts; looking changes nothing, not even what is cached of L2 tables.
 *
 * Source: [QCOW2] "Cluster mapping", "Host cluster management".
 *
 * @module
 */
import type { L1Entry, L2Entry, TableInspection } from "../../inspection.ts";
import { formatError } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";
import { COPIED_HIGH, ENTRY_BYTES, entryOffset } from "./mapping.ts";
import { snapshotL1Problem } from "./snapshot_table.ts";
import { findSnapshot } from "./snapshots.ts";

/** The tables of one open image. */
export function inspectionOf(image: Qcow2Image): TableInspection {
  const l1 = async (snapshotId?: string): Promise<readonly L1Entry[]> => {
    const bytes = await l1Bytes(image, snapshotId);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: bytes.length / ENTRY_BYTES }, (_, index) => {
      const high = view.getUint32(index * ENTRY_BYTES);
      const offset = entryOffset(high, view.getUint32(index * ENTRY_BYTES + 4));
      return { offset, copied: high >= COPIED_HIGH };
    });
  };
  return {
    clusterSizeBytes: image.clusterSize,
    bytesPerL1Entry: image.bytesPerL1Entry,
    l1,
    l2: async (index, snapshotId) => {
      const offset = (await l1(snapshotId))[index]?.offset ?? 0;
      return offset === 0 ? [] : decodeTable(image, await tableBytes(image, offset));
    },
    refcount: (offset) => {
      const cluster = Math.floor(offset / image.clusterSize);
      if (!Number.isSafeInteger(cluster) || cluster < 0) throw formatError(`${offset} is no offset in an image`);
      return image.refcounts.get(cluster);
    },
  };
}

async function l1Bytes(image: Qcow2Image, snapshotId: string | undefined): Promise<Uint8Array> {
  if (snapshotId === undefined) return image.l1.bytes;
  const snapshot = findSnapshot(image, snapshotId);
  const problem = snapshotL1Problem(snapshot, image.clusterSize);
  if (problem !== undefined) throw formatError(problem, "EFBIG");
  return await image.file.readBytes(snapshot.l1Offset, snapshot.l1Entries * ENTRY_BYTES);
}

/** A whole L2 table: the file's bytes, and over them what is cached. */
async function tableBytes(image: Qcow2Image, offset: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await image.file.readBytes(offset, image.clusterSize);
  for (let at = 0; at < bytes.length; at += image.l2.pieceBytes) {
    const piece = image.l2.lookup(offset + at);
    if (piece !== undefined) bytes.set(piece.bytes, at);
  }
  return bytes;
}

function decodeTable(image: Qcow2Image, bytes: Uint8Array<ArrayBuffer>): L2Entry[] {
  const { entryBytes, extended } = image.entries;
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / entryBytes }, (_, index): L2Entry => {
    const mapping = image.entries.decode(view, index);
    const subclusters = extended ? { subclusters: bitsAt(view, index * entryBytes) } : {};
    if (mapping.kind === "unallocated") return { kind: "unallocated", offset: 0, copied: false, ...subclusters };
    if (mapping.kind === "compressed") {
      return { kind: "compressed", offset: mapping.host, copied: false, compressedBytes: mapping.length };
    }
    const { kind, host: offset, copied } = mapping;
    // Subclusters that differ, or contradict each other: there is a cluster, and the bitmaps say which part of it counts.
    return { kind: kind === "zero" ? "zero" : "data", offset, copied, ...subclusters };
  });
}

function bitsAt(view: DataView, at: number): { allocated: number; zero: number } {
  return { zero: view.getUint32(at + 8), allocated: view.getUint32(at + 12) };
}
