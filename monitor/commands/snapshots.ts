/**
 * Snapshots of the whole machine: `savevm`, `loadvm`, `delvm`, `info snapshots`.
 *
 * @module
 */
import type { SnapshotInfo } from "../../block/mod.ts";
import {
  deleteSnapshot,
  listSnapshots,
  loadSnapshot,
  MachineError,
  saveSnapshot,
  type SnapshotLists,
} from "../../machine/mod.ts";
import { snapshotHeader, snapshotRow } from "../format/snapshots.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

export const savevm = command({
  name: "savevm",
  summary: "Takes a snapshot of RAM, devices and all writable disks; one of the same name is replaced.",
  arguments: { tag: arg.optional(arg.string("snapshot")) },
  async run({ machine }, { tag }): Promise<SnapshotInfo> {
    return await saveSnapshot(machine, tag);
  },
  hmp: {
    names: "savevm",
    parameters: "tag",
    help: "save a VM snapshot. If no tag is provided, a new snapshot is created",
  },
});

export const loadvm = command({
  name: "loadvm",
  summary: "Goes back to a snapshot.",
  arguments: { tag: arg.string("snapshot") },
  async run({ machine }, { tag }): Promise<void> {
    await loadSnapshot(machine, tag);
  },
  hmp: { names: "loadvm", parameters: "tag", help: "restore a VM snapshot from its tag" },
});

export const delvm = command({
  name: "delvm",
  summary: "Removes a snapshot from all disks that have it.",
  arguments: { tag: arg.string("snapshot") },
  async run({ machine }, { tag }): Promise<void> {
    await deleteSnapshot(machine, tag);
  },
  hmp: { names: "delvm", parameters: "tag", help: "delete a VM snapshot from its tag" },
});

/** Where no disk could keep the machine's state, `refusal` says so: at the prompt that is an answer, not an error. */
export type SnapshotAnswer = SnapshotLists | { readonly refusal: string };

export const infoSnapshots = command({
  name: "query-snapshots",
  summary: "Snapshots that all disks have, and those of single disks.",
  arguments: {},
  run({ machine }): SnapshotAnswer {
    try {
      return listSnapshots(machine);
    } catch (error) {
      if (error instanceof MachineError) return { refusal: error.message };
      throw error;
    }
  },
  hmp: {
    names: "snapshots",
    group: "info",
    parameters: "",
    help: "show the currently saved VM snapshots",
    print: (output, answer) => output.print("refusal" in answer ? `${answer.refusal}\n` : listText(answer)),
  },
});

function listText({ common, partial }: SnapshotLists): string {
  if (common.length === 0 && partial.length === 0) return "There is no snapshot available.\n";
  // An id belongs to one disk; the list of all disks shows none.
  let out = "List of snapshots present on all disks:\n" +
    (common.length === 0 ? "None\n" : snapshotHeader() + common.map((one) => snapshotRow(one, "--")).join(""));
  for (const { disk, snapshots } of partial) {
    out += `\nList of partial (non-loadable) snapshots on '${disk}':\n${snapshotHeader()}${
      snapshots.map((one) => snapshotRow(one)).join("")
    }`;
  }
  return out;
}
