/**
 * All QMP commands, under their names.
 *
 * @module
 */
import { EVENTS } from "../events.ts";
import { QmpRegistry } from "../registry.ts";
import { blockdevSetActive } from "./activity.ts";
import * as bitmaps from "./bitmaps.ts";
import * as children from "./children.ts";
import * as chains from "./chains.ts";
import * as chardevs from "./chardevs.ts";
import * as copies from "./copies.ts";
import { debugQueryBlockGraph } from "./debug_graph.ts";
import * as exports from "./exports.ts";
import * as images from "./images.ts";
import * as internal from "./internal_snapshots.ts";
import * as descriptors from "./descriptors.ts";
import * as devices from "./devices.ts";
import * as jobs from "./jobs.ts";
import * as overlays from "./overlays.ts";
import * as query from "./block_query.ts";
import * as machine from "./machine.ts";
import * as machineSnapshots from "./machine_snapshots.ts";
import * as media from "./media.ts";
import * as nodes from "./nodes.ts";
import * as objects from "./objects.ts";
import * as throttle from "./throttle.ts";
import * as options from "./options.ts";
import * as probe from "./probe.ts";
import * as protocol from "./protocol.ts";
import { blockdevReopen } from "./reopen.ts";
import * as screen from "./screen.ts";
import { transaction } from "./transaction.ts";
import * as watch from "./watch.ts";
import * as yank from "./yank.ts";

/** Every command that moa has. */
export const QMP_COMMANDS = {
  "qmp_capabilities": protocol.qmpCapabilities,
  "query-version": protocol.queryVersion,
  "query-commands": protocol.queryCommands,
  "query-qmp-schema": protocol.queryQmpSchema,
  "quit": protocol.quit,
  "human-monitor-command": protocol.humanMonitorCommand,
  "stop": machine.stop,
  "cont": machine.cont,
  "system_reset": machine.systemReset,
  "system_powerdown": machine.systemPowerdown,
  "query-status": machine.queryStatus,
  "query-name": machine.queryName,
  "query-uuid": machine.queryUuid,
  "query-kvm": machine.queryKvm,
  "screendump": screen.screendump,
  "send-key": screen.sendKey,
  "input-send-event": screen.inputSendEvent,
  "query-block": query.queryBlock,
  "query-named-block-nodes": query.queryNamedBlockNodes,
  "query-blockstats": query.queryBlockstats,
  "blockdev-add": nodes.blockdevAdd,
  "blockdev-del": nodes.blockdevDel,
  "blockdev-set-active": blockdevSetActive,
  "block_resize": nodes.blockResize,
  "block-dirty-bitmap-add": bitmaps.bitmapAdd,
  "block-dirty-bitmap-remove": bitmaps.bitmapRemove,
  "block-dirty-bitmap-clear": bitmaps.bitmapClear,
  "block-dirty-bitmap-enable": bitmaps.bitmapEnable,
  "block-dirty-bitmap-disable": bitmaps.bitmapDisable,
  "block-dirty-bitmap-merge": bitmaps.bitmapMerge,
  "x-debug-block-dirty-bitmap-sha256": bitmaps.bitmapSha,
  "blockdev-open-tray": media.blockdevOpenTray,
  "blockdev-close-tray": media.blockdevCloseTray,
  "blockdev-remove-medium": media.blockdevRemoveMedium,
  "blockdev-insert-medium": media.blockdevInsertMedium,
  "blockdev-change-medium": media.blockdevChangeMedium,
  "eject": media.eject,
  "device-list-properties": objects.deviceListProperties,
  "add-fd": descriptors.addFd,
  "remove-fd": descriptors.removeFd,
  "query-fdsets": descriptors.queryFdsets,
  "getfd": descriptors.getfd,
  "closefd": descriptors.closefd,
  "yank": yank.yank,
  "query-yank": yank.queryYank,
  "query-command-line-options": options.queryCommandLineOptions,
  "query-target": probe.queryTarget,
  "query-machines": probe.queryMachines,
  "query-current-machine": probe.queryCurrentMachine,
  "query-cpus-fast": probe.queryCpusFast,
  "query-hotpluggable-cpus": probe.queryHotpluggableCpus,
  "query-iothreads": probe.queryIothreads,
  "query-memory-size-summary": probe.queryMemorySizeSummary,
  "query-memory-devices": probe.queryMemoryDevices,
  "query-memdev": probe.queryMemdev,
  "query-pci": probe.queryPci,
  "query-mice": probe.queryMice,
  "query-balloon": probe.queryBalloon,
  "query-vnc": probe.queryVnc,
  "query-tpm": probe.queryTpm,
  "query-tpm-models": probe.queryTpmModels,
  "query-tpm-types": probe.queryTpmTypes,
  "query-vm-generation-id": probe.queryVmGenerationId,
  "query-rx-filter": probe.queryRxFilter,
  "query-acpi-ospm-status": probe.queryAcpiOspmStatus,
  "query-replay": probe.queryReplay,
  "query-chardev": chardevs.queryChardev,
  "query-chardev-backends": chardevs.queryChardevBackends,
  "ringbuf-write": chardevs.ringbufWrite,
  "ringbuf-read": chardevs.ringbufRead,
  "chardev-add": chardevs.chardevAdd,
  "chardev-change": chardevs.chardevChange,
  "chardev-remove": chardevs.chardevRemove,
  "chardev-send-break": chardevs.chardevSendBreak,
  "device_add": devices.deviceAdd,
  "device_del": devices.deviceDel,
  "object-add": objects.objectAdd,
  "object-del": objects.objectDel,
  "qom-list": objects.qomList,
  "qom-get": objects.qomGet,
  "qom-set": objects.qomSet,
  "qom-list-types": objects.qomListTypes,
  "qom-list-properties": objects.qomListProperties,
  "block_set_io_throttle": throttle.blockSetIoThrottle,
  "query-jobs": jobs.queryJobs,
  "query-block-jobs": jobs.queryBlockJobs,
  "job-pause": jobs.jobPause,
  "job-resume": jobs.jobResume,
  "job-cancel": jobs.jobCancel,
  "job-complete": jobs.jobComplete,
  "job-finalize": jobs.jobFinalize,
  "job-dismiss": jobs.jobDismiss,
  "block-job-set-speed": jobs.blockJobSetSpeed,
  "block-job-cancel": jobs.blockJobCancel,
  "block-job-pause": jobs.blockJobPause,
  "block-job-resume": jobs.blockJobResume,
  "block-job-complete": jobs.blockJobComplete,
  "block-job-finalize": jobs.blockJobFinalize,
  "block-job-dismiss": jobs.blockJobDismiss,
  "block-stream": chains.blockStream,
  "block-commit": chains.blockCommit,
  "blockdev-mirror": copies.blockdevMirror,
  "drive-mirror": copies.driveMirror,
  "blockdev-backup": copies.blockdevBackup,
  "drive-backup": copies.driveBackup,
  "blockdev-snapshot": overlays.blockdevSnapshot,
  "blockdev-snapshot-sync": overlays.blockdevSnapshotSync,
  "change-backing-file": overlays.changeBackingFile,
  "blockdev-snapshot-internal-sync": internal.blockdevSnapshotInternalSync,
  "blockdev-snapshot-delete-internal-sync": internal.blockdevSnapshotDeleteInternalSync,
  "transaction": transaction,
  "blockdev-reopen": blockdevReopen,
  "blockdev-create": images.blockdevCreate,
  "x-blockdev-amend": images.blockdevAmend,
  "snapshot-save": machineSnapshots.snapshotSave,
  "snapshot-load": machineSnapshots.snapshotLoad,
  "snapshot-delete": machineSnapshots.snapshotDelete,
  "block-set-write-threshold": watch.blockSetWriteThreshold,
  "block-latency-histogram-set": watch.blockLatencyHistogramSet,
  "x-debug-query-block-graph": debugQueryBlockGraph,
  "x-blockdev-change": children.blockdevChange,
  "x-blockdev-set-iothread": children.blockdevSetIothread,
  "query-block-exports": exports.queryBlockExports,
  "query-pr-managers": exports.queryPrManagers,
} as const;

/** The commands' names and types. */
export type QmpCommands = typeof QMP_COMMANDS;

/** A registry of all commands and events; `strict`: of what is said, what QEMU 7.2 says. */
export function allQmpCommands(how: { readonly strict: boolean }): QmpRegistry {
  return new QmpRegistry(Object.values(QMP_COMMANDS), EVENTS, how);
}
