/**
 * `blockdev-reopen`: other options for nodes that are open.
 *
 * Source: qapi/block-core.json.
 *
 * @module
 */
import { checkBlockdev, type OptionTree, optionValue, reopenNodes } from "../../../block/mod.ts";
import type { JsonObject } from "../../../base/json/mod.ts";
import { MonitorError } from "../../errors.ts";
import { list, struct, unchecked } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { blockdevOptions } from "../types/blockdev.ts";

export const blockdevReopen = qmpCommand({
  name: "blockdev-reopen",
  summary: "Gives nodes other options while they are in use: all of them, or none where one will not do.",
  data: struct({ options: list(unchecked) }),
  described: struct({ options: list(blockdevOptions) }),
  async run({ graph }, { options: wanted }) {
    const checked = wanted.map((one: JsonObject, index) =>
      checkBlockdev(optionValue(one) as OptionTree, {
        keyval: false,
        path: `options[${index}].`,
      }) as unknown as OptionTree
    );
    const requests = checked.map((options) => {
      const name = options["node-name"];
      if (typeof name !== "string") throw new MonitorError("node-name not specified");
      const node = graph.find(name);
      if (node === undefined) throw new MonitorError(`Failed to find node with node-name='${name}'`);
      return { node, options };
    });
    await reopenNodes(graph, requests);
  },
});
