/**
 * Commands of QEMU's that moa has not, and why: a client that asks for one is told more than that it was not found.
 *
 * @module
 */

const EXPORTS = "exports are not built yet";

/** Why there is no such command, by its name. */
export const ABSENT_QMP_COMMANDS: ReadonlyMap<string, string> = new Map([
  ["block-export-add", EXPORTS],
  ["block-export-del", EXPORTS],
  ["nbd-server-start", EXPORTS],
  ["nbd-server-add", EXPORTS],
  ["nbd-server-remove", EXPORTS],
  ["nbd-server-stop", EXPORTS],
]);
