/**
 * All commands, by the name that scripts use.
 *
 * @module
 */
import type { AnyCommand } from "../schema/command.ts";
import { CommandRegistry } from "../schema/registry.ts";
import * as block from "./block.ts";
import * as chardevs from "./chardevs.ts";
import * as devices from "./devices.ts";
import * as drives from "./drives.ts";
import * as explain from "./explain.ts";
import * as graph from "./graph.ts";
import * as help from "./help.ts";
import * as interrupts from "./interrupts.ts";
import * as jobs from "./jobs.ts";
import * as machine from "./machine.ts";
import * as memory from "./memory.ts";
import * as pages from "./pages.ts";
import * as mouse from "./mouse.ts";
import * as objects from "./objects.ts";
import * as probe from "./probe.ts";
import * as qemuIo from "./qemu_io.ts";
import * as screen from "./screen.ts";
import * as snapshots from "./snapshots.ts";
import * as trace from "./trace.ts";
import * as tree from "./tree.ts";

/** Every command that moa has. */
export const COMMANDS = {
  "block_job_cancel": jobs.blockJobCancel,
  "block_job_complete": jobs.blockJobComplete,
  "block_job_pause": jobs.blockJobPause,
  "block_job_resume": jobs.blockJobResume,
  "block_job_set_speed": jobs.blockJobSetSpeed,
  "block_resize": block.blockResize,
  "block_set_io_throttle": drives.blockSetIoThrottle,
  "block_stream": jobs.blockStream,
  "boot_set": machine.bootSet,
  "change": drives.change,
  "chardev-add": chardevs.chardevAdd,
  "chardev-change": chardevs.chardevChange,
  "chardev-remove": chardevs.chardevRemove,
  "chardev-send-break": chardevs.chardevSendBreak,
  "commit": drives.commit,
  "cont": machine.cont,
  "delvm": snapshots.delvm,
  "device_add": devices.deviceAdd,
  "device_del": devices.deviceDel,
  "drive_add": drives.driveAdd,
  "drive_backup": jobs.driveBackup,
  "drive_del": drives.driveDel,
  "drive_mirror": jobs.driveMirror,
  "eject": drives.eject,
  "explain": explain.explain,
  "graph": graph.graph,
  "help": help.help,
  "gpa2hva": pages.hostAddress,
  "gva2gpa": pages.physicalAddress,
  "i": memory.portRead,
  "info": help.info,
  "loadvm": snapshots.loadvm,
  "log": trace.log,
  "logfile": trace.logfile,
  "mouse_button": mouse.mouseButton,
  "mouse_move": mouse.mouseMove,
  "mouse_set": mouse.mouseSet,
  "o": memory.portWrite,
  "object_add": objects.objectAdd,
  "object_del": objects.objectDel,
  "print": memory.print,
  "qemu-io": qemuIo.qemuIo,
  "qom-get": objects.qomGet,
  "qom-list": objects.qomList,
  "qom-set": objects.qomSet,
  "query-block": block.infoBlock,
  "query-block-jobs": jobs.infoBlockJobs,
  "query-blockstats": block.infoBlockstats,
  "query-chardev": chardevs.infoChardev,
  "query-cpus-fast": probe.infoCpus,
  "query-history": machine.infoHistory,
  "query-irq": interrupts.infoIrq,
  "query-lapic": interrupts.infoLapic,
  "query-iothreads": probe.infoIothreads,
  "query-mem": pages.infoMem,
  "query-memory-size-summary": probe.infoMemorySizeSummary,
  "query-mtree": tree.infoMtree,
  "query-mice": mouse.infoMice,
  "query-name": machine.infoName,
  "query-pci": tree.infoPci,
  "query-pic": interrupts.infoPic,
  "query-qtree": tree.infoQtree,
  "query-qom-tree": objects.infoQomTree,
  "query-registers": machine.infoRegisters,
  "query-roms": tree.infoRoms,
  "query-snapshots": snapshots.infoSnapshots,
  "query-status": machine.infoStatus,
  "query-tlb": pages.infoTlb,
  "query-trace-events": trace.infoTraceEvents,
  "query-uuid": machine.infoUuid,
  "query-version": machine.infoVersion,
  "quit": machine.quit,
  "ringbuf_read": chardevs.ringbufRead,
  "ringbuf_write": chardevs.ringbufWrite,
  "savevm": snapshots.savevm,
  "screendump": screen.screendump,
  "sendkey": screen.sendkey,
  "snapshot_blkdev": jobs.snapshotBlkdev,
  "snapshot_blkdev_internal": jobs.snapshotBlkdevInternal,
  "snapshot_delete_blkdev_internal": jobs.snapshotDeleteBlkdevInternal,
  "stop": machine.stop,
  "sum": memory.sum,
  "system_powerdown": machine.systemPowerdown,
  "system_reset": machine.systemReset,
  "trace-event": trace.traceEvent,
  "x": memory.examine,
  "xp": memory.examinePhysical,
} as const;

/** The commands' names and types. */
export type Commands = typeof COMMANDS;

/** A registry of all commands; `strict`: without those that QEMU has not. */
export function allCommands(how: { readonly strict: boolean }): CommandRegistry {
  const commands: readonly AnyCommand[] = Object.values(COMMANDS);
  return new CommandRegistry(commands.filter(({ hmp }) => !how.strict || hmp?.isOwn !== true));
}
