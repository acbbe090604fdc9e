/**
 * `device_add` and `device_del`.
 *
 * Source: qapi/qdev.json; behaviour of QEMU 7.2.
 *
 * @module
 */
import { type OptionPair, parseOptionPairs } from "../../base/keyval.ts";
import type { MonitorContext } from "../context.ts";
import { deviceNotFound, MonitorError } from "../errors.ts";
import { deviceTypesText, deviceTypeText } from "../format/device_types.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

/** Plugs in the device that `pairs` describe. @throws {MonitorError | PropertyError} in QEMU's words */
export async function plug({ machine }: MonitorContext, pairs: readonly OptionPair[]): Promise<void> {
  const option = (wanted: string) => pairs.findLast(({ name }) => name === wanted)?.value;
  const driver = option("driver");
  if (driver === undefined) throw new MonitorError("Parameter 'driver' is missing");
  await machine.plugDevice({
    driver,
    id: option("id"),
    bus: option("bus"),
    properties: pairs.filter(({ name }) => !["driver", "id", "bus"].includes(name)).map((
      { name, value },
    ) => [name, value]),
  });
}

/** Takes out a device by id or path. @throws {MonitorError | MachineError} in QEMU's words */
export async function unplug({ machine }: MonitorContext, id: string): Promise<void> {
  const node = id.startsWith("/") ? machine.objects.find(id) : machine.objects.peripheral.child(id);
  if (node === undefined) throw deviceNotFound(id);
  await machine.unplugDevice(id);
}

/** What there is to say about options that were not all meant for a device. */
export interface DeviceAddition {
  /** A listing that was asked for. */
  readonly listing: string;
  readonly warnings: readonly string[];
}

export const deviceAdd = command({
  name: "device_add",
  summary: "Plugs in a device, where its bus takes one now. With `help` it tells which there are.",
  arguments: { device: arg.optional(arg.options()) },
  async run(context, { device = "" }): Promise<DeviceAddition> {
    const { pairs, warnings, helpWanted } = parseOptionPairs(device, "driver");
    if (helpWanted) return { listing: listing(context, pairs), warnings: [] };
    await plug(context, pairs);
    return { listing: "", warnings };
  },
  hmp: {
    names: "device_add",
    parameters: "driver[,prop=value][,...]",
    help: "add device, like -device on the command line",
    print(output, { listing, warnings }) {
      for (const warning of warnings) output.hostError(`warning: ${warning}\n`);
      output.print(listing);
    },
  },
});

function listing({ machine }: MonitorContext, pairs: readonly OptionPair[]): string {
  const driver = pairs.findLast(({ name }) => name === "driver")?.value ?? "";
  if (driver === "help" || driver === "?") return deviceTypesText(machine.types.list());
  const type = machine.types.find(driver);
  if (type === undefined) throw new MonitorError(`Device '${driver}' not found`);
  return deviceTypeText(type);
}

export const deviceDel = command({
  name: "device_del",
  summary: "Takes a device out by id or path, where its bus lets one go; some buses ask the guest first.",
  arguments: { id: arg.string() },
  run: (context, { id }): Promise<void> => unplug(context, id),
  hmp: { names: "device_del", parameters: "device", help: "remove device" },
});
