/**
 * QEMU's machine protocol: commands and events as JSON, with types.
 *
 * @module
 */
export { allQmpCommands, QMP_COMMANDS, type QmpCommands } from "./commands/mod.ts";
export { serveQmp } from "./serve.ts";
export { QmpServer, type QmpSite } from "./server.ts";
export type { QmpSession } from "./session.ts";
