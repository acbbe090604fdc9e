/**
 * Lesson: what does an internal snapshot share with the disk, and what does it copy?
 *
 * An image with two written clusters is looked at while it is open: before a snapshot, after it, after the next write,
 * and when the snapshot has been deleted. The L1 table leads to L2 tables, these to data clusters; each cluster of the
 * file has a count of who refers to it, and may be changed in place only where that is one. "4 x2" is cluster 4 of the
 * file, referred to twice.
 *
 *     deno run -P=script scripts/lessons/internal-snapshot.ts
 *
 * @module
 */
import { createImage, KiB, MiB, type OpenedImage, openImage } from "../../mod.ts";
import { Lesson } from "./lesson.ts";

const CLUSTER_BYTES = 64 * KiB;

const lesson = new Lesson("What does a snapshot copy when it is taken, and what when somebody writes afterwards?");
const directory = await Deno.makeTempDir({ prefix: "moa-lesson-" });
try {
  const filename = `${directory}/disk.qcow2`;
  await createImage({ filename, format: "qcow2", size: 1 * MiB });
  await using image = await openImage(filename);
  const written = await addedBy(image, async () => {
    await image.write(0 * CLUSTER_BYTES, new Uint8Array(CLUSTER_BYTES).fill(0x11));
    await image.write(1 * CLUSTER_BYTES, new Uint8Array(CLUSTER_BYTES).fill(0x22));
  });
  await show("two clusters written", written, image);

  const { snapshots } = image.node.driver;
  let id = "";
  const taken = await addedBy(image, async () => {
    const now = { dateSeconds: 0, dateNanoseconds: 0, vmClockNs: 0, icount: -1, vmStateBytes: 0 };
    id = (await snapshots!.create({ ...now, name: "a" })).id;
  });
  await show("snapshot taken", taken, image);

  const changed = await addedBy(image, () => image.write(0, new Uint8Array(512).fill(0x33)));
  await show("512 bytes written to the first", changed, image);
  await show("... as the snapshot has it", 0, image, id);

  const deleted = await addedBy(image, () => snapshots!.delete(id));
  await show("snapshot deleted", deleted, image);
} finally {
  await Deno.remove(directory, { recursive: true });
}

lesson.end(
  [
    row("two clusters written", 3, "4 x1", "5 x1", "6 x1"),
    row("snapshot taken", 2, "4 x2", "5 x2", "6 x2"),
    row("512 bytes written to the first", 2, "9 x1", "10 x1", "6 x2"),
    row("... as the snapshot has it", 0, "4 x1", "5 x1", "6 x2"),
    row("snapshot deleted", -4, "9 x1", "10 x1", "6 x1"),
  ],
  "Taking it copies the L1 table and writes a new snapshot table: a cluster each here, however much the disk holds. All\n" +
    "the rest is shared, and counted twice. The next write copies the L2 table and the one cluster that it changes;\n" +
    "deleting gives back what only the snapshot had.",
);

function row(what: string, addedClusters: number, l2: string, first: string, second: string) {
  return { what, "clusters added": addedClusters, "L2 table": l2, "first data": first, "second data": second };
}

/** One row: for each cluster its number in the file and how often it is referred to. */
async function show(what: string, addedClusters: number, image: OpenedImage, snapshotId?: string) {
  const [table] = await image.l1(snapshotId);
  const [first, second] = await image.l2(0, snapshotId);
  const cluster = async (offset: number) => `${offset / CLUSTER_BYTES} x${await image.refcount(offset)}`;
  lesson.row(row(
    what,
    addedClusters,
    await cluster(table!.offset),
    await cluster(first!.offset),
    await cluster(second!.offset),
  ));
}

/** How many clusters of the file are in use after `change` that were not before; fewer are negative. */
async function addedBy(image: OpenedImage, change: () => Promise<unknown>): Promise<number> {
  const before = await clustersInUse(image);
  await change();
  await image.flush();
  return await clustersInUse(image) - before;
}

/** Clusters of the file that somebody refers to. */
async function clustersInUse(image: OpenedImage): Promise<number> {
  let used = 0;
  for (let cluster = 0; cluster < 64; cluster++) if (await image.refcount(cluster * CLUSTER_BYTES) > 0) used++;
  return used;
}
