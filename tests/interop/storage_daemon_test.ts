/**
 * The storage daemon beside the real one: what is wrong with a command line, dialogues line by line, and clients that
 * behave badly.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Program } from "../../tools/common/program.ts";
import { main } from "../../tools/storage_daemon/main.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { qmpDialogue } from "../support/qmp_dialogue.ts";
import { TempFolder } from "../support/temp.ts";

const NAME = "qemu-storage-daemon";
const ENTRY = new URL("../../tools/moa.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** Command lines that end, each as one text. */
const ENDING: readonly string[] = [
  "--foo",
  "-x",
  "foo",
  "--blockdev",
  "--pidfile",
  "--help=3",
  "--blockdev null-co,node-name=n --bl null-co",
  "--blockdev foo,node-name=n",
  "--blockdev null-co",
  "--blockdev null-co,node-name=n,foo=1",
  "--blockdev=null-co,node-name=n,foo=1",
  "--blockdev file,node-name=n,filename=/nonexistent",
  "--blockdev raw,node-name=r,file=none",
  "--blockdev ",
  "--object iothread",
  "--object foo,id=x",
  "--object iothread,help",
  "--object iothread,id=a,poll-max-ns=-1",
  "--object secret,id=s,data=x --object secret,id=s,data=x",
  "--chardev foo,id=x",
  "--chardev null",
  "--chardev null,id=a --chardev null,id=a",
  "--chardev socket,id=a,path=/nonexistent/q,server=on,wait=off",
  "--monitor a",
  "--monitor chardev=a,mode=readline",
  "--chardev null,id=a --monitor chardev=a,mode=foo",
  "--chardev null,id=a --monitor chardev=a,mode=readline",
  "--chardev null,id=a --monitor chardev=a,foo=1",
  "--chardev null,id=a --monitor a --monitor a",
  "--chardev null,id=a --monitor a,pretty",
  "--chardev null,id=a --monitor ",
  "--export nbd",
  "--export nbd,id=e",
  "--export nbd,id=e,node-name=n",
  "--export foo,id=e,node-name=n",
  "--export help",
  "--nbd-server foo",
  "--nbd-server addr.type=foo",
  "--nbd-server help",
  "--pidfile /nonexistent/p",
  "-T foo=1",
];

/** Runs moa's daemon here, with nothing on its standard input. */
async function endingHere(args: readonly string[], name = NAME): Promise<[code: number, out: string, error: string]> {
  let [stdout, stderr] = ["", ""];
  const silent = { writeSync: (bytes: Uint8Array) => bytes.length };
  const program = new Program(name, { out: (text) => void (stdout += text), error: (text) => void (stderr += text) });
  const code = await main(program, args, {
    stdin: { readable: new Blob([]).stream() },
    stdout: silent,
    stderr: silent,
  });
  return [code, stdout, stderr];
}

Deno.test({
  name: "command lines that end are answered as the real program answers them",
  ignore: !haveProgram(NAME),
  async fn() {
    for (const line of ENDING) {
      const args = line.split(" ");
      const theirs = await run(NAME, args, { env: { LC_ALL: "C" } });
      // getopt says the name as it was started.
      const stderr = theirs.stderr.replace(/^\S*\/qemu-storage-daemon:/, `${NAME}:`);
      assertEquals(await endingHere(args), [theirs.code, theirs.stdout, stderr], line);
    }
  },
});

Deno.test("help and version; what is not there yet is refused by name", async () => {
  const [code, out, error] = await endingHere(["--blockdev", "foo", "--version"]);
  assertEquals([code, error, out.split(/[ \n](?=[(C])/)[0]], [0, "", "qemu-storage-daemon version 7.2.22"]);
  assert((await endingHere(["-h"]))[1].startsWith("Usage: qemu-storage-daemon [options]\n"));
  const node = ["--blockdev", "null-co,node-name=n"];
  assertEquals(await endingHere([...node, "--export", "fuse,id=e,node-name=n"]), [
    1,
    "",
    `${NAME}: --export fuse,id=e,node-name=n: not available in moa: there are no 'fuse' exports yet\n`,
  ]);
  const server = "addr.type=unix,addr.path=n";
  assertEquals(await endingHere(["--nbd-server", server]), [
    1,
    "",
    `${NAME}: --nbd-server ${server}: not available in moa: there is no NBD server yet\n`,
  ]);
});

/** A request as one line. */
function ask(execute: string, data?: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(data === undefined ? { execute } : { execute, arguments: data });
}

interface Dialogue {
  readonly name: string;
  readonly images?: readonly string[];
  readonly args: string;
  readonly requests: readonly string[];
}

const DIALOGUES: readonly Dialogue[] = [
  {
    name: "nodes, bitmaps, objects, and no machine",
    images: ["-f qcow2 base.qcow2 1M", "-f qcow2 -b base.qcow2 -F qcow2 top.qcow2"],
    args: "--blockdev file,node-name=f,filename=top.qcow2 --blockdev qcow2,node-name=top,file=f",
    requests: [
      ask("query-version").replace("query-version", "query-block"),
      ask("query-named-block-nodes"),
      ask("query-blockstats"),
      ask("query-blockstats", { "query-nodes": true }),
      ask("query-block-jobs"),
      ask("query-jobs"),
      ask("qom-list", { path: "/" }),
      ask("object-add", { "qom-type": "iothread", id: "io1" }),
      ask("object-add", { "qom-type": "iothread", id: "io1" }),
      ask("qom-list", { path: "/objects" }),
      ask("qom-get", { path: "/objects/io1", property: "poll-max-ns" }),
      ask("object-del", { id: "io1" }),
      ask("object-del", { id: "io1" }),
      ask("block-dirty-bitmap-add", { node: "top", name: "b0", persistent: true }),
      ask("query-named-block-nodes", { flat: true }),
      ask("blockdev-add", { driver: "null-co", "node-name": "n0", size: 65536 }),
      ask("block_resize", { "node-name": "n0", size: 512 }),
      ask("block_resize", { "node-name": "top", size: 2097152 }),
      ask("blockdev-del", { "node-name": "f" }),
      ask("blockdev-del", { "node-name": "n0" }),
      ask("query-status"),
      ask("system_reset"),
      ask("human-monitor-command", { "command-line": "info block" }),
      ask("device_add", { driver: "ide-hd" }),
      ask("query-cpus-fast"),
      ask("query-fdsets"),
      ask("query-chardev"),
      ask("chardev-add", { id: "r", backend: { type: "ringbuf", data: {} } }),
      ask("chardev-remove", { id: "r" }),
      ask("chardev-remove", { id: "mon" }),
    ],
  },
  {
    name: "a stream and a commit",
    images: ["-f qcow2 base.qcow2 1M", "-f qcow2 -b base.qcow2 -F qcow2 top.qcow2"],
    args: "--blockdev file,node-name=fb,filename=base.qcow2 --blockdev qcow2,node-name=base,file=fb " +
      "--blockdev file,node-name=f,filename=top.qcow2 --blockdev qcow2,node-name=top,file=f,backing=base",
    requests: [
      ask("block-stream", { device: "top", "job-id": "j0" }),
      'wait "BLOCK_JOB_COMPLETED"',
      ask("query-block-jobs"),
      ask("block-commit", { device: "top", "job-id": "j1" }),
      ask("job-cancel", { id: "nosuch" }),
    ],
  },
];

for (const { name, images = [], args, requests } of DIALOGUES) {
  Deno.test({
    name: `the storage daemon's QMP as the real one's: ${name}`,
    ignore: !haveProgram(NAME),
    async fn() {
      const sides = await Promise.all([NAME, "moa"].map(async (program) => {
        await using temp = await TempFolder.make();
        for (const image of images) await must("qemu-img", ["create", "-q", ...image.split(" ")], { cwd: temp.path });
        const all = [...args.split(" "), "--chardev", "stdio,id=mon", "--monitor", "mon"];
        return await qmpDialogue(program, { name: NAME, args: all, folder: temp.path }, requests);
      }));
      const [theirs, ours] = sides as [typeof sides[0], typeof sides[0]];
      for (let i = 0; i < requests.length; i++) assertEquals(ours[i], theirs[i]);
    },
  });
}

/** A client of a Unix socket that speaks QMP by hand. */
class Client implements AsyncDisposable {
  readonly #connection: Deno.Conn;
  #text = "";

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async to(path: string): Promise<Client> {
    return new Client(await Deno.connect({ transport: "unix", path }));
  }

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** The next line. */
  async line(): Promise<string> {
    const buffer = new Uint8Array(65536);
    while (!this.#text.includes("\n")) {
      const count = await this.#connection.read(buffer);
      if (count === null) throw new Error("the server hung up");
      this.#text += new TextDecoder().decode(buffer.subarray(0, count));
    }
    const end = this.#text.indexOf("\n");
    const line = this.#text.slice(0, end).trimEnd();
    this.#text = this.#text.slice(end + 1);
    return line;
  }

  /** The answer to `request`. */
  async ask(request: string): Promise<string> {
    await this.send(`${request}\n`);
    return await this.line();
  }

  hangUp(): void {
    this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
    try {
      this.#connection.close();
    } catch {
      // It hung up already.
    }
  }
}

/** Starts moa's daemon as a program of its own. */
function start(folder: string, args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", "--frozen", "--config", CONFIG, "-P=start", ENTRY, ...args],
    cwd: folder,
    env: { MOA_ARGV0: NAME, INIT_CWD: folder },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

async function untilThere(path: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    try {
      if (Deno.lstatSync(path).size >= 0) return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`${path} never came`);
}

/** Bytes of memory that a process has in use. */
async function residentBytes(pid: number): Promise<number> {
  // Deno keeps /proc from scripts.
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(await must("cat", [`/proc/${pid}/status`]))!;
  return Number(kib) * 1024;
}

const CAPABILITIES = '{"execute":"qmp_capabilities"}';
const QUERY = '{"execute":"query-jobs"}';

Deno.test("clients that hang up, flood, or never end a line harm nobody else", async () => {
  await using temp = await TempFolder.make();
  const socket = (id: string) => ["--chardev", `socket,id=${id},path=${id},server=on,wait=off`, "--monitor", id];
  const child = start(temp.path, [...socket("a"), ...socket("b"), "--pidfile", "pid"]);
  await untilThere(`${temp.path}/pid`);
  assertEquals(Number(await Deno.readTextFile(`${temp.path}/pid`)), child.pid);
  await using good = await Client.to(`${temp.path}/b`);
  await good.line();
  assertEquals(await good.ask(CAPABILITIES), '{"return": {}}');
  // One hangs up in the middle of a line, again and again.
  for (let i = 0; i < 20; i++) {
    const client = await Client.to(`${temp.path}/a`);
    await client.send('{"execute":"qmp_capabil');
    client.hangUp();
  }
  assertEquals(await good.ask(QUERY), '{"return": []}');
  // One sends a quarter of a gigabyte without a newline: it is refused as QEMU refuses it, and kept nowhere.
  {
    await using client = await Client.to(`${temp.path}/a`);
    await client.line();
    await client.ask(CAPABILITIES);
    const before = await residentBytes(child.pid);
    await client.send('{"execute":"');
    const piece = "x".repeat(1 << 20);
    for (let i = 0; i < 256; i++) {
      await client.send(piece);
      if (i % 64 === 0) assertEquals(await good.ask(QUERY), '{"return": []}');
    }
    assertEquals(
      await client.line(),
      '{"error": {"class": "GenericError", "desc": "JSON token size limit exceeded"}}',
    );
    assert(await residentBytes(child.pid) - before < 400e6, "a line without an end is kept");
  }
  // One asks and asks and takes no answer.
  const flood = await Client.to(`${temp.path}/a`);
  await flood.line();
  await flood.ask(CAPABILITIES);
  const sending = flood.send(`${QUERY}\n`.repeat(100_000)).catch(() => {});
  assertEquals(await good.ask(QUERY), '{"return": []}');
  flood.hangUp();
  await sending;
  await using next = await Client.to(`${temp.path}/a`);
  await next.line();
  assertEquals(await next.ask(CAPABILITIES), '{"return": {}}');
  assertEquals(await next.ask('{"execute":"quit","id":7}'), '{"return": {}, "id": 7}');
  assertEquals((await child.status).code, 0);
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

Deno.test({
  name: "a daemon: the command returns when all is open, SIGTERM closes images and ends with 0",
  async fn() {
    await using temp = await TempFolder.make();
    await must("qemu-img", ["create", "-q", "-f", "qcow2", "a", "1M"], { cwd: temp.path });
    const image = ["--blockdev", "file,node-name=f,filename=a", "--blockdev", "qcow2,node-name=q,file=f"];
    const monitor = ["--chardev", "socket,id=m,path=m,server=on,wait=off", "--monitor", "m"];
    const { code } = await start(temp.path, [...image, ...monitor, "--daemonize", "--pidfile", "pid"]).status;
    assertEquals(code, 0);
    const pid = Number(await Deno.readTextFile(`${temp.path}/pid`));
    {
      await using client = await Client.to(`${temp.path}/m`);
      await client.line();
      await client.ask(CAPABILITIES);
      assert((await client.ask('{"execute":"query-named-block-nodes"}')).includes('"node-name": "q"'));
    }
    const locked = await run("qemu-img", ["info", "a"], { cwd: temp.path });
    assert(locked.stderr.includes("lock"), locked.stderr);
    Deno.kill(pid, "SIGTERM");
    for (let tries = 0; tries < 600 && [...Deno.readDirSync(temp.path)].length > 1; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assertEquals([...Deno.readDirSync(temp.path)].map(({ name }) => name), ["a"]);
    await must("qemu-img", ["check", "-q", "a"], { cwd: temp.path });
  },
  ignore: !haveProgram("qemu-img"),
});
