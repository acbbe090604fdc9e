/**
 * Drives that come and go, their media, and `commit`.
 *
 * @module
 */
import { type BlockBackend, BlockError, commitAll } from "../../block/mod.ts";
import type { MonitorContext } from "../context.ts";
import type { DriveAddition } from "../drive_maker.ts";
import { errnoText } from "../../base/errno.ts";
import { MonitorError } from "../errors.ts";
import { formatsHelp } from "../format/formats.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";
import { setLimits } from "../qmp/commands/throttle.ts";
import { driveNamed } from "./block.ts";

export const driveAdd = command({
  name: "drive_add",
  summary: "Adds a drive as -drive does, or with -n a node as -blockdev does.",
  arguments: { node: arg.flag("n"), pciAddress: arg.string(), options: arg.string("drive-option") },
  run: (context, { node = false, options }): Promise<DriveAddition> =>
    node ? context.drives.addNode(options) : context.drives.addDrive(options),
  hmp: {
    names: "drive_add",
    parameters: "[-n] [[<domain>:]<bus>:]<slot>\n[file=file][,if=type][,bus=n]\n[,unit=m][,media=d][,index=i]\n" +
      "[,snapshot=on|off][,cache=on|off]\n[,readonly=on|off][,copy-on-read=on|off]",
    help: "add drive to PCI storage controller",
    errorPrefix: "",
    print: (output, added, _values, { machine }) => {
      for (const warning of added.warnings) output.print(`${warning}\n`);
      if (added.kind === "added") output.print("OK\n");
      else if (added.kind === "help") output.host(formatsHelp(machine.graph.drivers));
      else if (added.kind === "unpluggable") {
        output.print(`Can't hot-add drive to type ${added.interfaceNumber}\n`);
      }
    },
  },
});

export const driveDel = command({
  name: "drive_del",
  summary: "Takes a drive away; a device that has it keeps an empty one.",
  arguments: { id: arg.device() },
  async run({ machine }, { id }): Promise<void> {
    const node = machine.graph.find(id);
    if (node !== undefined) {
      if (!machine.graph.isHeld(node)) throw new MonitorError(`Node ${id} is not owned by the monitor`);
      if (node.parents.length > 0) throw new MonitorError(`Node ${id} is in use`);
      return await machine.graph.release(node);
    }
    const backend = machine.backends.find(id);
    if (backend === undefined) throw new MonitorError(`Device '${id}' not found`);
    if (backend.device === undefined) return await machine.backends.remove(backend);
    await backend.removeMedium();
    backend.forgetName();
    // Nobody is left who could mend what a failed request waits for.
    backend.werror = "report";
    backend.rerror = "report";
  },
  hmp: { names: "drive_del", parameters: "device", help: "remove host block device", errorPrefix: "" },
});

/** A drive whose medium can be taken out. */
function removable(context: MonitorContext, name: string): BlockBackend {
  const backend = driveNamed(context, name);
  requireRemovable(backend);
  return backend;
}

function requireRemovable(backend: BlockBackend): void {
  const { device } = backend;
  if (device !== undefined && !(device.removable ?? false)) {
    throw new MonitorError(`Device '${backend.name}' is not removable`);
  }
}

function openTray(backend: BlockBackend, force: boolean): void {
  if (!backend.openTray(force)) {
    throw new MonitorError(
      `Device '${backend.name}' is locked and force was not specified, wait for tray to open and try again`,
    );
  }
}

export const eject = command({
  name: "eject",
  summary: "Opens a drive's tray and takes the medium out.",
  arguments: { force: arg.flag("f"), device: arg.device() },
  async run(context, { force = false, device }): Promise<void> {
    const backend = removable(context, device);
    openTray(backend, force);
    await backend.removeMedium();
  },
  hmp: {
    names: "eject",
    parameters: "[-f] device",
    help: "eject a removable medium (use -f to force it)",
  },
});

/** What a new medium may be written by: as the drive before, or as said. */
export type ReadOnlyMode = "retain" | "read-only" | "read-write";

const READ_ONLY_MODES: readonly string[] = ["retain", "read-only", "read-write"];

export const change = command({
  name: "change",
  summary: "Puts another medium into a removable drive.",
  arguments: {
    device: arg.device(),
    force: arg.flag("f"),
    target: arg.file(),
    format: arg.optional(arg.string("format")),
    readOnlyMode: arg.optional(arg.string()),
  },
  async run(context, { device, force = false, target, format, readOnlyMode = "retain" }): Promise<void> {
    if (device === "vnc") throw new MonitorError("There is no VNC server here");
    if (!READ_ONLY_MODES.includes(readOnlyMode)) throw new MonitorError(`invalid parameter value: ${readOnlyMode}`);
    const backend = driveNamed(context, device);
    const readOnly = readOnlyMode === "retain" ? backend.readOnly : readOnlyMode === "read-only";
    const { graph } = context.machine;
    const node = await context.drives.openMedium(target, { readOnly, ...(format === undefined ? {} : { format }) });
    // The backend refers to the node once it is inserted; until then, and if that fails, it is held here.
    try {
      requireRemovable(backend);
      openTray(backend, force);
      await backend.removeMedium();
      await backend.insertMedium(node);
      backend.closeTray();
    } finally {
      await graph.release(node);
    }
  },
  hmp: {
    names: "change",
    parameters: "device [-f] filename [format [read-only-mode]]",
    help: "change a removable medium, optional format, use -f to force the operation",
  },
});

export const blockSetIoThrottle = command({
  name: "block_set_io_throttle",
  summary: "Limits bytes and requests a second of a drive; zeroes take the limits away.",
  arguments: {
    device: arg.device(),
    bps: arg.int64(),
    bps_rd: arg.int64(),
    bps_wr: arg.int64(),
    iops: arg.int64(),
    iops_rd: arg.int64(),
    iops_wr: arg.int64(),
  },
  run(context, { device, ...rates }): void {
    const values = Object.fromEntries(Object.entries(rates).map(([name, value]) => [name, Number(value)]));
    setLimits(driveNamed(context, device), values, undefined);
  },
  hmp: {
    names: "block_set_io_throttle",
    parameters: "device bps bps_rd bps_wr iops iops_rd iops_wr",
    help: "change I/O throttle limits for a block drive",
  },
});

export const commit = command({
  name: "commit",
  summary: "Writes what overlays hold into their backing files, and empties them.",
  arguments: { device: arg.device() },
  async run(context, { device }): Promise<void> {
    const { machine } = context;
    const backends = device === "all"
      ? machine.backends.list().filter(({ node }) => node?.backing !== undefined)
      : [driveNamed(context, device)];
    for (const { node } of backends) {
      if (node === undefined) throw new MonitorError(`Device '${device}' has no medium`);
      try {
        await commitAll(machine.graph, node);
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
        // An overlay that cannot be emptied is told first, and by another layer than the failure.
        const refused = node.readOnly && node.backing !== undefined;
        const first = refused ? "Block node is read-only\n" : "";
        const errno = refused ? "EPERM" : error.errno;
        throw new MonitorError(`${first}'commit' error for '${device}': ${errnoText(errno)}`, { cause: error });
      }
    }
  },
  hmp: {
    names: "commit",
    parameters: "device|all",
    help: "commit changes to the disk images (if -snapshot is used) or backing files",
    errorPrefix: "",
  },
});
