/**
 * What a monitor can be reached through.
 *
 * @module
 */
export type { Channel } from "./channel.ts";
export { MonitorLine, type ServeClient } from "./chardev_channel.ts";
