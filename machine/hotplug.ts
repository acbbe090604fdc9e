/**
 * `device_add` and `device_del`: devices that come to a finished machine and go from it.
 *
 * What a bus has to do about it is its {@link HotplugHandler}'s; a bus without one refuses.
 *
 * Source: qapi/qdev.json; the texts are QEMU 7.2's.
 *
 * @module
 */
import { nextTurn } from "../base/turn.ts";
import type { BlockBackend } from "../block/mod.ts";
import { Device } from "../devices/bus/mod.ts";
import { addDevice, type DeviceRequestOptions } from "./devices.ts";
import { MachineError } from "./errors.ts";
import type { Machine } from "./machine.ts";

/** Makes a device and plugs it in. @throws {PropertyError} with QEMU's text */
export async function plugDevice(machine: Machine, request: DeviceRequestOptions): Promise<Device> {
  const device = await addDevice(machine, { ...request, hotplug: true });
  try {
    device.hotplugged = true;
    await device.reset();
    device.bus?.hotplug?.plugged?.(device);
    if (machine.isRunning) device.resume();
    return device;
  } catch (error) {
    await takeOut(machine, device);
    throw error;
  }
}

/** The device that `device_del` means by an id or a path. @throws {MachineError} */
function deviceNamed(machine: Machine, name: string): Device {
  const node = name.startsWith("/") ? machine.objects.find(name) : machine.objects.peripheral.child(name);
  if (node === undefined) throw new MachineError(`Device '${name}' not found`);
  if (!(node.value instanceof Device)) throw new MachineError(`${name} is not a hotpluggable device`);
  return node.value;
}

/** Takes a device out, or asks the guest to let it go. @throws {MachineError | PropertyError} with QEMU's text */
export async function unplugDevice(machine: Machine, name: string): Promise<void> {
  const device = deviceNamed(machine, name);
  const { bus } = device;
  if (device.unplugPending) throw new MachineError(`Device ${name} is already in the process of unplug`);
  if (bus === undefined && device.type.category === "CPU") throw new MachineError("Boot CPU is unpluggable");
  if (bus !== undefined && bus.hotplug === undefined) {
    throw new MachineError(`Bus '${bus.name}' does not support hotplugging`);
  }
  if (bus?.hotplug === undefined || device.type.hotpluggable === false) {
    throw new MachineError(`Device '${device.type.name}' does not support hotplugging`);
  }
  if (bus.hotplug.unplug(device) === "asked") device.unplugPending = true;
  else await finishUnplug(machine, device);
}

/** The device goes now, and with it what was plugged into it; everybody hears of each. */
export async function finishUnplug(machine: Machine, device: Device): Promise<void> {
  if (!device.placed) return;
  const gone = [...devicesOf(device)].map(({ id, path }) => ({ ...(id === undefined ? {} : { device: id }), path }));
  await takeOut(machine, device);
  // The command has been answered before anybody hears of it.
  void nextTurn().then(() => {
    for (const event of gone) machine.events.emit("DEVICE_DELETED", event);
  });
}

/** Removes a device, what is plugged into it, and the drives that were theirs alone. */
async function takeOut(machine: Machine, device: Device): Promise<void> {
  const paths = [...devicesOf(device)].map(({ path }) => path);
  const drives = machine.backends.list().filter(({ device: user }) => user !== undefined && paths.includes(user.path));
  await device.unrealize();
  for (const drive of drives) await removeDrive(machine, drive);
}

/** A drive goes with its device, as QEMU's do: the nameless one that was made for a node, and that of `-drive`. */
async function removeDrive(machine: Machine, drive: BlockBackend): Promise<void> {
  if (machine.backends.has(drive)) await machine.backends.remove(drive);
}

/** What is plugged into it, then the device itself. */
function* devicesOf(device: Device): IterableIterator<Device> {
  for (const bus of device.buses) yield* bus.walk();
  yield device;
}
