/**
 * Snapshots inside an image, of one disk: without the machine.
 *
 * Source: qapi/block-core.json.
 *
 * @module
 */
import { NS_PER_S } from "../../../base/units.ts";
import {
  type BlockGraph,
  BlockNode,
  drained,
  type SnapshotInfo,
  type SnapshotStore,
  visibleNode,
} from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { type Infer, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { snapshotInfo } from "../types/images.ts";
import { changeTogether, type Prepare, type PreparedChange } from "./actions.ts";

/** What is told of a snapshot. */
export function snapshotValue(one: SnapshotInfo) {
  return {
    id: one.id,
    name: one.name,
    "vm-state-size": one.vmStateBytes,
    "date-sec": one.dateSeconds,
    "date-nsec": one.dateNanoseconds,
    "vm-clock-sec": Math.floor(one.vmClockNs / NS_PER_S),
    "vm-clock-nsec": one.vmClockNs % NS_PER_S,
    ...(one.icount === -1 ? {} : { icount: one.icount }),
  };
}

/** The image of a drive, or of a node that no other lies on. */
function imageOf(graph: BlockGraph, device: string): BlockNode {
  const drive = graph.backends.get(device);
  if (drive !== undefined && drive.node === undefined) throw new MonitorError(`Device '${device}' has no medium`);
  const node = graph.lookup(device);
  if (visibleNode(node).parents.some(({ owner }) => owner instanceof BlockNode)) {
    throw new MonitorError("Need a root block node");
  }
  return node;
}

const takeData = struct({ device: str, name: str });

/** Takes a snapshot; taken back it is deleted. */
export function takeInternal(graph: BlockGraph, data: { readonly device: string; readonly name: string }): Prepare {
  return async () => {
    const { device, name } = data;
    const node = imageOf(graph, device);
    graph.jobs.refuseBusy(node, "snapshot");
    const shown = graph.backends.has(device) ? device : node.name;
    if (node.readOnly) throw new MonitorError(`Device '${shown}' is read only`);
    const store = node.driver.snapshots;
    if (store === undefined) {
      throw new MonitorError(
        `Block format '${node.driver.name}' used by device '${shown}' does not support internal snapshots`,
      );
    }
    if (name === "") throw new MonitorError("Name is empty");
    if (store.list().some((one) => one.name === name)) {
      throw new MonitorError(`Snapshot with name '${name}' already exists on device '${shown}'`);
    }
    return await take(graph, node, store, name);
  };
}

async function take(graph: BlockGraph, node: BlockNode, store: SnapshotStore, name: string): Promise<PreparedChange> {
  const hostNs = graph.clocks.host.nowNs();
  const { id } = await drained([node], () =>
    store.create({
      name,
      vmStateBytes: 0,
      dateSeconds: Math.floor(hostNs / NS_PER_S),
      dateNanoseconds: Math.floor(hostNs % NS_PER_S),
      vmClockNs: graph.clocks.virtual.nowNs(),
      icount: -1,
    }));
  return { abort: () => drained([node], () => store.delete(id)) };
}

export const blockdevSnapshotInternalSync = qmpCommand({
  name: "blockdev-snapshot-internal-sync",
  summary: "Takes a snapshot of a drive inside its image.",
  data: takeData,
  run: ({ graph }, data) => changeTogether([takeInternal(graph, data)]),
});

const deleteData = struct({ device: str, id: optional(str), name: optional(str) });

/** Deletes the snapshot that has the id, the name or both. @throws {MonitorError} */
export async function deleteInternal(graph: BlockGraph, data: Infer<typeof deleteData>): Promise<SnapshotInfo> {
  const { device, id, name } = data;
  const node = imageOf(graph, device);
  graph.jobs.refuseBusy(node, "snapshot");
  if (id === undefined && name === undefined) throw new MonitorError("Name or id must be provided");
  const store = node.driver.snapshots;
  if (store === undefined) throw new MonitorError("Failed to get a snapshot list: Operation not supported");
  const found = store.list().find((one) =>
    (id === undefined || one.id === id) && (name === undefined || one.name === name)
  );
  if (found === undefined) {
    throw new MonitorError(
      `Snapshot with id '${id ?? "null"}' and name '${name ?? "null"}' does not exist on device '${device}'`,
    );
  }
  await drained([node], () => store.delete(found.id));
  return found;
}

export const blockdevSnapshotDeleteInternalSync = qmpCommand({
  name: "blockdev-snapshot-delete-internal-sync",
  summary: "Deletes a snapshot inside an image, and tells what it was.",
  data: deleteData,
  returns: snapshotInfo,
  run: async ({ graph }, data) => snapshotValue(await deleteInternal(graph, data)),
});
