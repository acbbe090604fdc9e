/**
 * Which names are devices: how `-drive file=/dev/sr0` finds its driver.
 *
 * @module
 */
import { CDROM_DRIVE_STATUS, O_NONBLOCK, O_RDONLY } from "../../../base/host/constants.ts";
import { closeDescriptor, controlNumber, openPath } from "../../../base/host/files.ts";
import { hostLibrary } from "../../../base/host/libc.ts";

const CURRENT_SLOT = 0x7fff_ffff;

/** Whether `path` is a block or character device. */
export function isDevice(path: string): boolean {
  const kind = deviceKind(path);
  return kind === "block" || kind === "character";
}

/** Whether `path` is a block device that answers as a CD-ROM drive does. */
export function isCdromDrive(path: string): boolean {
  if (deviceKind(path) !== "block") return false;
  const host = hostLibrary();
  if (host === undefined) return false;
  const descriptor = openPath(host, path, O_RDONLY | O_NONBLOCK);
  if (descriptor < 0) return false;
  try {
    return controlNumber(host, descriptor, CDROM_DRIVE_STATUS, CURRENT_SLOT) >= 0;
  } finally {
    closeDescriptor(host, descriptor);
  }
}

function deviceKind(path: string): "block" | "character" | undefined {
  try {
    const stat = Deno.statSync(path);
    return stat.isBlockDevice ? "block" : stat.isCharDevice ? "character" : undefined;
  } catch {
    // what cannot be looked at is left to the driver that opens it, which says why
    return undefined;
  }
}
