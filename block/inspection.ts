/**
 * Looking at a format's own tables: where guest clusters lie in the file, and how often each cluster is referred to.
 *
 * A read-only view for lessons, tests and tools, of the state as the open image has it, changes included that are not in
 * the file yet. Only qcow2 has these tables.
 *
 * @module
 */

/** An entry of the first table: the second table that it leads to. */
export interface L1Entry {
  /** Where the L2 table lies in the file, in bytes; 0 where there is none. */
  readonly offset: number;
  /** The L2 table is referred to exactly once, so that it may be changed in place. */
  readonly copied: boolean;
}

/** An entry of a second table: where one guest cluster's bytes are. */
export interface L2Entry {
  /**
   * `unallocated`: the backing file shows through, or zeroes. `zero`: reads as zeroes, whatever lies at `offset`.
   * `data`: the cluster at `offset`. `compressed`: deflated, from byte `offset` on.
   */
  readonly kind: "unallocated" | "zero" | "data" | "compressed";
  /** In the file, in bytes; 0 where no cluster is taken. */
  readonly offset: number;
  /** The cluster is referred to exactly once, so that it may be written in place. */
  readonly copied: boolean;
  /** How many bytes of the file a compressed cluster may take. */
  readonly compressedBytes?: number;
  /** Extended entries: one bit per subcluster, the first one lowest; `allocated` and `zero` exclude each other. */
  readonly subclusters?: { readonly allocated: number; readonly zero: number };
}

/** The tables of an open image. Without `snapshotId` those of its active state, else those that the snapshot keeps. */
export interface TableInspection {
  readonly clusterSizeBytes: number;
  /** Guest bytes that one L1 entry stands for. */
  readonly bytesPerL1Entry: number;
  /** All entries of the L1 table. @throws {BlockError} for a snapshot that is not there, or is damaged */
  l1(snapshotId?: string): Promise<readonly L1Entry[]>;
  /** The entries of the L2 table that L1 entry `index` leads to; none where there is no table. @throws {BlockError} */
  l2(index: number, snapshotId?: string): Promise<readonly L2Entry[]>;
  /** How often the cluster at byte `offset` of the file is referred to; 0: free. @throws {BlockError} */
  refcount(offset: number): Promise<number>;
}
