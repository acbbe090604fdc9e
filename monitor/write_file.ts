/**
 * A file that a command writes for the user.
 *
 * @module
 */
import { hostReason } from "../base/errno.ts";
import { MonitorError } from "./errors.ts";

/** Writes `text` to `filename`, anew. @throws {MonitorError} */
export async function writeTextFile(filename: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(filename, text);
  } catch (error) {
    throw new MonitorError(`Could not write '${filename}': ${hostReason(error)}`, { cause: error });
  }
}

/** Writes `bytes` to `filename`, anew. @throws {MonitorError} with the text of QEMU's screendump */
export async function writeBytesFile(filename: string, bytes: Uint8Array): Promise<void> {
  try {
    await Deno.writeFile(filename, bytes);
  } catch (error) {
    throw new MonitorError(`failed to open file '${filename}': ${hostReason(error)}`, { cause: error });
  }
}
