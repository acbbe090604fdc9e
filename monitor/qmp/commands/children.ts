/**
 * Children that come and go while their node is open, and the thread that a node works in.
 *
 * Source: qapi/block-core.json.
 *
 * @module
 */
import { addChild, BlockBackend, removeChild } from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { alternate, bool, nothing, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";

export const blockdevChange = qmpCommand({
  name: "x-blockdev-change",
  summary: "Gives a node one more child, or takes one away: the copies of a quorum.",
  data: struct({ parent: str, child: optional(str), node: optional(str) }),
  features: ["unstable"],
  async run({ graph }, { parent: parentName, child, node: nodeName }) {
    const parent = graph.lookup(parentName);
    if ((child === undefined) === (nodeName === undefined)) {
      throw new MonitorError(
        child === undefined
          ? "Either child or node must be specified"
          : "The parameters child and node are in conflict",
      );
    }
    if (child !== undefined) return await removeChild(graph, parent, child);
    const node = graph.find(nodeName!);
    if (node === undefined) throw new MonitorError(`Node '${nodeName}' not found`);
    await addChild(graph, parent, node);
  },
});

export const blockdevSetIothread = qmpCommand({
  name: "x-blockdev-set-iothread",
  summary: "Moves a node to an iothread; here all nodes work in the one thread there is, so that this changes nothing.",
  data: struct({ "node-name": str, iothread: alternate("StrOrNull", str, nothing), force: optional(bool) }),
  features: ["unstable"],
  run({ graph }, { "node-name": name, iothread, force = false }) {
    const node = graph.find(name);
    if (node === undefined) throw new MonitorError(`Failed to find node with node-name='${name}'`);
    if (!force && node.parents.some(({ owner }) => owner instanceof BlockBackend)) {
      throw new MonitorError(
        `Node ${name} is associated with a BlockBackend and could be in use (use force=true to override this check)`,
      );
    }
    if (iothread !== null && !graph.objects.list.some(({ id, type }) => id === iothread && type === "iothread")) {
      throw new MonitorError(`Cannot find iothread ${iothread}`);
    }
  },
});
