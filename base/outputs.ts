/**
 * Standard output and the like, whose other end may go at any time: a pipe that is closed, a terminal that hangs up. What
 * nobody takes any more is dropped; the work goes on to its proper end.
 *
 * @module
 */

/** Where bytes are written at once; `Deno.stdout` is one. */
export interface SyncOutput {
  writeSync(bytes: Uint8Array): number;
}

/** Writes all of `bytes`, or drops what nobody takes. @throws other errors of the output: a full disk */
export function writeAllSync(output: SyncOutput, bytes: Uint8Array): void {
  whileThere(() => {
    for (let done = 0; done < bytes.length;) done += output.writeSync(bytes.subarray(done));
  });
}

/** The same for output whose loss must not end the work: what went wrong, where somebody would have taken it. */
export function writeOrDropSync(output: SyncOutput, bytes: Uint8Array): unknown {
  try {
    writeAllSync(output, bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Does `work` on a terminal or pipe; that there is nobody at the other end is no failure. */
export function whileThere(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Whether `error` says that the other end of a pipe or terminal has gone. */
export function isGone(error: unknown): boolean {
  if (error instanceof Deno.errors.BrokenPipe) return true;
  if (!(error instanceof Error)) return false;
  // Deno names EIO in the message alone.
  return "code" in error ? error.code === "EPIPE" || error.code === "EIO" : error.message.startsWith("EIO:");
}
