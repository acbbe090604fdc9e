/**
 * The host's side of the log: standard error, and files that are written as lines come.
 *
 * @module
 */
import { hostReason } from "../base/errno.ts";
import type { LogHost } from "./log.ts";

/** What `Deno` gives a log. */
export function denoLogHost(): LogHost {
  const encoder = new TextEncoder();
  return {
    standardError: (text) => writeAll(Deno.stderr, encoder.encode(text)),
    open: (filename) => {
      let file: Deno.FsFile;
      try {
        file = Deno.openSync(filename, { write: true, create: true, truncate: true });
      } catch (error) {
        throw new Error(hostReason(error), { cause: error });
      }
      return { write: (text) => writeAll(file, encoder.encode(text)), close: () => file.close() };
    },
    processId: Deno.pid,
  };
}

function writeAll(file: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}
