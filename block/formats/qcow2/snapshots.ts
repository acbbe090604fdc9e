/**
 * Internal snapshots: a copy of the L1 table, and one reference more to all that it leads to.
 *
 * Source: [QCOW2] "Snapshots".
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import type { SnapshotInfo } from "../../driver.ts";
import { ioError } from "../../errors.ts";
import { formatError, hex, stateError } from "./failures.ts";
import { MAX_SNAPSHOTS, writeUint64 } from "./header.ts";
import { writeHeaderField } from "./header_update.ts";
import type { Qcow2Image } from "./image.ts";
import { L1Table } from "./l1_table.ts";
import { growL1 } from "./l2_update.ts";
import { COPIED_HIGH, ENTRY_BYTES, entryOffset, type Mapping } from "./mapping.ts";
import { AREA } from "./overlap.ts";
import { registerInactiveL2 } from "./overlap_inactive.ts";
import { encodeSnapshotTable, type Snapshot, snapshotL1Problem } from "./snapshot_table.ts";
import { Table } from "./table_cache.ts";

/** What lists show of `snapshot`. */
export function snapshotInfo(snapshot: Snapshot): SnapshotInfo {
  const { id, name, vmStateBytes, dateSeconds, dateNanoseconds, vmClockNs, icount, diskBytes } = snapshot;
  return { id, name, vmStateBytes, dateSeconds, dateNanoseconds, vmClockNs, icount, diskBytes };
}

/** Takes a snapshot of the active state; runs under the lock with nothing in flight. */
export async function createSnapshot(
  image: Qcow2Image,
  wanted: Omit<SnapshotInfo, "id" | "diskBytes">,
): Promise<SnapshotInfo> {
  if (image.snapshots.length >= MAX_SNAPSHOTS) throw ioError("write", "EFBIG");
  await image.settle();
  await ensureRoomForReferences(image, image.l1.bytes);
  const bytes = image.l1.bytes.slice();
  const offset = await image.allocator.allocate(Math.ceil(bytes.length / image.clusterSize) || 1);
  await changeReferences(image, image.l1.bytes, 1);
  image.checkOverlap(offset, bytes.length);
  await image.file.write(offset, bytes);
  await image.writeBack();
  await image.file.barrier();
  const snapshot: Snapshot = {
    ...wanted,
    id: nextId(image.snapshots),
    diskBytes: image.header.size,
    l1Offset: offset,
    l1Entries: bytes.length / ENTRY_BYTES,
    unknownExtra: new Uint8Array(0),
  };
  const progress = { switching: false };
  try {
    await writeSnapshotTable(image, [...image.snapshots, snapshot], progress);
  } catch (error) {
    if (progress.switching) {
      // The header may name the new table, whatever the error says: the snapshot must stay whole.
      image.needsRepair = true;
      throw error;
    }
    await changeReferences(image, bytes, -1);
    await changeReferences(image, image.l1.bytes, 0);
    await image.allocator.free(offset, bytes.length, "nobody");
    throw error;
  }
  image.metadata.add(AREA.inactiveL1, offset, bytes.length);
  await image.settle();
  await registerInactiveL2(image);
  return snapshotInfo(snapshot);
}

/**
 * Where refcounts are narrow, one that would go beyond its limit is found before anything is changed. Compressed clusters
 * share host clusters: each of them is a reference of its own.
 */
async function ensureRoomForReferences(image: Qcow2Image, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const { refcounts, clusterSize } = image;
  if (refcounts.max > 0xffff) return;
  const added = new Map<number, number>();
  const add = async (host: number, length: number) => {
    for (let cluster = Math.floor(host / clusterSize); cluster * clusterSize < host + length; cluster++) {
      const more = (added.get(cluster) ?? 0) + 1;
      added.set(cluster, more);
      if (await image.allocator.refcount(cluster) + more > refcounts.max) throw ioError("write", "EINVAL");
    }
  };
  const l1 = new L1Table(0, bytes);
  for (let index = 0; index < l1.length; index++) {
    const offset = l1.l2Offset(index);
    if (offset === 0 || offset % clusterSize !== 0) continue;
    await add(offset, 1);
    const view = new DataView((await image.file.readBytes(offset, clusterSize)).buffer);
    for (let entry = 0; entry < image.l2Entries; entry++) {
      const mapping = image.entries.decode(view, entry);
      if (mapping.kind === "unallocated" || mapping.host === 0) continue;
      await add(mapping.host, mapping.kind === "compressed" ? mapping.length : 1);
    }
  }
}

function nextId(snapshots: readonly Snapshot[]): string {
  let highest = 0;
  for (const { id } of snapshots) {
    const number = /^\d+/.exec(id)?.[0];
    if (number !== undefined) highest = Math.max(highest, Number(number));
  }
  return String(highest + 1);
}

/** The snapshot with this id. */
export function findSnapshot(image: Qcow2Image, id: string): Snapshot {
  const found = image.snapshots.find((snapshot) => snapshot.id === id);
  if (found === undefined) throw stateError("Can't find the snapshot", "ENOENT");
  return found;
}

async function readL1(image: Qcow2Image, snapshot: Snapshot): Promise<Uint8Array<ArrayBuffer>> {
  const problem = snapshotL1Problem(snapshot, image.clusterSize);
  if (problem !== undefined) throw formatError(problem, "EFBIG");
  return await image.file.readBytes(snapshot.l1Offset, snapshot.l1Entries * ENTRY_BYTES);
}

function refuseOddSize(snapshot: Snapshot): void {
  if (!Number.isSafeInteger(snapshot.diskBytes)) throw formatError("Snapshot disk size too large", "EFBIG");
}

/** Makes the active state that of a snapshot; runs under the lock with nothing in flight. */
export async function applySnapshot(image: Qcow2Image, id: string): Promise<void> {
  const snapshot = findSnapshot(image, id);
  const wanted = await readL1(image, snapshot);
  refuseOddSize(snapshot);
  await image.settle();
  await ensureRoomForReferences(image, wanted);
  // A size that the L1 table does not reach would leave an image that nobody can open.
  await growL1(image, Math.max(snapshot.l1Entries, divideCeil(snapshot.diskBytes, image.bytesPerL1Entry)), true);
  const active = new Uint8Array(image.l1.bytes.length);
  active.set(wanted);
  // First the references that the new state needs, then the new state, then the old one's references go.
  await changeReferences(image, active, 1);
  await image.writeBack();
  await image.file.barrier();
  const old = image.l1.bytes;
  image.checkOverlap(image.l1.offset, active.length, AREA.activeL1);
  // A disk is never longer than what is mapped: what an earlier change of size cut off must not be seen again.
  if (snapshot.diskBytes < image.header.size) await writeSize(image, snapshot.diskBytes);
  await image.file.write(image.l1.offset, active);
  await image.file.barrier();
  image.metadata.removeAll(AREA.activeL2);
  image.l1.replace(image.l1.offset, active);
  image.registerL2();
  if (snapshot.diskBytes > image.header.size) await writeSize(image, snapshot.diskBytes);
  await changeReferences(image, old, -1);
  await image.settle();
  await changeReferences(image, image.l1.bytes, 0);
  await image.settle();
}

/** Shows a snapshot's disk in place of the active one; only in an image that is open read-only. */
export async function viewSnapshot(image: Qcow2Image, id: string): Promise<void> {
  if (!image.readOnly) throw stateError("Device is not readonly");
  const snapshot = findSnapshot(image, id);
  const l1 = await readL1(image, snapshot);
  refuseOddSize(snapshot);
  image.l2.clear();
  image.l1.replace(snapshot.l1Offset, l1);
  image.header.size = snapshot.diskBytes;
}

/** Writes a new size of the guest's disk into the header. */
export async function writeSize(image: Qcow2Image, size: number): Promise<void> {
  const field = new Uint8Array(8);
  writeUint64(new DataView(field.buffer), 0, size);
  await writeHeaderField(image, 24, field);
  image.header.size = size;
  await image.file.flush();
}

/** Removes a snapshot; runs under the lock with nothing in flight. */
export async function deleteSnapshot(image: Qcow2Image, id: string): Promise<void> {
  const snapshot = findSnapshot(image, id);
  const l1 = await readL1(image, snapshot);
  await image.settle();
  await writeSnapshotTable(image, image.snapshots.filter((other) => other !== snapshot));
  await registerInactiveL2(image);
  await changeReferences(image, l1, -1, "snapshot");
  image.metadata.remove(AREA.inactiveL1, snapshot.l1Offset, l1.length);
  await image.allocator.free(snapshot.l1Offset, l1.length, "snapshot");
  await image.settle();
  // What has one reference left may be written in place again.
  await changeReferences(image, image.l1.bytes, 0);
  await image.settle();
}

/** Writes `snapshots` as the image's table, elsewhere than the present one, and then makes the header point there. */
export async function writeSnapshotTable(
  image: Qcow2Image,
  snapshots: Snapshot[],
  progress: { switching: boolean } = { switching: false },
): Promise<void> {
  const bytes = encodeSnapshotTable(snapshots);
  let offset = 0;
  if (bytes.length > 0) {
    offset = await image.allocator.allocate(Math.ceil(bytes.length / image.clusterSize));
    image.checkOverlap(offset, bytes.length);
    await image.file.write(offset, bytes);
  }
  await image.writeBack();
  await image.file.flush();
  const field = new Uint8Array(12);
  const view = new DataView(field.buffer);
  view.setUint32(0, snapshots.length);
  writeUint64(view, 4, offset);
  progress.switching = true;
  await image.file.write(60, field);
  const old = { offset: image.header.snapshotsOffset, bytes: image.snapshotTableBytes };
  image.header.snapshotCount = snapshots.length;
  image.header.snapshotsOffset = offset;
  image.snapshots = snapshots;
  image.snapshotTableBytes = bytes.length;
  await image.file.flush();
  image.metadata.remove(AREA.snapshotTable, old.offset, old.bytes);
  image.metadata.add(AREA.snapshotTable, offset, bytes.length);
  if (old.bytes > 0) await image.allocator.free(old.offset, old.bytes, "snapshot");
}

/**
 * Adds `addend` (1, 0 or -1) to the references of every cluster that the L1 table `l1` leads to, and, where that is the
 * active one, sets the "exactly one reference" marks as they then are. The marks in `l1` itself are brought up to date.
 */
async function changeReferences(
  image: Qcow2Image,
  l1: Uint8Array<ArrayBuffer>,
  addend: 1 | 0 | -1,
  by: "snapshot" | "other" = "snapshot",
): Promise<void> {
  try {
    await changeEachReference(image, l1, addend, by);
  } catch (error) {
    // Some have changed and some have not.
    image.needsRepair = true;
    throw error;
  }
}

async function changeEachReference(
  image: Qcow2Image,
  l1: Uint8Array<ArrayBuffer>,
  addend: 1 | 0 | -1,
  by: "snapshot" | "other",
): Promise<void> {
  const view = new DataView(l1.buffer, l1.byteOffset, l1.byteLength);
  const isActive = l1 === image.l1.bytes;
  for (let index = 0; index < l1.length / ENTRY_BYTES; index++) {
    const high = view.getUint32(index * ENTRY_BYTES);
    const offset = entryOffset(high, view.getUint32(index * ENTRY_BYTES + 4));
    if (offset === 0) continue;
    if (offset % image.clusterSize !== 0) {
      image.contradiction(
        `L2 table offset ${hex(offset)} unaligned (L1 index: ${hex(index)})`,
        offset,
      );
    }
    await changeTable(image, offset, addend, by);
    const cluster = offset / image.clusterSize;
    if (addend === 1) await image.allocator.reference(cluster, 1);
    if (addend === -1) {
      if (await image.allocator.refcount(cluster) === 1) image.l2.forget(offset, image.clusterSize);
      await image.allocator.free(offset, image.clusterSize, by);
    }
    const copied = addend !== -1 && await image.allocator.refcount(cluster) === 1;
    if (addend === -1 || copied === (high >= COPIED_HIGH)) continue;
    if (isActive) image.l1.set(index, offset, copied);
    else view.setUint32(index * ENTRY_BYTES, copied ? high | COPIED_HIGH : high & ~COPIED_HIGH);
  }
  if (addend === 1 && !isActive) await dropActiveMarks(image);
  await image.relieve();
}

/** After references went up: the active L1 table's marks as they are now. */
async function dropActiveMarks(image: Qcow2Image): Promise<void> {
  for (let index = 0; index < image.l1.length; index++) {
    const offset = image.l1.l2Offset(index);
    if (offset === 0 || !image.l1.isCopied(index)) continue;
    if (await image.allocator.refcount(offset / image.clusterSize) !== 1) image.l1.set(index, offset, false);
  }
}

async function changeTable(
  image: Qcow2Image,
  offset: number,
  addend: 1 | 0 | -1,
  by: "snapshot" | "other",
): Promise<void> {
  const { pieceBytes } = image.l2;
  for (let at = offset; at < offset + image.clusterSize; at += pieceBytes) {
    for (let index = 0; index < image.sliceEntries; index++) {
      const table = await slice(image, at);
      const mapping = image.entries.decode(table.view, index);
      if (mapping.kind === "unallocated" || mapping.host === 0) continue;
      await changeCluster(image, mapping, addend, by);
      if (addend === -1 || mapping.kind === "compressed") continue;
      await mark(image, at, index, mapping);
    }
  }
}

async function slice(image: Qcow2Image, offset: number): Promise<Table> {
  return image.l2.lookup(offset) ?? await image.l2.load(offset);
}

async function changeCluster(
  image: Qcow2Image,
  mapping: Mapping,
  addend: 1 | 0 | -1,
  by: "snapshot" | "other",
): Promise<void> {
  if (mapping.kind === "unallocated" || mapping.host === 0 || addend === 0) return;
  const { clusterSize } = image;
  const length = mapping.kind === "compressed" ? mapping.length : clusterSize;
  if (mapping.kind !== "compressed" && mapping.host % clusterSize !== 0) {
    image.contradiction(`Cluster allocation offset 0x${mapping.host.toString(16)} unaligned`, mapping.host);
  }
  if (addend === -1) return await image.allocator.free(mapping.host, length, by);
  const first = Math.floor(mapping.host / clusterSize);
  await image.allocator.reference(first, Math.floor((mapping.host + length - 1) / clusterSize) - first + 1);
}

/** Sets the mark of one L2 entry as the refcount says. */
async function mark(image: Qcow2Image, at: number, index: number, mapping: Mapping): Promise<void> {
  if (mapping.kind === "unallocated" || mapping.kind === "compressed" || mapping.host === 0) return;
  const copied = await image.allocator.refcount(mapping.host / image.clusterSize) === 1;
  if (copied === mapping.copied) return;
  for (;;) {
    const table = image.l2.lookup(at);
    if (table === undefined) {
      await image.l2.load(at);
      continue;
    }
    const entry = index * image.entries.entryBytes;
    const high = table.view.getUint32(entry);
    table.view.setUint32(entry, copied ? (high | COPIED_HIGH) >>> 0 : (high & ~COPIED_HIGH) >>> 0);
    return image.l2.markDirty(table);
  }
}
