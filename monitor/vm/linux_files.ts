/**
 * The files of `-kernel` and `-initrd`, read from the host.
 *
 * @module
 */
import { errnoText, isErrno } from "../../base/errno.ts";
import { type LinuxFiles, MachineError } from "../../machine/mod.ts";

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
    kernel: readFile(kernel, `could not open kernel file '${kernel}'`),
    ...(initrd === undefined ? {} : { initrd: readFile(initrd, `error reading initrd ${initrd}`) }),
    commandLine: append ?? "",
  };
}

function readFile(filename: string, problem: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(filename);
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string };
    const reason = typeof code === "string" && isErrno(code) ? errnoText(code) : message;
    throw new MachineError(`${problem}: ${reason}`, { cause: error });
  }
}
