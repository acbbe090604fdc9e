/**
 * The other end of a device that only sends: a printer's, a log's.
 *
 * @module
 */
import type { CharConnection, Chardev } from "../bus/mod.ts";

/** Where a device sends its bytes; nothing comes back. */
export function outputOnly(chardev: Chardev): CharConnection {
  return chardev.connect({ room: () => 0, receive: () => {} });
}
