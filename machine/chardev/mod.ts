/**
 * Character devices: what serial ports and monitors talk over.
 *
 * @module
 */
export { addressText, type SocketAddress } from "./addresses.ts";
export { CharBackend, type HostOutputs } from "./backend.ts";
export { ChardevError } from "./errors.ts";
export { MuxChardev } from "./mux.ts";
export {
  absentKind,
  CHARDEV_KINDS,
  CHARDEV_OPTIONS,
  type ChardevKind,
  type ChardevWish,
  checkSocket,
  descriptorOf,
  parseChardev,
  parseShortForm,
  type SocketRequest,
} from "./options.ts";
export { PtyChardev } from "./pty.ts";
export { ChardevSet, type ChardevSite } from "./set.ts";
export { RingChardev, ScriptChardev, type ScriptPeer } from "./simple.ts";
export { SocketChardev, type SocketWish } from "./socket.ts";
export { type StandardStreams, StdioChardev } from "./stdio.ts";
export { UdpChardev, type UdpWish } from "./udp.ts";
export { VcChardev } from "./vc.ts";
