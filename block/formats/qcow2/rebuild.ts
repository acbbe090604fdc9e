/**
 * Building refcount table and blocks anew from the references that were counted, in clusters that nobody refers to.
 *
 * The old structures stay as they are until the header points to the new ones. A block is looked for among the clusters
 * that it describes, so that no block that has been written changes again; the table goes to the first place that has room.
 *
 * Source: [QCOW2] "Host cluster management".
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import { errnoText } from "../../../base/errno.ts";
import { BlockError, ioError } from "../../errors.ts";
import { CheckStopped } from "./check_findings.ts";
import type { ReferenceWalk } from "./check_references.ts";
import { MAX_REFCOUNT_TABLE_BYTES, writeUint64 } from "./header.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { registerInactiveL2 } from "./overlap_inactive.ts";
import { decodeRefcountTable, writeCount } from "./refcounts.ts";

/** Replaces the image's refcount structures; the walk's references gain the new ones. */
export async function rebuildRefcounts(walk: ReferenceWalk): Promise<void> {
  const { image, references } = walk;
  const { clusterSize, file } = image;
  const rebuilt = new NewTable(walk);
  await rebuilt.writeBlocks(0, references.length);
  let start = 0;
  let clusters = 0;
  do {
    // A table that has become longer needs another place.
    for (let i = 0; i < clusters; i++) references.set(start + i, 0);
    clusters = rebuilt.clusters;
    start = references.take(clusters, 0);
  } while (await rebuilt.writeBlocks(start, start + clusters));
  const table = rebuilt.encode();
  await attempt("writing reftable", async () => {
    image.checkOverlap(start * clusterSize, table.length);
    await file.write(start * clusterSize, table);
    await file.flush();
  });
  await switchTo(walk, start * clusterSize, table);
}

/** The table that is being made. */
class NewTable {
  readonly #walk: ReferenceWalk;
  /** Clusters of the blocks, 0 for none; as many as whole clusters of the table hold. */
  #blocks = new Float64Array(0);

  constructor(walk: ReferenceWalk) {
    this.#walk = walk;
  }

  /** How many clusters the table takes. */
  get clusters(): number {
    return this.#blocks.length * ENTRY_BYTES / this.#walk.image.clusterSize;
  }

  /** Writes the blocks that describe clusters `first` to `end`, where there is something to count. Whether the table grew. */
  async writeBlocks(first: number, end: number): Promise<boolean> {
    const { image, references } = this.#walk;
    const { blockEntries } = image.refcounts;
    let grown = false;
    let free = 0;
    for (let cluster = first; cluster < end; cluster++) {
      if (references.get(cluster) === 0) continue;
      const index = Math.floor(cluster / blockEntries);
      if (index >= this.#blocks.length) {
        this.#grow(index + 1);
        grown = true;
      }
      if (this.#blocks[index] === 0) {
        const place = references.take(1, Math.max(free, index * blockEntries));
        this.#blocks[index] = place;
        free = place + 1;
        end = Math.max(end, free);
      }
      await this.#writeBlock(index);
      cluster = (index + 1) * blockEntries - 1;
    }
    return grown;
  }

  #grow(entries: number): void {
    const perCluster = this.#walk.image.clusterSize / ENTRY_BYTES;
    const blocks = new Float64Array(divideCeil(entries, perCluster) * perCluster);
    if (blocks.length * ENTRY_BYTES > MAX_REFCOUNT_TABLE_BYTES) throw ioError("write", "EFBIG");
    blocks.set(this.#blocks);
    this.#blocks = blocks;
  }

  async #writeBlock(index: number): Promise<void> {
    const { image, references } = this.#walk;
    const { refcounts, clusterSize } = image;
    const bytes = new Uint8Array(clusterSize);
    const view = new DataView(bytes.buffer);
    const first = index * refcounts.blockEntries;
    const count = Math.min(refcounts.blockEntries, references.length - first);
    for (let i = 0; i < count; i++) {
      const counted = references.get(first + i);
      if (counted > 0) writeCount(view, i, refcounts.order, counted);
    }
    const offset = this.#blocks[index]! * clusterSize;
    await attempt("writing refblock", async () => {
      image.checkOverlap(offset, clusterSize);
      await image.file.write(offset, bytes);
    });
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(this.#blocks.length * ENTRY_BYTES);
    const view = new DataView(bytes.buffer);
    this.#blocks.forEach((cluster, index) =>
      writeUint64(view, index * ENTRY_BYTES, cluster * this.#walk.image.clusterSize)
    );
    return bytes;
  }
}

/** @throws {CheckStopped} that says what failed */
async function attempt(what: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    throw new CheckStopped(error.errno, `ERROR ${what}: ${errnoText(error.errno)}`);
  }
}

/** Makes the header, and what is in memory, point to the new table. */
async function switchTo(walk: ReferenceWalk, offset: number, table: Uint8Array): Promise<void> {
  const { image } = walk;
  const { refcounts, file, header, clusterSize } = image;
  header.refcountTableOffset = offset;
  header.refcountTableClusters = table.length / clusterSize;
  const field = new Uint8Array(12);
  writeUint64(new DataView(field.buffer), 0, offset);
  new DataView(field.buffer).setUint32(8, header.refcountTableClusters);
  await attempt("setting reftable", () => file.write(48, field));
  refcounts.tableOffset = offset;
  refcounts.table = decodeRefcountTable(table);
  refcounts.cache.clear();
  refcounts.deferred.clear();
  if (!image.readOnly) image.registerMetadata();
  await registerInactiveL2(image);
  await file.flush();
}
