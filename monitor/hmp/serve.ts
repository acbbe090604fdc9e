/**
 * A prompt over a channel that is no terminal: a pipe or a socket.
 *
 * Everything that comes is echoed as QEMU echoes it. One key is taken after the other, and the next one waits until the
 * command has answered and the answer was taken; so a client that floods, or does not read, holds up nobody but itself.
 *
 * @module
 */
import type { HmpOutput } from "../schema/command.ts";
import type { Channel } from "../transports/channel.ts";
import { LineEditor } from "./editor.ts";
import { type HmpMonitor, PROMPT } from "./monitor.ts";

/** Serves `channel` until it ends or the machine does. The machine does not end with it. */
export async function serveChannel(channel: Channel, monitor: HmpMonitor): Promise<void> {
  const writer = new ChannelWriter(channel);
  const lines: string[] = [];
  const session = monitor.session();
  const editor = new LineEditor({
    prompt: PROMPT,
    write: (text) => writer.echo(text),
    onLine: (line) => void lines.push(line),
    complete: async (line) => {
      const { start, candidates } = await session.complete(decode(line));
      return { start: encode(decode(line).slice(0, start)).length, candidates: candidates.map(encode) };
    },
  });
  writer.print(monitor.banner);
  // On a multiplexer, whoever is talked to next gets a prompt.
  channel.onFocus?.((hasFocus) => {
    if (hasFocus) editor.restart();
    else writer.print("\n");
    void writer.flush();
  });
  if (channel.hasFocus !== false) editor.showPrompt();
  await writer.flush();
  const reader = channel.readable.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
      if (done || value === undefined) return;
      for (const byte of value) {
        await editor.key(byte);
        await writer.flushIfFull();
        const typed = lines.shift();
        if (typed === undefined) continue;
        const line = decode(typed);
        session.history.add(line);
        await writer.flush();
        await session.execute(line, writer);
        if (monitor.ended) return await writer.flush();
        editor.showPrompt();
        await writer.flush();
      }
      await writer.flush();
    }
  } finally {
    reader.cancel().catch(() => {});
    channel.close();
  }
}

/** The editor's characters are bytes; a line is UTF-8. */
function decode(line: string): string {
  return new TextDecoder().decode(Uint8Array.from(line, (char) => char.charCodeAt(0)));
}

function encode(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

const FULL_BYTES = 64 * 1024;

/** Collects what is to be sent, so that an echo of many pieces goes out as one. */
class ChannelWriter implements HmpOutput {
  readonly #channel: Channel;
  readonly #encoder = new TextEncoder();
  #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Echo: its characters are bytes. */
  echo(text: string): void {
    this.#add(Uint8Array.from(text.replaceAll("\n", "\r\n"), (char) => char.charCodeAt(0)));
  }

  print(text: string): void {
    this.#add(this.#encoder.encode(text.replaceAll("\n", "\r\n")));
  }

  host(text: string): void {
    if (this.#channel.outputs === undefined) return this.print(text);
    // It is not the monitor that writes there: a newline stays one. It comes after what is on its way already.
    this.#add(this.#encoder.encode(text));
  }

  hostError(text: string): void {
    if (this.#channel.outputs === undefined) this.print(text);
    else this.#channel.outputs.error(text);
  }

  async flushIfFull(): Promise<void> {
    if (this.#length >= FULL_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.#length = 0;
    await this.#channel.write(bytes);
  }

  #add(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }
}
