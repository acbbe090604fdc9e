/**
 * Which clusters hold metadata, so that a write that would hit some by mistake is stopped: the mark of a damaged image.
 *
 * QEMU's template `cached` is what is looked at by default: all but the L2 tables of snapshots, which overlap_inactive.ts
 * finds for `all`.
 *
 * @module
 */

/** A kind of metadata, as a bit, in the order in which they are named when several share a cluster. */
export const AREA = {
  header: 1,
  activeL1: 2,
  activeL2: 4,
  refcountTable: 8,
  refcountBlock: 16,
  snapshotTable: 32,
  inactiveL1: 64,
  inactiveL2: 128,
  bitmapDirectory: 256,
} as const;

const NAMES: readonly [bit: number, name: string][] = [
  [AREA.header, "qcow2_header"],
  [AREA.activeL1, "active L1 table"],
  [AREA.activeL2, "active L2 table"],
  [AREA.refcountTable, "refcount table"],
  [AREA.refcountBlock, "refcount block"],
  [AREA.snapshotTable, "snapshot table"],
  [AREA.inactiveL1, "inactive L1 table"],
  [AREA.inactiveL2, "inactive L2 table"],
  [AREA.bitmapDirectory, "bitmap directory"],
];

const CONSTANT = AREA.header | AREA.activeL1 | AREA.refcountTable | AREA.snapshotTable | AREA.bitmapDirectory;
const CACHED = CONSTANT | AREA.activeL2 | AREA.refcountBlock | AREA.inactiveL1;

/** The kinds that each of QEMU's templates looks at. */
export const OVERLAP_TEMPLATES = {
  none: 0,
  constant: CONSTANT,
  cached: CACHED,
  all: CACHED | AREA.inactiveL2,
} as const;

/** QEMU's option names of the kinds. */
export const OVERLAP_OPTIONS: Readonly<Record<string, number>> = {
  "main-header": AREA.header,
  "active-l1": AREA.activeL1,
  "active-l2": AREA.activeL2,
  "refcount-table": AREA.refcountTable,
  "refcount-block": AREA.refcountBlock,
  "snapshot-table": AREA.snapshotTable,
  "inactive-l1": AREA.inactiveL1,
  "inactive-l2": AREA.inactiveL2,
  "bitmap-directory": AREA.bitmapDirectory,
};

/** Host clusters that hold metadata. */
export class MetadataMap {
  readonly #clusterSize: number;
  #watched: number;
  readonly #areas = new Map<number, number>();

  /** `watched`: the kinds to look at, as bits. */
  constructor(clusterSize: number, watched: number) {
    this.#clusterSize = clusterSize;
    this.#watched = watched;
    this.add(AREA.header, 0, 1);
  }

  /** Looks at these kinds from now on. */
  watch(kinds: number): void {
    this.#watched = kinds;
  }

  /** Whether kind `area` is looked at at all. */
  watches(area: number): boolean {
    return (this.#watched & area) !== 0;
  }

  /** Only the header is known. */
  clear(): void {
    this.#areas.clear();
    this.add(AREA.header, 0, 1);
  }

  /** `length` bytes from `offset` are of kind `area` from now on, too. */
  add(area: number, offset: number, length: number): void {
    // An offset that no number holds exactly is no place that anything here writes to.
    if ((area & this.#watched) === 0 || length <= 0 || offset + length > Number.MAX_SAFE_INTEGER) return;
    const last = Math.floor((offset + length - 1) / this.#clusterSize);
    for (let cluster = Math.floor(offset / this.#clusterSize); cluster <= last; cluster++) {
      this.#areas.set(cluster, (this.#areas.get(cluster) ?? 0) | area);
    }
  }

  remove(area: number, offset: number, length: number): void {
    if (length <= 0 || offset + length > Number.MAX_SAFE_INTEGER) return;
    const last = Math.floor((offset + length - 1) / this.#clusterSize);
    for (let cluster = Math.floor(offset / this.#clusterSize); cluster <= last; cluster++) {
      const left = (this.#areas.get(cluster) ?? 0) & ~area;
      if (left === 0) this.#areas.delete(cluster);
      else this.#areas.set(cluster, left);
    }
  }

  /** Forgets every cluster of kind `area`. */
  removeAll(area: number): void {
    for (const [cluster, areas] of this.#areas) {
      if ((areas & area) === 0) continue;
      if (areas === area) this.#areas.delete(cluster);
      else this.#areas.set(cluster, areas & ~area);
    }
  }

  /** The name of the metadata that a write of `length` bytes at `offset` would hit, but for kinds in `except`. */
  hit(offset: number, length: number, except = 0): string | undefined {
    if (offset + length > Number.MAX_SAFE_INTEGER) return undefined;
    const last = Math.floor((offset + length - 1) / this.#clusterSize);
    for (let cluster = Math.floor(offset / this.#clusterSize); cluster <= last; cluster++) {
      const areas = this.#areas.get(cluster);
      if (areas !== undefined && (areas & ~except) !== 0) {
        return NAMES.find(([bit]) => (areas & ~except & bit) !== 0)?.[1];
      }
    }
    return undefined;
  }
}
