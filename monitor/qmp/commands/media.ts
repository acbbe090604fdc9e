/**
 * Trays and media of drives that have them.
 *
 * Source: qapi/block.json.
 *
 * @module
 */
import type { BlockBackend } from "../../../block/mod.ts";
import { deviceNotFound, MonitorError } from "../../errors.ts";
import { bool, oneOf, optional, str, struct, type Type } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import type { MachineQmpContext } from "../context.ts";

/** A drive's name, which is on its way out. */
const oldName = optional(str, ["deprecated"]);

/** The drive of exactly one of a drive's name and a device's id or path. @throws {MonitorError} */
export function driveOf(context: MachineQmpContext, device: string | undefined, id: string | undefined): BlockBackend {
  if ((device === undefined) === (id === undefined)) throw new MonitorError("Need exactly one of 'device' and 'id'");
  const backend = device !== undefined
    ? context.backends.find(device)
    : context.backends.list().find((one) => one.device?.id === id || one.device?.path === id);
  if (backend === undefined) throw deviceNotFound(device ?? id!);
  return backend;
}

function refuseFixed(backend: BlockBackend, name: string): void {
  const { device } = backend;
  if (device !== undefined && !(device.removable ?? false)) {
    throw new MonitorError(`Device '${name}' is not removable`);
  }
}

/** Opens a tray. False: the guest has locked it and was asked to open it. */
function openTray(backend: BlockBackend, name: string, force: boolean): boolean {
  refuseFixed(backend, name);
  return backend.openTray(force);
}

function lockedError(name: string): MonitorError {
  return new MonitorError(
    `Device '${name}' is locked and force was not specified, wait for tray to open and try again`,
  );
}

export const blockdevOpenTray = qmpCommand({
  name: "blockdev-open-tray",
  summary: "Opens a tray; where the guest has locked it, asks the guest.",
  data: struct({ device: oldName, id: optional(str), force: optional(bool) }),
  run(context, { device, id, force = false }) {
    openTray(driveOf(context, device, id), device ?? id!, force);
  },
});

export const blockdevCloseTray = qmpCommand({
  name: "blockdev-close-tray",
  summary: "Closes a tray.",
  data: struct({ device: oldName, id: optional(str) }),
  run(context, { device, id }) {
    const backend = driveOf(context, device, id);
    refuseFixed(backend, device ?? id!);
    backend.closeTray();
  },
});

async function removeMedium(backend: BlockBackend, name: string): Promise<void> {
  refuseFixed(backend, name);
  if (backend.device !== undefined && !backend.isTrayOpen) {
    throw new MonitorError(`Tray of device '${name}' is not open`);
  }
  await backend.removeMedium();
}

export const blockdevRemoveMedium = qmpCommand({
  name: "blockdev-remove-medium",
  summary: "Takes the medium out of an open tray.",
  data: struct({ id: str }),
  run: (context, { id }) => removeMedium(driveOf(context, undefined, id), id),
});

export const blockdevInsertMedium = qmpCommand({
  name: "blockdev-insert-medium",
  summary: "Puts a node into an open tray.",
  data: struct({ id: str, "node-name": str }),
  async run(context, { id, "node-name": name }) {
    const backend = driveOf(context, undefined, id);
    const node = context.graph.find(name);
    if (node === undefined) throw new MonitorError(`Node '${name}' not found`);
    if (context.backends.list().some((one) => one.node === node)) {
      throw new MonitorError(`Node '${name}' is already in use`);
    }
    refuseFixed(backend, id);
    if (backend.device !== undefined && !backend.isTrayOpen) {
      throw new MonitorError(`Tray of device '${id}' is not open`);
    }
    if (backend.node !== undefined) throw new MonitorError(`There already is a medium in device '${id}'`);
    await backend.insertMedium(node);
  },
});

export const eject = qmpCommand({
  name: "eject",
  summary: "Opens a tray and takes the medium out.",
  data: struct({ device: oldName, id: optional(str), force: optional(bool) }),
  async run(context, { device, id, force = false }) {
    const name = device ?? id!;
    const backend = driveOf(context, device, id);
    if (!openTray(backend, name, force)) throw lockedError(name);
    await removeMedium(backend, name);
  },
});

const readOnlyMode: Type<"retain" | "read-only" | "read-write"> = oneOf("retain", "read-only", "read-write");

export const blockdevChangeMedium = qmpCommand({
  name: "blockdev-change-medium",
  summary: "Puts another image into a drive: opens the tray, changes, closes it.",
  data: struct({
    device: oldName,
    id: optional(str),
    filename: str,
    format: optional(str),
    force: optional(bool),
    "read-only-mode": optional(readOnlyMode),
  }),
  async run(context, { device, id, filename, format, force = false, "read-only-mode": mode = "retain" }) {
    const name = device ?? id!;
    const backend = driveOf(context, device, id);
    const readOnly = mode === "retain" ? backend.readOnly : mode === "read-only";
    const { graph } = context;
    const options = { "read-only": readOnly, ...(format === undefined ? {} : { driver: format }) };
    const node = await graph.openImage({ filename, options });
    // The drive refers to the node once it is inserted; until then, and if that fails, it is held here.
    try {
      if (!openTray(backend, name, force)) throw lockedError(name);
      await removeMedium(backend, name);
      await backend.insertMedium(node);
      backend.closeTray();
    } finally {
      await graph.release(node);
    }
  },
});
