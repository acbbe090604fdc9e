/**
 * Runs of guest bytes that share a kind: the unit in which reads and `map` work. A run is made of whole clusters, or of
 * subclusters where the image has them.
 *
 * Source: [QCOW2] "Cluster mapping", "Extended L2 Entries".
 *
 * @module
 */
import { hex } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";
import { type Mapping, type RunMapping, SUBCLUSTERS } from "./mapping.ts";
import type { Table } from "./table_cache.ts";

/** `length` bytes from the offset asked for, all of one mapping; hosts of data and of kept zeroes go on in a row. */
export interface Run {
  /** That of the first byte; `host` is where its whole cluster begins. */
  readonly mapping: RunMapping;
  /** Bytes, at most those asked for. */
  readonly length: number;
  /** Of unallocated subclusters: where the cluster begins that is there for them already; else -1. */
  readonly keptHost: number;
}

const UNALLOCATED: RunMapping = { kind: "unallocated" };

/** The mapping of entry `index` in `table`. */
export function mappingAt(image: Qcow2Image, table: Table, index: number): Mapping {
  return image.entries.decode(table.view, index);
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
    return { mapping: UNALLOCATED, length: Math.min(length, rest), keptHost: -1 };
  }
  const first = mappingAt(image, table, index);
  checkEntry(image, first, table, index);
  if (image.isExternal) checkExternal(image, first, { guest: at - inCluster, table, index });
  const mapping = partOf(image, first, inCluster, table, index);
  const keptHost = keptFor(image, first, mapping);
  let end = wholeUntil(image, first, mapping, inCluster) - inCluster;
  if (end < clusterSize - inCluster) return { mapping, length: Math.min(end, most), keptHost };
  for (let i = 1; end < most; i++) {
    const next = mappingAt(image, table, index + i);
    // A contradiction is told to whoever reads it, not to whoever looks ahead.
    if (next.kind === "invalid") break;
    const part = partOf(image, next, 0, table, index + i);
    if (!continues(mapping, part, i * clusterSize)) break;
    if (keptFor(image, next, part) !== (keptHost < 0 ? -1 : keptHost + i * clusterSize)) break;
    const whole = wholeUntil(image, next, mapping, 0);
    end += whole;
    if (whole < clusterSize) break;
  }
  return { mapping, length: Math.min(end, most), keptHost };
}

function keptFor(image: Qcow2Image, mapping: Mapping, part: RunMapping): number {
  if (part.kind !== "unallocated" || mapping.kind !== "mixed") return -1;
  return image.entries.hasHost(mapping) ? mapping.host : -1;
}

/** What the byte at `inCluster` of a cluster is. */
function partOf(image: Qcow2Image, mapping: Mapping, inCluster: number, table: Table, index: number): RunMapping {
  if (mapping.kind === "invalid") {
    image.contradiction(`Invalid cluster entry found  ${entryPlace(image, table, index)}`);
  }
  if (mapping.kind !== "mixed") return mapping;
  const { host, copied } = mapping;
  const bit = 2 ** Math.floor(inCluster / image.subclusterSize);
  if ((mapping.zero & bit) !== 0) return { kind: "zero", host, copied };
  return (mapping.data & bit) !== 0 ? { kind: "data", host, copied } : UNALLOCATED;
}

/** Where in its cluster the run ends that has the kind `part` at byte `inCluster`. */
function wholeUntil(image: Qcow2Image, mapping: Mapping, part: RunMapping, inCluster: number): number {
  if (mapping.kind !== "mixed") return image.clusterSize;
  const wanted = part.kind === "zero"
    ? mapping.zero
    : part.kind === "data"
    ? mapping.data
    : ~(mapping.zero | mapping.data);
  let sub = Math.floor(inCluster / image.subclusterSize) + 1;
  while (sub < SUBCLUSTERS && (wanted & 2 ** sub) !== 0) sub++;
  return sub * image.subclusterSize;
}

function continues(first: RunMapping, next: RunMapping, distance: number): boolean {
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

/** In an external file a guest cluster lies at its own offset, as it is. */
export function checkExternal(
  image: Qcow2Image,
  mapping: Mapping,
  { guest, table, index }: { readonly guest: number; readonly table: Table; readonly index: number },
): void {
  if (mapping.kind === "compressed") {
    const where = entryPlace(image, table, index);
    image.contradiction(`Compressed cluster entry found in image with external data file ${where}`, mapping.host);
  }
  if (!image.entries.hasHost(mapping) || mapping.host === guest) return;
  image.contradiction(
    `External data file host cluster offset ${hex(mapping.host)} does not match guest cluster offset: ` +
      `${hex(guest)}, L2 index: ${hex(index)})`,
    mapping.host,
  );
}

/** Version 2 has no zero flag, and clusters lie at their multiples. */
function checkEntry(image: Qcow2Image, mapping: Mapping, table: Table, index: number): void {
  if (mapping.kind === "unallocated" || mapping.kind === "compressed" || mapping.kind === "invalid") return;
  const early = mapping.kind === "zero" && image.header.version < 3;
  if (!early && mapping.host % image.clusterSize === 0) return;
  const where = entryPlace(image, table, index);
  if (early) image.contradiction(`Zero cluster entry found in pre-v3 image ${where}`);
  const what = mapping.kind === "zero" ? "Preallocated zero cluster offset" : "Cluster allocation offset";
  image.contradiction(`${what} ${hex(mapping.host)} unaligned ${where}`, mapping.host);
}

/** Where entry `index` of `table` is, as messages name it. */
export function entryPlace(image: Qcow2Image, table: Table, index: number): string {
  const tableOffset = table.offset - table.offset % image.clusterSize;
  const inTable = (table.offset - tableOffset) / image.entries.entryBytes + index;
  return `(L2 offset: ${hex(tableOffset)}, L2 index: ${hex(inTable)})`;
}
