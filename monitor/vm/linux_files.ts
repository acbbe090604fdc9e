/**
 * The files of `-kernel` and `-initrd`, read from the host.
 *
 * @module
 */
import { hostReason } from "../../base/errno.ts";
import { readFileSync } from "../../base/read_file.ts";
import { MiB } from "../../base/units.ts";
import { type LinuxFiles, MachineError } from "../../machine/mod.ts";

/** Several times what there is. */
const MAX_KERNEL_BYTES = 256 * MiB;
/** As much as the RAM of the largest machine. */
const MAX_INITRD_BYTES = 2047 * MiB;

/** What is to be started, by the names of its files. */
export interface LinuxNames {
  readonly kernel: string;
  readonly initrd?: string | undefined;
  readonly append?: string | undefined;
}

/** Reads them. @throws {MachineError} `could not open kernel file 'x': No such file or directory` */
export function readLinuxFiles({ kernel, initrd, append }: LinuxNames): LinuxFiles {
  return {
    kernelName: kernel,
    kernel: readFile(kernel, MAX_KERNEL_BYTES, `could not open kernel file '${kernel}'`),
    ...(initrd === undefined ? {} : { initrd: readFile(initrd, MAX_INITRD_BYTES, `error reading initrd ${initrd}`) }),
    commandLine: append ?? "",
  };
}

function readFile(filename: string, maxBytes: number, problem: string): Uint8Array<ArrayBuffer> {
  try {
    return readFileSync(filename, maxBytes);
  } catch (error) {
    throw new MachineError(`${problem}: ${hostReason(error)}`, { cause: error });
  }
}
