/**
 * The other side of jobs: `qemu-storage-daemon`, told what to do by the machine protocol over its standard input.
 *
 * @module
 */

type Data = Readonly<Record<string, unknown>>;

/** A running daemon. */
export class StorageDaemon implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #messages: AsyncGenerator<Data, undefined>;
  /** Events that came while an answer was waited for. */
  readonly #events: Data[] = [];

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#messages = messagesOf(child.stdout);
  }

  /** Starts one with these `--blockdev` options and whatever else it shall have. */
  static async start(blockdevs: readonly object[], others: readonly string[] = []): Promise<StorageDaemon> {
    const nodes = blockdevs.flatMap((options) => ["--blockdev", JSON.stringify(options)]);
    const child = new Deno.Command("qemu-storage-daemon", {
      args: ["--chardev", "stdio,id=m", "--monitor", "chardev=m", ...nodes, ...others],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const daemon = new StorageDaemon(child);
    await daemon.#messages.next();
    await daemon.execute("qmp_capabilities");
    return daemon;
  }

  /** Sends a command and returns what it returns. */
  async execute(name: string, data: Data = {}): Promise<unknown> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify({ execute: name, arguments: data })));
    for (;;) {
      const message = await this.#next();
      if ("error" in message) throw new Error(`${name}: ${JSON.stringify(message.error)}`);
      if ("return" in message) return message.return;
      this.#events.push(message);
    }
  }

  /** Returns when an event came that has these data. */
  async event(name: string, data: Data = {}): Promise<void> {
    const fits = (message: Data) =>
      message.event === name && Object.entries(data).every(([key, value]) => (message.data as Data)[key] === value);
    while (!this.#events.some(fits)) this.#events.push(await this.#next());
    this.#events.length = 0;
  }

  async #next(): Promise<Data> {
    const { value } = await this.#messages.next();
    if (value === undefined) throw new Error("the storage daemon has ended");
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.execute("quit").catch(() => {});
    await this.#writer.close().catch(() => {});
    await this.#messages.return(undefined);
    await this.#child.status;
  }
}

async function* messagesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Data, undefined> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
  return undefined;
}
