/**
 * `transaction`: several changes of disks, all or none.
 *
 * What the actions are about is drained from the first to the last, so that all are of one moment. Changes of bitmaps
 * alone that need no wait are made in one go without that.
 *
 * Source: qapi/transaction.json.
 *
 * @module
 */
import { type BlockGraph, type BlockNode, drained, JobGroup } from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { empty, type Infer, list, oneOf, optional, str, struct, union } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { changeTogether, type Prepare } from "./actions.ts";
import * as bitmaps from "./bitmaps.ts";
import { backUpToImage, backUpToNode, blockdevBackupData, driveBackupData } from "./copies.ts";
import { takeInternal } from "./internal_snapshots.ts";
import { snapshotOver, snapshotOverData, snapshotSyncData, snapshotToFile } from "./overlays.ts";

const actionType = oneOf(
  "abort",
  "block-dirty-bitmap-add",
  "block-dirty-bitmap-remove",
  "block-dirty-bitmap-clear",
  "block-dirty-bitmap-enable",
  "block-dirty-bitmap-disable",
  "block-dirty-bitmap-merge",
  "blockdev-backup",
  "blockdev-snapshot",
  "blockdev-snapshot-internal-sync",
  "blockdev-snapshot-sync",
  "drive-backup",
);

const action = union(struct({ type: actionType }), "type", {
  "abort": struct({ data: empty }),
  "block-dirty-bitmap-add": struct({ data: bitmaps.bitmapAddData }),
  "block-dirty-bitmap-remove": struct({ data: bitmaps.bitmapAddress }),
  "block-dirty-bitmap-clear": struct({ data: bitmaps.bitmapAddress }),
  "block-dirty-bitmap-enable": struct({ data: bitmaps.bitmapAddress }),
  "block-dirty-bitmap-disable": struct({ data: bitmaps.bitmapAddress }),
  "block-dirty-bitmap-merge": struct({ data: bitmaps.bitmapMergeData }),
  "blockdev-backup": struct({ data: blockdevBackupData }),
  "blockdev-snapshot": struct({ data: snapshotOverData }),
  "blockdev-snapshot-internal-sync": struct({ data: struct({ device: str, name: str }) }),
  "blockdev-snapshot-sync": struct({ data: snapshotSyncData }),
  "drive-backup": struct({ data: driveBackupData }),
});

type Action = Infer<typeof action>;

/** Nothing that these do takes time. */
const AT_ONCE: readonly Action["type"][] = [
  "abort",
  "block-dirty-bitmap-clear",
  "block-dirty-bitmap-enable",
  "block-dirty-bitmap-disable",
  "block-dirty-bitmap-merge",
];

function prepareOf(graph: BlockGraph, one: Action, group: JobGroup | undefined): Prepare {
  switch (one.type) {
    case "abort":
      return () => {
        throw new MonitorError("Transaction aborted using Abort action");
      };
    case "block-dirty-bitmap-add":
      return bitmaps.addAction(graph, one.data);
    case "block-dirty-bitmap-remove":
      return bitmaps.removeAction(graph, one.data);
    case "block-dirty-bitmap-clear":
      return bitmaps.clearAction(graph, one.data);
    case "block-dirty-bitmap-enable":
      return bitmaps.recordAction(graph, one.data, true);
    case "block-dirty-bitmap-disable":
      return bitmaps.recordAction(graph, one.data, false);
    case "block-dirty-bitmap-merge":
      return bitmaps.mergeAction(graph, one.data);
    case "blockdev-backup":
      return backUpToNode(graph, one.data, group);
    case "blockdev-snapshot":
      return snapshotOver(graph, one.data);
    case "blockdev-snapshot-internal-sync":
      return takeInternal(graph, one.data);
    case "blockdev-snapshot-sync":
      return snapshotToFile(graph, one.data);
    case "drive-backup":
      return backUpToImage(graph, one.data, group);
  }
}

/** The same, where it can be told to end with others. */
function groupedOf(graph: BlockGraph, one: Action, group: JobGroup): Prepare {
  if (["abort", "blockdev-backup", "drive-backup"].includes(one.type)) return prepareOf(graph, one, group);
  return () => {
    throw new MonitorError(
      `Action '${one.type}' does not support Transaction property completion-mode = grouped`,
    );
  };
}

/** The disks that actions name; those that are not there are refused when their turn comes. */
function concerned(graph: BlockGraph, actions: readonly Action[]): BlockNode[] {
  const found = new Set<BlockNode>();
  for (const { data } of actions) {
    const { device, node, "node-name": name } = data as Readonly<Record<string, string | undefined>>;
    for (const one of [device, node, name]) {
      const disk = one === undefined ? undefined : graph.find(one) ?? graph.backends.get(one)?.node;
      if (disk !== undefined) found.add(disk);
    }
  }
  return [...found];
}

export const transaction = qmpCommand({
  name: "transaction",
  summary: "Makes several changes of disks, all or none; with completion-mode grouped their jobs end together.",
  data: struct({
    actions: list(action),
    properties: optional(struct({ "completion-mode": optional(oneOf("individual", "grouped")) })),
  }),
  run({ graph }, { actions, properties }) {
    const group = properties?.["completion-mode"] === "grouped" ? new JobGroup() : undefined;
    const prepares = actions.map((one) =>
      group === undefined ? prepareOf(graph, one, undefined) : groupedOf(graph, one, group)
    );
    if (actions.every(({ type }) => AT_ONCE.includes(type))) return changeTogether(prepares);
    return drained(concerned(graph, actions), () => changeTogether(prepares));
  },
});
