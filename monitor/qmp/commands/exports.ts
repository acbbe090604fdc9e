/**
 * What is told of things that moa does not have yet: exports of disks, helpers for persistent reservations.
 *
 * Source: qapi/block-export.json, qapi/block.json.
 *
 * @module
 */
import { bool, empty, list, oneOf, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";

export const queryBlockExports = qmpCommand({
  name: "query-block-exports",
  summary: "Exports of nodes: none, since exports are not built yet.",
  data: empty,
  returns: list(struct({
    id: str,
    type: oneOf("nbd", "vhost-user-blk", "fuse", "vduse-blk"),
    "node-name": str,
    "shutting-down": bool,
  })),
  run: () => [],
});

export const queryPrManagers = qmpCommand({
  name: "query-pr-managers",
  summary: "Helpers for persistent reservations: none here.",
  data: empty,
  returns: list(struct({ id: str, connected: bool })),
  run: () => [],
});
