/**
 * Connections that hang are cut: the one thing that must work while a command waits for such a connection, so it
 * overtakes what waits.
 *
 * Left out: connections of nodes and of migration, of which there are none.
 *
 * Source: qapi/yank.json.
 *
 * @module
 */
import { SocketChardev } from "../../../machine/mod.ts";
import { MonitorError } from "../../errors.ts";
import { empty, type Infer, list, oneOf, str, struct, union } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";

const instance = union(struct({ type: oneOf("block-node", "chardev", "migration") }), "type", {
  "block-node": struct({ "node-name": str }),
  chardev: struct({ id: str }),
});

export const queryYank = qmpCommand({
  name: "query-yank",
  summary: "The connections that can be cut.",
  data: empty,
  returns: list(instance),
  outOfBand: true,
  run: ({ chardevs }): Infer<typeof instance>[] =>
    chardevs.list.filter((device) => device instanceof SocketChardev).map(({ label }) => ({
      type: "chardev" as const,
      id: label,
    })),
});

export const yank = qmpCommand({
  name: "yank",
  summary: "Cuts connections; nothing is cut where one of them is not there.",
  data: struct({ instances: list(instance) }),
  outOfBand: true,
  run({ chardevs }, { instances }) {
    const sockets = instances.map((wanted) => {
      const device = wanted.type === "chardev" ? chardevs.find(wanted.id) : undefined;
      if (device instanceof SocketChardev) return device;
      throw new MonitorError("Instance not found", { class: "DeviceNotFound" });
    });
    for (const socket of sockets) socket.cut();
  },
});
