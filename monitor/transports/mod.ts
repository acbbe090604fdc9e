/**
 * What a monitor can be reached through.
 *
 * @module
 */
export type { Channel } from "./channel.ts";
export { type Endpoint, notADevice, parseEndpoint, type SocketAddress, type SocketEndpoint } from "./endpoint.ts";
export { type OpenSocket, openSocket, type ServeClient } from "./socket.ts";
export { type StandardStreams, stdioChannel } from "./stdio.ts";
