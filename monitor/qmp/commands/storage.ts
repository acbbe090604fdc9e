/**
 * The commands that need no machine: what a program of disks alone has.
 *
 * Source: `query-commands` of qemu-storage-daemon 7.2; those that moa lacks are lacking here, too.
 *
 * @module
 */
import { EVENTS } from "../events.ts";
import { QmpRegistry } from "../registry.ts";
import { QMP_COMMANDS } from "./mod.ts";

/** In the order in which `query-commands` tells them, from its end. */
export const STORAGE_COMMAND_NAMES: readonly string[] = [
  ..."query-block query-blockstats query-block-jobs block_resize blockdev-snapshot-sync blockdev-snapshot".split(" "),
  ..."change-backing-file block-commit drive-backup blockdev-backup query-named-block-nodes".split(" "),
  ..."x-debug-query-block-graph drive-mirror block-dirty-bitmap-add block-dirty-bitmap-remove".split(" "),
  ..."block-dirty-bitmap-clear block-dirty-bitmap-enable block-dirty-bitmap-disable".split(" "),
  ..."block-dirty-bitmap-merge x-debug-block-dirty-bitmap-sha256 blockdev-mirror block-stream".split(" "),
  ..."block-job-set-speed block-job-cancel block-job-pause block-job-resume block-job-complete".split(" "),
  ..."block-job-dismiss block-job-finalize blockdev-add blockdev-reopen blockdev-del blockdev-create".split(" "),
  ..."x-blockdev-amend block-set-write-threshold x-blockdev-change x-blockdev-set-iothread".split(" "),
  ..."blockdev-snapshot-internal-sync blockdev-snapshot-delete-internal-sync job-pause job-resume".split(" "),
  ..."job-cancel job-complete job-dismiss job-finalize query-jobs nbd-server-start nbd-server-add".split(" "),
  ..."nbd-server-remove nbd-server-stop block-export-add block-export-del query-block-exports".split(" "),
  ..."query-chardev query-chardev-backends ringbuf-write ringbuf-read chardev-add chardev-change".split(" "),
  ..."chardev-remove chardev-send-break qmp_capabilities query-version query-commands quit".split(" "),
  ..."query-qmp-schema qom-list qom-get qom-set qom-list-types qom-list-properties object-add object-del".split(" "),
  "transaction",
  "blockdev-set-active",
];

/** Events of disks and jobs, and none of a machine. */
const STORAGE_EVENTS = /^(BLOCK_|JOB_|QUORUM_|NBD_|BLOCK_EXPORT)/;

/** A registry of what works without a machine. */
export function storageCommands(how: { readonly strict: boolean }): QmpRegistry {
  const all = new Map<string, (typeof QMP_COMMANDS)[keyof typeof QMP_COMMANDS]>(Object.entries(QMP_COMMANDS));
  return new QmpRegistry(
    STORAGE_COMMAND_NAMES.flatMap((name) => all.get(name) ?? []),
    EVENTS.filter(({ name }) => STORAGE_EVENTS.test(name)),
    how,
  );
}
