/**
 * Nodes that another program may have for a while.
 *
 * Source: qapi/block-core.json of QEMU 10.0.
 *
 * @module
 */
import { activate, activateAll, inactivate, inactivateAll } from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { bool, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";

export const blockdevSetActive = qmpCommand({
  name: "blockdev-set-active",
  summary: "Hands a node over to another program, or takes it back; without a name, all nodes.",
  data: struct({ "node-name": optional(str), active: bool }),
  async run({ graph }, { "node-name": name, active }) {
    if (name === undefined) return await (active ? activateAll(graph) : inactivateAll(graph));
    const node = graph.find(name);
    if (node === undefined) throw new MonitorError(`Failed to find node with node-name='${name}'`);
    await (active ? activate(node) : inactivate(node));
  },
});
