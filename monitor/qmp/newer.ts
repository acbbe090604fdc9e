/**
 * All that is said here and not by QEMU 7.2: each command, event and member, and whose it is.
 *
 * Commands, and members of what is taken, are there under every name of the program. Events, and members of what is
 * answered, only under moa's own: under a QEMU name, replies and events are QEMU 7.2's to the letter.
 *
 * Source: qapi/block-core.json of QEMU 10.0, where that has it.
 *
 * @module
 */

/** Commands: QEMU 10.0's. */
export const NEWER_COMMANDS: readonly string[] = ["blockdev-set-active"];

/** Events: moa's own, once a second for each job at work. */
export const NEWER_EVENTS: readonly string[] = ["JOB_PROGRESS"];

/**
 * Members by command. `active` is QEMU 10.0's. Moa's own: `rate` (bytes a second), `time-left` (seconds), `incomplete` (the
 * target of a mirror or backup that was cancelled or failed).
 */
export const NEWER_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  "blockdev-add": ["active"],
  "blockdev-reopen": ["active"],
  "blockdev-create": ["active"],
  "query-block": ["active"],
  "query-named-block-nodes": ["active"],
  "query-jobs": ["rate", "time-left", "incomplete"],
  "query-block-jobs": ["rate", "time-left", "incomplete"],
};
