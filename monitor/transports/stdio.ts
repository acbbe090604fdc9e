/**
 * The program's own input and output as a channel, where they are no terminal.
 *
 * @module
 */
import type { Channel } from "./channel.ts";

/** What of the host a channel over standard input and output needs; `Deno` has it. */
export interface StandardStreams {
  readonly stdin: { readonly readable: ReadableStream<Uint8Array> };
  readonly stdout: { writeSync(bytes: Uint8Array): number };
  readonly stderr: { writeSync(bytes: Uint8Array): number };
}

/** A channel over standard input and output. Output that nobody takes any more is dropped. */
export function stdioChannel(streams: StandardStreams = Deno): Channel {
  const encoder = new TextEncoder();
  return {
    readable: streams.stdin.readable,
    write(bytes) {
      writeAll(streams.stdout, bytes);
      // A pipe may bring thousands of lines at once: signals and disks get their turn between two of them.
      return new Promise((resolve) => setImmediate(resolve));
    },
    close() {},
    outputs: {
      out: (text) => writeAll(streams.stdout, encoder.encode(text)),
      error: (text) => writeAll(streams.stderr, encoder.encode(text)),
    },
  };
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
