/**
 * A file that a command writes for the user.
 *
 * @module
 */
import { errnoText, isErrno } from "../base/errno.ts";
import { MonitorError } from "./errors.ts";

/** Writes `text` to `filename`, anew. @throws {MonitorError} */
export async function writeTextFile(filename: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(filename, text);
  } catch (error) {
    const { code, message } = error as Error & { readonly code?: string };
    const reason = code !== undefined && isErrno(code) ? errnoText(code) : message.replace(/ \(os error \d+\).*$/s, "");
    throw new MonitorError(`Could not write '${filename}': ${reason}`, { cause: error });
  }
}
