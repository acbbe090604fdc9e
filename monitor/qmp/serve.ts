/**
 * The protocol over a channel.
 *
 * A client that floods is read no faster than it is answered, and one that does not take its answers is cut off before
 * they fill the memory; neither holds up anybody else.
 *
 * @module
 */
import { MiB } from "../../base/units.ts";
import type { Channel } from "../transports/channel.ts";
import type { QmpServer } from "./server.ts";

/** Answers and events that nobody takes, before the client is cut off. */
const MAX_UNSENT_BYTES = 64 * MiB;

/** Serves `channel` until it ends; the machine does not end with it. */
export async function serveQmp(channel: Channel, server: QmpServer, how: { readonly pretty: boolean }): Promise<void> {
  const outlet = new Outlet(channel);
  const session = server.session({
    pretty: how.pretty,
    send: (line) => outlet.send(line),
    drained: () => outlet.drained(),
  });
  const reader = channel.readable.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
      if (done || value === undefined) break;
      await session.push(value);
      await outlet.drained();
    }
    await session.settled();
  } finally {
    server.end(session);
    reader.cancel().catch(() => {});
    channel.close();
  }
}

/** Sends lines in order; what is sent while a line is on its way goes out together. */
class Outlet {
  readonly #channel: Channel;
  readonly #encoder = new TextEncoder();
  #waiting: string[] = [];
  #waitingBytes = 0;
  #sending: Promise<void> | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  send(line: string): void {
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    if (this.#waitingBytes > MAX_UNSENT_BYTES) {
      this.#waiting = [];
      return this.#channel.close();
    }
    this.#sending ??= this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const bytes = this.#encoder.encode(this.#waiting.join(""));
      this.#waiting = [];
      this.#waitingBytes = 0;
      await this.#channel.write(bytes);
    }
    this.#sending = undefined;
  }

  /** Resolves when all has been sent. */
  async drained(): Promise<void> {
    await this.#sending;
  }
}
