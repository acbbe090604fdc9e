/**
 * Runs of guest clusters that share a kind: the unit in which reads and `map` work.
 *
 * Source: [QCOW2] "Cluster mapping".
 *
 * @module
 */
import { hex } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";
import { decodeEntry, ENTRY_BYTES, type Mapping } from "./mapping.ts";
import type { Table } from "./table_cache.ts";

/** `length` bytes from the offset asked for, all of one mapping; hosts of data and of kept zeroes go on in a row. */
export interface Run {
  /** That of the first cluster. */
  readonly mapping: Mapping;
  /** Bytes, at most those asked for. */
  readonly length: number;
}

const UNALLOCATED: Mapping = { kind: "unallocated" };

/** The mapping of entry `index` in `table`, checked. */
export function mappingAt(image: Qcow2Image, table: Table, index: number): Mapping {
  const at = index * ENTRY_BYTES;
  return decodeEntry(table.view.getUint32(at), table.view.getUint32(at + 4), image.header.clusterBits);
}

/** The run at guest offset `at`, within one L2 slice. */
export async function findRun(image: Qcow2Image, at: number, length: number): Promise<Run> {
  const { clusterSize } = image;
  const inCluster = at % clusterSize;
  const index = image.sliceIndex(at);
  const most = Math.min(length, (image.sliceEntries - index) * clusterSize - inCluster);
  const table = image.cachedSlice(at) ?? await image.loadSlice(at);
  if (table === undefined) {
    const rest = image.bytesPerL1Entry - at % image.bytesPerL1Entry;
    return { mapping: UNALLOCATED, length: Math.min(length, rest) };
  }
  const mapping = mappingAt(image, table, index);
  checkEntry(image, mapping, table, index);
  let end = clusterSize - inCluster;
  for (let i = 1; end < most && continues(mapping, mappingAt(image, table, index + i), i * clusterSize); i++) {
    end += clusterSize;
  }
  return { mapping, length: Math.min(end, most) };
}

function continues(first: Mapping, next: Mapping, distance: number): boolean {
  switch (first.kind) {
    case "unallocated":
      return next.kind === "unallocated";
    case "zero":
      return next.kind === "zero" && next.copied === first.copied &&
        (first.host === 0 ? next.host === 0 : next.host === first.host + distance);
    case "data":
      return next.kind === "data" && next.copied === first.copied && next.host === first.host + distance;
    case "compressed":
      return false;
  }
}

/** Version 2 has no zero flag, and clusters lie at their multiples. */
function checkEntry(image: Qcow2Image, mapping: Mapping, table: Table, index: number): void {
  if (mapping.kind !== "data" && mapping.kind !== "zero") return;
  const early = mapping.kind === "zero" && image.header.version < 3;
  if (!early && mapping.host % image.clusterSize === 0) return;
  const tableOffset = table.offset - table.offset % image.clusterSize;
  const inTable = (table.offset - tableOffset) / ENTRY_BYTES + index;
  const where = `(L2 offset: ${hex(tableOffset)}, L2 index: ${hex(inTable)})`;
  if (early) image.contradiction(`Zero cluster entry found in pre-v3 image ${where}`);
  const what = mapping.kind === "data" ? "Cluster allocation offset" : "Preallocated zero cluster offset";
  image.contradiction(`${what} ${hex(mapping.host)} unaligned ${where}`, mapping.host);
}
