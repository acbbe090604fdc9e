/**
 * Snapshots of a whole machine.
 *
 * @module
 */
export { listSnapshots, type SnapshotDisk, snapshotDisks, type SnapshotLists, type SnapshotScope } from "./disks.ts";
export { defaultTag, deleteSnapshot, loadSnapshot, saveSnapshot } from "./snapshot.ts";
