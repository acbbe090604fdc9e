/**
 * How the machine protocol's lines end, byte for byte beside the real programs: on standard output and on a Unix socket,
 * on one line and on many.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { haveProgram } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ENTRY = new URL("../../tools/moa.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const TIMEOUT_MS = 60_000;

const SYSTEM = "qemu-system-x86_64";
const DAEMON = "qemu-storage-daemon";
const STANDING = "-accel tcg -S -display none -nodefaults -chardev";

/** A name, what comes before the character device, and what after it. */
const PROGRAMS = [
  { name: SYSTEM, before: STANDING, after: "-mon chardev=q,mode=control" },
  { name: DAEMON, before: "--chardev", after: "--monitor chardev=q" },
];
const REQUESTS = ['{"execute":"qmp_capabilities"}', '{"execute":"query-jobs"}', '{"execute":"nosuch","id":"last"}'];

interface Ends {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

async function socket(path: string): Promise<Ends> {
  for (let tries = 0;; tries++) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (tries === 1200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** All that comes until the last request has been answered. */
async function answers(readable: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const piece of readable.pipeThrough(new TextDecoderStream(), { preventCancel: true })) {
    text += piece;
    // A message on many lines ends in a brace of its own.
    if (text.includes('"id": "last"') && /(^|\n)(\{.*)?\}\r?\n$/.test(text)) break;
  }
  return text.replaceAll(/"package": ".*"/g, '"package": ""');
}

async function talk(isReal: boolean, name: string, args: readonly string[], folder: string): Promise<string> {
  const child = new Deno.Command(isReal ? name : Deno.execPath(), {
    args: isReal ? [...args] : ["run", "-q", "--no-prompt", "--frozen", "--config", CONFIG, "-P=start", ENTRY, ...args],
    cwd: folder,
    env: { LC_ALL: "C", MOA_ARGV0: name, INIT_CWD: folder },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  const onSocket = args.some((arg) => arg.startsWith("socket,"));
  try {
    const { readable, writable } = onSocket
      ? await socket(`${folder}/q`)
      : { readable: child.stdout, writable: child.stdin };
    const writer = writable.getWriter();
    await writer.write(new TextEncoder().encode(REQUESTS.map((line) => `${line}\n`).join("")));
    const text = await answers(readable);
    await writer.write(new TextEncoder().encode('{"execute":"quit"}\n'));
    await child.status;
    await writer.close().catch(() => {});
    return text;
  } finally {
    clearTimeout(timer);
    for (const stream of [child.stdout, child.stdin]) {
      if (!stream.locked) await ("cancel" in stream ? stream.cancel() : stream.close()).catch(() => {});
    }
  }
}

for (const { name, before, after } of PROGRAMS) {
  Deno.test({
    name: `${name}: lines of QMP end as the real program's, on every channel`,
    ignore: !haveProgram(name),
    async fn() {
      for (const device of ["stdio,id=q", "socket,id=q,path=q,server=on,wait=off"]) {
        for (const pretty of ["off", "on"]) {
          const args = `${before} ${device} ${after},pretty=${pretty}`.split(" ");
          const [theirs, ours] = await Promise.all([true, false].map(async (isReal) => {
            await using temp = await TempFolder.make();
            return await talk(isReal, name, args, temp.path);
          }));
          assertEquals(ours, theirs, args.join(" "));
          assert(!/[^\r]\n/.test(theirs!), "all of them end in CR LF");
        }
      }
    },
  });
}
