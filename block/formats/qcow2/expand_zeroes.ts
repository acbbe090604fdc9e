/**
 * Turning clusters that are marked as zeroes into what version 2 can say: nothing at all where no backing file shows
 * through, else data. In the active state and in all snapshots, whose tables may be shared.
 *
 * What the guest reads is the same before and after each entry, so that a power failure in between does no harm.
 *
 * Source: [QCOW2] "Cluster mapping" (bit 0 of a standard cluster descriptor).
 *
 * @module
 */
import { IoVector } from "../../../base/io_vector.ts";
import { formatError } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";
import { encodeEntry, ENTRY_BYTES, entryOffset, type Mapping } from "./mapping.ts";
import { snapshotL1Problem } from "./snapshot_table.ts";

/** Whether the image has compressed clusters, in its active state or in a snapshot. */
export async function hasCompressed(image: Qcow2Image): Promise<boolean> {
  for (const { offset } of await allTables(image)) {
    const view = new DataView((await image.file.readBytes(offset, image.clusterSize)).buffer);
    for (let index = 0; index < image.l2Entries; index++) {
      if (image.entries.decode(view, index).kind === "compressed") return true;
    }
  }
  return false;
}

/** Leaves no cluster that is marked as zeroes; runs alone, with nothing dirty. */
export async function expandZeroes(image: Qcow2Image): Promise<void> {
  for (const table of await allTables(image)) {
    const references = await image.allocator.refcount(table.offset / image.clusterSize);
    for (let index = 0; index < image.l2Entries; index++) {
      await expandEntry(image, { ...table, references }, index);
    }
    await image.relieve();
  }
  await image.flushAll();
}

/** An L2 table, and the guest offset of its first entry. */
interface PlacedTable {
  readonly offset: number;
  readonly guest: number;
}

/** Each L2 table once, however many states share it. */
async function allTables(image: Qcow2Image): Promise<PlacedTable[]> {
  const found = new Map<number, PlacedTable>();
  const add = (view: DataView, length: number) => {
    for (let index = 0; index < length; index++) {
      const at = index * ENTRY_BYTES;
      const offset = entryOffset(view.getUint32(at), view.getUint32(at + 4));
      if (offset === 0 || found.has(offset)) continue;
      if (offset % image.clusterSize !== 0) throw formatError("L2 table is not aligned", "EIO");
      found.set(offset, { offset, guest: index * image.bytesPerL1Entry });
    }
  };
  add(image.l1.view, image.l1.length);
  for (const snapshot of image.snapshots) {
    const problem = snapshotL1Problem(snapshot, image.clusterSize);
    if (problem !== undefined) throw formatError(problem, "EFBIG");
    const bytes = await image.file.readBytes(snapshot.l1Offset, snapshot.l1Entries * ENTRY_BYTES);
    add(new DataView(bytes.buffer), snapshot.l1Entries);
  }
  return [...found.values()];
}

async function expandEntry(
  image: Qcow2Image,
  table: PlacedTable & { readonly references: number },
  index: number,
): Promise<void> {
  const inTable = Math.floor(index / image.sliceEntries);
  const at = table.offset + inTable * image.l2.pieceBytes;
  const inSlice = index % image.sliceEntries;
  const loaded = image.l2.lookup(at) ?? await image.l2.load(at);
  const mapping = image.entries.decode(loaded.view, inSlice);
  if (mapping.kind !== "zero") return;
  const wanted = await placeZeroes(image, mapping.host, table, table.guest + index * image.clusterSize);
  for (;;) {
    const slice = image.l2.lookup(at);
    if (slice === undefined) {
      await image.l2.load(at);
      continue;
    }
    const [high, low] = encodeEntry(wanted, image.header.clusterBits);
    slice.view.setUint32(inSlice * ENTRY_BYTES, high);
    slice.view.setUint32(inSlice * ENTRY_BYTES + 4, low);
    image.l2.markDirty(slice);
    break;
  }
  if (mapping.host === 0 || (wanted.kind === "data" && wanted.host === mapping.host)) return;
  for (let i = 0; i < table.references; i++) await image.allocator.free(mapping.host, image.clusterSize, "other");
}

/** What the entry is to say, with a cluster of zeroes behind it if need be. */
async function placeZeroes(
  image: Qcow2Image,
  host: number,
  table: { readonly references: number },
  guest: number,
): Promise<Extract<Mapping, { kind: "data" | "unallocated" }>> {
  const { clusterSize, allocator } = image;
  // A cluster that another table refers to, too, may hold data there.
  const own = host !== 0 && await allocator.refcount(host / clusterSize) <= table.references;
  if (!own && image.backing === undefined && image.backingName === "") return { kind: "unallocated" };
  const target = own ? host : await allocator.allocate(1);
  if (!own) { for (let i = 1; i < table.references; i++) await allocator.reference(target / clusterSize, 1); }
  image.checkOverlap(target, clusterSize);
  await image.data.write(target, guest, IoVector.of(new Uint8Array(clusterSize)));
  const copied = await allocator.refcount(target / clusterSize) === 1;
  return { kind: "data", host: target, copied };
}
