/**
 * `savevm`, `loadvm`, `delvm`: a machine and its disks, kept together under a tag.
 *
 * RAM and devices go into the VM state area of the first capable disk; then a snapshot of that name is taken on every
 * disk. Meanwhile the machine stands still, so that all parts are of one moment. Loading goes the other way: the state
 * is checked, disks go back, then devices and RAM.
 *
 * @module
 */
import type { SnapshotInfo } from "../../block/mod.ts";
import { NS_PER_S } from "../../base/units.ts";
import { MachineError } from "../errors.ts";
import type { Machine } from "../machine.ts";
import { type CapableDisk, capableDisks, findSnapshot, type SnapshotScope, vmStateDisk } from "./disks.ts";
import type { StateSource } from "./input.ts";
import { checkMachineState, takeUpState } from "./reader.ts";
import { writeMachineState } from "./writer.ts";

/** What a snapshot without a tag is called, by the host's time: `vm-20260131235959`. */
export function defaultTag(hostNs: number): string {
  const date = new Date(hostNs / 1e6);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
  return `vm-${day}${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}

/**
 * Takes a snapshot of the machine; one of the same tag is replaced, or refused where a program names the disks.
 *
 * @throws {MachineError} where a writable disk has no snapshots, or none can keep the state
 * @throws {BlockError} what a disk reports
 */
export async function saveSnapshot(machine: Machine, tag?: string, scope?: SnapshotScope): Promise<SnapshotInfo> {
  const disks = capableDisks(machine, scope);
  const name = tag ?? defaultTag(machine.clocks.host.nowNs());
  if (scope !== undefined && disks.some((disk) => findSnapshot(disk, name) !== undefined)) {
    throw new MachineError(`Snapshot '${name}' already exists in one or more devices`);
  }
  const keeper = vmStateDisk(disks, scope?.vmstate);
  return await machine.pauseFor("save-vm", async () => {
    for (const disk of disks) await drop(disk, name);
    const hostNs = machine.clocks.host.nowNs();
    const vmStateBytes = await writeMachineState(machine, keeper.vmState);
    const about = {
      name,
      dateSeconds: Math.floor(hostNs / NS_PER_S),
      dateNanoseconds: Math.floor(hostNs % NS_PER_S),
      vmClockNs: machine.clocks.virtual.nowNs(),
      icount: -1,
    };
    let taken: SnapshotInfo | undefined;
    for (const disk of disks) {
      const isKeeper = disk.node === keeper.node;
      const snapshot = await settled(
        disk,
        () => disk.store.create({ ...about, vmStateBytes: isKeeper ? vmStateBytes : 0 }),
      ).catch((cause) => {
        throw new MachineError(`Could not create snapshot '${name}' on '${disk.name}'`, { cause });
      });
      if (isKeeper) taken = snapshot;
    }
    return taken!;
  });
}

/**
 * Goes back to a snapshot. The machine runs on afterwards if it ran before.
 *
 * @throws {MachineError} where the snapshot is missing, is of a disk only, is QEMU's own, or does not fit this machine;
 *   in none of these cases has anything changed, but that a running machine stands still
 */
export function loadSnapshot(machine: Machine, tag: string, scope?: SnapshotScope): Promise<void> {
  return machine.pauseFor("restore-vm", async () => {
    const disks = capableDisks(machine, scope);
    if (disks.length > 0 && disks.some((disk) => findSnapshot(disk, tag) === undefined)) {
      throw new MachineError(`Snapshot '${tag}' does not exist in one or more devices`);
    }
    const keeper = vmStateDisk(disks, scope?.vmstate);
    const kept = findSnapshot(keeper, tag)!;
    if (kept.vmStateBytes === 0) {
      throw new MachineError("This is a disk-only snapshot. Revert to it  offline using qemu-img");
    }
    for (const { name, node } of disks) {
      if (node.bitmaps.length === 0) continue;
      throw new MachineError(`Could not load snapshot '${tag}' on '${name}': Device has active dirty bitmaps`);
    }
    const source = snapshotSource(keeper, kept);
    const checked = await checkMachineState(machine, source, tag);
    for (const disk of disks) await settled(disk, () => disk.store.apply(findSnapshot(disk, tag)!.id));
    await takeUpState(machine, source, checked);
  });
}

/** Removes a snapshot from every disk that has it. @throws {MachineError} where a writable disk has no snapshots */
export async function deleteSnapshot(machine: Machine, tag: string, scope?: SnapshotScope): Promise<void> {
  for (const disk of capableDisks(machine, scope)) await drop(disk, tag);
}

async function drop(disk: CapableDisk, tag: string): Promise<void> {
  const old = findSnapshot(disk, tag);
  if (old !== undefined) await settled(disk, () => disk.store.delete(old.id));
}

/** Runs `work` while nothing is in flight on the disk. */
async function settled<T>(disk: CapableDisk, work: () => Promise<T>): Promise<T> {
  await disk.node.drainedBegin();
  try {
    return await work();
  } finally {
    disk.node.drainedEnd();
  }
}

/** The VM state of a snapshot, as it lies in the snapshot, whatever the active state is. */
function snapshotSource(disk: CapableDisk, { id, vmStateBytes }: SnapshotInfo): StateSource {
  const { store } = disk;
  if (store.readVmState === undefined) {
    throw new MachineError(`Device '${disk.name}' cannot read the VM state of a snapshot`);
  }
  return { sizeBytes: vmStateBytes, read: (at, into) => store.readVmState!(id, at, into) };
}
