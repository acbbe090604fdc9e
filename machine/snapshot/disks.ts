/**
 * The disks that take part in snapshots of a machine, and what QEMU says where they cannot.
 *
 * Taking part: every medium that is writable, behind a drive or held by a node of its own. Of these each must support
 * snapshots; the first one keeps the VM state.
 *
 * @module
 */
import type { BlockNode, SnapshotInfo, SnapshotStore, VmStateStore } from "../../block/mod.ts";
import { MachineError } from "../errors.ts";
import type { Machine } from "../machine.ts";

/** A writable image. */
export interface SnapshotDisk {
  /** The drive's name, or the node's where no drive has a name. */
  readonly name: string;
  readonly node: BlockNode;
  /** `undefined` where the format has no snapshots. */
  readonly store: SnapshotStore | undefined;
  readonly vmState: VmStateStore | undefined;
}

/** A list for `info snapshots`. */
export interface SnapshotLists {
  /** Those that every disk has, as the disk with the VM state knows them. */
  readonly common: readonly SnapshotInfo[];
  /** For each disk that has others: those. */
  readonly partial: readonly { readonly disk: string; readonly snapshots: readonly SnapshotInfo[] }[];
}

/** The disks that are to take part, where a program says so: by their nodes' names. */
export interface SnapshotScope {
  readonly devices: readonly string[];
  /** The one that keeps the VM state. */
  readonly vmstate?: string;
}

function namedDisks(machine: Machine, { devices }: SnapshotScope): SnapshotDisk[] {
  const disks = [...new Set(devices)].map((name) => {
    const node = machine.graph.find(name);
    if (node === undefined) throw new MachineError(`No block device node '${name}'`);
    return { name, node, store: node.driver.snapshots, vmState: node.driver.vmState };
  });
  if (disks.length === 0) throw new MachineError("At least one device is required for snapshot");
  return disks.filter(({ node }) => !node.readOnly);
}

/** All writable media, drives first. */
export function snapshotDisks(machine: Machine): SnapshotDisk[] {
  const disks = new Map<BlockNode, SnapshotDisk>();
  const add = (node: BlockNode, name: string) => {
    if (node.readOnly || disks.has(node)) return;
    disks.set(node, { name, node, store: node.driver.snapshots, vmState: node.driver.vmState });
  };
  for (const backend of machine.backends.list()) {
    if (backend.node !== undefined) add(backend.node, backend.name || backend.node.name);
  }
  for (const node of machine.graph.nodes) {
    if (machine.graph.isHeld(node) && node.parents.length === 0) add(node, node.name);
  }
  return [...disks.values()];
}

/** A disk that has snapshots. */
export type CapableDisk = SnapshotDisk & { readonly store: SnapshotStore };

/** The disks, all of which have snapshots. @throws {MachineError} naming the first that has none */
export function capableDisks(machine: Machine, scope?: SnapshotScope): CapableDisk[] {
  const disks = scope === undefined ? snapshotDisks(machine) : namedDisks(machine, scope);
  return disks.map((disk) => {
    const { store } = disk;
    if (store === undefined) {
      throw new MachineError(`Device '${disk.name}' is writable but does not support snapshots`);
    }
    return { ...disk, store };
  });
}

/** The disk that keeps the VM state, that of the name where one is given. @throws {MachineError} where there is none */
export function vmStateDisk<Disk extends SnapshotDisk>(
  disks: readonly Disk[],
  name?: string,
): Disk & { vmState: VmStateStore } {
  for (const disk of disks) {
    const { vmState } = disk;
    if (name !== undefined && disk.name !== name) continue;
    if (disk.store !== undefined && vmState !== undefined) return { ...disk, vmState };
  }
  if (name !== undefined) throw new MachineError(`vmstate block device '${name}' does not exist`);
  throw new MachineError("no block device can store vmstate for snapshot");
}

/** The snapshot called `tag` on `disk`. */
export function findSnapshot(disk: SnapshotDisk, tag: string): SnapshotInfo | undefined {
  return disk.store?.list().find(({ name }) => name === tag);
}

/** What `info snapshots` lists. @throws {MachineError} where no disk could keep a VM state */
export function listSnapshots(machine: Machine): SnapshotLists {
  const disks = snapshotDisks(machine);
  const keeper = vmStateDisk(disks);
  const isCommon = ({ name }: SnapshotInfo) => disks.every((disk) => findSnapshot(disk, name) !== undefined);
  const common = keeper.store!.list().filter(isCommon);
  const names = new Set(common.map(({ name }) => name));
  const partial = disks.map((disk) => ({
    disk: disk.name,
    snapshots: (disk.store?.list() ?? []).filter(({ name }) => !names.has(name)),
  })).filter(({ snapshots }) => snapshots.length > 0);
  return { common, partial };
}
