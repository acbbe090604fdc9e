/**
 * Where firmware files are: SeaBIOS, the VGA's, QEMU's loaders for kernels.
 *
 * Folders that the user names (`-L`) come first, then those where packages put such files.
 *
 * @module
 */
import { hostReason } from "../../base/errno.ts";
import { readFileSync } from "../../base/read_file.ts";
import { MiB } from "../../base/units.ts";
import { MachineError } from "../errors.ts";

/** Debian's `seabios`, QEMU's own data folder, and where other systems have either. */
const FOLDERS = [
  "/usr/share/seabios",
  "/usr/share/qemu",
  "/usr/local/share/qemu",
  "/usr/share/qemu-kvm",
  "/usr/share/vgabios",
];

const MAX_FILE_BYTES = 16 * MiB;

/**
 * The bytes of the file `name`; `undefined` where no folder has it, or none may be read.
 *
 * @throws {MachineError} where it is a folder, or larger than firmware can be
 */
export function findFirmware(name: string, folders: readonly string[] = []): Uint8Array | undefined {
  for (const folder of [...folders, ...FOLDERS]) {
    try {
      return readFileSync(`${folder}/${name}`, MAX_FILE_BYTES);
    } catch (error) {
      const isAbsent = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable ||
        error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotADirectory;
      if (isAbsent) continue;
      throw new MachineError(`could not read firmware '${folder}/${name}': ${hostReason(error)}`, { cause: error });
    }
  }
  return undefined;
}
