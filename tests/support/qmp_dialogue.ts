/**
 * Talks the machine protocol with a program over its standard input and output, one request after the other.
 *
 * @module
 */

const ENTRY = new URL("../../tools/moa.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const TIMEOUT_MS = 120_000;

/** What is sent, and all lines that came before the next request: events, then the answer. */
export interface Exchange {
  readonly request: string;
  readonly lines: readonly string[];
  /** What the program printed besides, until it was answered. */
  readonly printed: readonly string[];
}

/**
 * Runs `program`, `"moa"` for moa under the name `name`, in `folder`, and sends `requests`. One that begins with `wait `
 * is not sent: what follows is waited for in an event, unless one that came with the last answer has it.
 */
export async function qmpDialogue(
  program: "moa" | (string & Record<never, never>),
  options: { readonly name: string; readonly args: readonly string[]; readonly folder: string },
  requests: readonly string[],
): Promise<Exchange[]> {
  const isMoa = program === "moa";
  const child = new Deno.Command(isMoa ? Deno.execPath() : program, {
    args: isMoa
      ? ["run", "-q", "--no-prompt", "--frozen", "--config", CONFIG, "-P=start", ENTRY, ...options.args]
      : [...options.args],
    cwd: options.folder,
    env: { LC_ALL: "C", MOA_ARGV0: options.name, INIT_CWD: options.folder },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  const lines = linesOf(child.stdout);
  const writer = child.stdin.getWriter();
  const exchanges: Exchange[] = [];
  let unseen: string[] = [];
  try {
    await lines.next();
    for (const request of ['{"execute":"qmp_capabilities"}', ...requests, '{"execute":"quit"}']) {
      const got: string[] = [];
      const printed: string[] = [];
      if (request.startsWith("wait ")) {
        const awaited = request.slice("wait ".length);
        while (!unseen.some((line) => line.includes(awaited))) {
          const { value } = await lines.next();
          if (value === undefined) throw new Error(`${program} ended before ${awaited}`);
          got.push(value);
          unseen.push(value);
        }
        exchanges.push({ request, lines: got.map(levelled), printed });
        continue;
      }
      unseen = [];
      await writer.write(new TextEncoder().encode(`${request}\n`));
      for (;;) {
        const { value } = await lines.next();
        if (value === undefined) throw new Error(`${program} ended after ${request}: ${got.join("\n")}`);
        // What the program prints besides (of images that it makes) is no part of the protocol.
        if (!value.startsWith("{")) {
          printed.push(value);
          continue;
        }
        got.push(value);
        if (!value.includes('"event": ')) break;
        unseen.push(value);
      }
      exchanges.push({ request, lines: got.map(levelled), printed });
    }
  } finally {
    clearTimeout(timer);
    await writer.close().catch(() => {});
    await lines.return(undefined);
    await child.status;
  }
  return exchanges.slice(1);
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  return undefined;
}

/** Without what differs from run to run: the time, the random digits of names that nodes were given. */
function levelled(line: string): string {
  return line.replace(/"seconds": \d+, "microseconds": \d+/, "").replaceAll(/#block(\d+)\d\d/g, "#block$1")
    // A process in QEMU, too, has its own number here; its threads have others.
    .replaceAll(/"thread-id": \d{2,}/g, '"thread-id": N');
}
