/**
 * Which names are devices: how `-drive file=/dev/sr0` finds its driver.
 *
 * @module
 */
import { CDROM_DRIVE_STATUS, O_NONBLOCK, O_PATH, O_RDONLY } from "../../../base/host/constants.ts";
import { closeDescriptor, controlNumber, type FileStat, openPath, statDescriptor } from "../../../base/host/files.ts";
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

/** Asked of libc: Deno lets only those look into /dev who may do everything. What cannot be looked at is no device here. */
function deviceKind(path: string): FileStat["kind"] | undefined {
  const host = hostLibrary();
  if (host === undefined) return undefined;
  const descriptor = openPath(host, path, O_PATH);
  if (descriptor < 0) return undefined;
  try {
    const stat = statDescriptor(host, descriptor);
    return typeof stat === "number" ? undefined : stat.kind;
  } finally {
    closeDescriptor(host, descriptor);
  }
}
