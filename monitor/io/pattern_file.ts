/**
 * The file that `write -s` fills a buffer from.
 *
 * @module
 */
import { hostReason } from "../../base/errno.ts";
import { readFileStart } from "../../base/read_file.ts";

/** As much of it as the buffer takes. @throws an error whose message is strerror's */
export async function readPattern(filename: string, maxBytes: number): Promise<Uint8Array> {
  try {
    return await readFileStart(filename, maxBytes);
  } catch (error) {
    throw new Error(hostReason(error), { cause: error });
  }
}
