/**
 * Devices that come and go.
 *
 * Source: qapi/qdev.json.
 *
 * @module
 */
import type { JsonObject, JsonValue } from "../../../base/json/mod.ts";
import type { OptionPair } from "../../../base/keyval.ts";
import { plug, unplug } from "../../commands/devices.ts";
import { optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { promptOf } from "../context.ts";

const addition = struct({ driver: str, bus: optional(str), id: optional(str) });

export const deviceAdd = qmpCommand({
  name: "device_add",
  summary: "Plugs in a device, where its bus takes one now.",
  // Its other members are the device's properties, which know their own types.
  data: { ...addition, open: true },
  features: ["json-cli", "json-cli-hotplug"],
  isUnchecked: true,
  run: (context, data) => plug(promptOf(context).context([]), pairsOf(data as JsonObject)),
});

/** Options as a command line has them; what has no text is left out, as QEMU leaves it out. */
function pairsOf(data: JsonObject): OptionPair[] {
  return Object.entries(data).flatMap(([name, value]) => {
    const text = textOf(value);
    return text === undefined ? [] : [{ name, value: text }];
  });
}

function textOf(value: JsonValue): string | undefined {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
      return String(value);
    case "boolean":
      return value ? "on" : "off";
    default:
      return undefined;
  }
}

export const deviceDel = qmpCommand({
  name: "device_del",
  summary: "Takes a device out by id or path; DEVICE_DELETED tells when it has gone.",
  data: struct({ id: str }),
  run: (context, { id }) => unplug(promptOf(context).context([]), id),
});
