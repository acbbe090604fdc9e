/**
 * Jobs that keep a machine with its disks, go back to that, and forget it.
 *
 * Source: qapi/migration.json.
 *
 * @module
 */
import { startOnce } from "../../../block/mod.ts";
import { deleteSnapshot, loadSnapshot, type Machine, saveSnapshot } from "../../../machine/mod.ts";
import { list, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { type MachineQmpContext, promptOf } from "../context.ts";

const withState = struct({ "job-id": str, tag: str, vmstate: str, devices: list(str) });

/** The work takes its turn with commands, so that the graph does not change meanwhile. */
async function start(
  context: MachineQmpContext,
  how: { readonly id: string; readonly type: "snapshot-save" | "snapshot-load" | "snapshot-delete" },
  work: (machine: Machine) => Promise<unknown>,
): Promise<void> {
  const { graph } = context;
  const hmp = promptOf(context);
  const { machine } = hmp.context([]);
  await startOnce(graph, how, async () => void await hmp.exclusive(() => work(machine)));
}

export const snapshotSave = qmpCommand({
  name: "snapshot-save",
  summary: "Starts a job that takes a snapshot of the machine and of the disks that are named.",
  data: withState,
  run: (context, { "job-id": id, tag, vmstate, devices }) =>
    start(context, { id, type: "snapshot-save" }, (machine) => saveSnapshot(machine, tag, { vmstate, devices })),
});

export const snapshotLoad = qmpCommand({
  name: "snapshot-load",
  summary: "Starts a job that goes back to a snapshot of the machine and of the disks that are named.",
  data: withState,
  run: (context, { "job-id": id, tag, vmstate, devices }) =>
    start(context, { id, type: "snapshot-load" }, (machine) => loadSnapshot(machine, tag, { vmstate, devices })),
});

export const snapshotDelete = qmpCommand({
  name: "snapshot-delete",
  summary: "Starts a job that deletes a snapshot from the disks that are named.",
  data: struct({ "job-id": str, tag: str, devices: list(str) }),
  run: (context, { "job-id": id, tag, devices }) =>
    start(context, { id, type: "snapshot-delete" }, (machine) => deleteSnapshot(machine, tag, { devices })),
});
