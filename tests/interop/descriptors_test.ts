/**
 * Descriptors and sockets that a program inherits, side by side: `-add-fd` with `/dev/fdset/N`, and `fd=N`.
 *
 * A shell opens the files, since that is how they come.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const QEMU = "qemu-system-x86_64";
const ENTRY = new URL("../../tools/moa.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const MOA = `${Deno.execPath()} run -q --no-prompt --frozen --config ${CONFIG} -P=start ${ENTRY}`;
const MACHINE = "-accel tcg -S -display none -nodefaults";

function ask(execute: string, data?: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(data === undefined ? { execute } : { execute, arguments: data });
}

const REQUESTS = [
  ask("qmp_capabilities"),
  ask("query-fdsets"),
  ask("query-named-block-nodes", { flat: true }),
  ask("remove-fd", { "fdset-id": 9 }),
  ask("remove-fd", { "fdset-id": 2, fd: 99 }),
  ask("blockdev-add", { driver: "file", filename: "/dev/fdset/3", "node-name": "g" }),
  ask("blockdev-add", { driver: "file", filename: "/dev/fdset/3", "node-name": "g", "read-only": true }),
  ask("blockdev-add", { driver: "file", filename: "/dev/fdset/77", "node-name": "h" }),
  ask("blockdev-add", { driver: "file", filename: "/dev/fdset/x", "node-name": "h" }),
  ask("blockdev-del", { "node-name": "f" }),
  ask("remove-fd", { "fdset-id": 2 }),
  ask("add-fd"),
  ask("add-fd", { "fdset-id": 3 }),
  ask("getfd", { fdname: "x" }),
  ask("closefd", { fdname: "x" }),
  ask("quit"),
];

/** Answers, without what differs from run to run. */
function answers(text: string): string[] {
  return text.split("\n").filter((line) => line !== "").slice(1).map((line) =>
    line.trimEnd().replace(/"seconds": \d+, "microseconds": \d+/, "").replaceAll(/"fd": \d+/g, '"fd": N')
      .replaceAll(/#block(\d+)\d\d/g, "#block$1")
  );
}

async function inFolder(
  folder: string,
  line: string,
  stdin = "",
): Promise<{ out: string; error: string; code: number }> {
  const { stdout, stderr, code } = await run("sh", ["-c", line], {
    cwd: folder,
    stdin,
    env: { MOA_ARGV0: QEMU, INIT_CWD: folder, LC_ALL: "C" },
  });
  return { out: stdout, error: stderr, code };
}

Deno.test({
  name: "sets of inherited descriptors: told, opened by the mode they have, refused and dropped as QEMU does",
  ignore: !haveProgram(QEMU),
  async fn() {
    await using temp = await TempFolder.make();
    await must("qemu-img", ["create", "-q", "-f", "raw", "img", "1M"], { cwd: temp.path });
    const sets = "-add-fd fd=8,set=2,opaque=ro -add-fd fd=9,set=2,opaque=rdwr:x -add-fd fd=8,set=3";
    const options = `${MACHINE} ${sets} -blockdev file,node-name=f,filename=/dev/fdset/2 -qmp stdio`;
    const stdin = REQUESTS.join("\n");
    const [theirs, ours] = [
      await inFolder(temp.path, `exec ${QEMU} ${options} 8<img 9<>img`, stdin),
      await inFolder(temp.path, `exec ${MOA} ${options} 8<img 9<>img`, stdin),
    ];
    assertEquals(ours.error, "");
    assertEquals(answers(ours.out), answers(theirs.out));
    assertEquals(answers(ours.out).length, REQUESTS.length + 1);
  },
});

Deno.test({
  name: "-add-fd that is refused",
  ignore: !haveProgram(QEMU),
  async fn() {
    await using temp = await TempFolder.make();
    const refused = ["fd=0,set=1", "set=1", "fd=99,set=1", "fd=8", "fd=8,set=-1", "fd=8,set=1,foo=2", "fd=x,set=1"];
    await Promise.all(refused.map(async (text) => {
      const line = `${MACHINE} -add-fd ${text} 8</dev/null`;
      const [theirs, ours] = await Promise.all(
        [QEMU, MOA].map((program) => inFolder(temp.path, `exec ${program} ${line}`)),
      );
      assertEquals(ours, theirs, text);
    }));
  },
});

/** A socket that a shell cannot make: Python hands one end on, and talks on the other. */
const PASS = `
import socket, subprocess, sys
ours, theirs = socket.socketpair()
listener = socket.socket(socket.AF_UNIX); listener.bind("l"); listener.listen(2)
args = sys.argv[1:] + ["-chardev", "socket,id=a,fd=%d" % theirs.fileno(), "-mon", "a,mode=control",
  "-chardev", "socket,id=b,fd=%d,server=on,wait=off" % listener.fileno(), "-mon", "b"]
child = subprocess.Popen(args, pass_fds=[theirs.fileno(), listener.fileno()], stdin=subprocess.DEVNULL)
theirs.close()
lines = ours.makefile("r")
print("QMP" in lines.readline())
ours.sendall(b'{"execute":"qmp_capabilities"}')
print(lines.readline().strip())
prompt = socket.socket(socket.AF_UNIX); prompt.connect("l")
text = b""
while not text.endswith(b"(qemu) "): text += prompt.recv(4096)
print(text.splitlines()[0].startswith(b"QEMU"))
ours.sendall(b'{"execute":"quit"}')
print([line.strip()[:10] for line in lines][-1])
print(child.wait())
`;

Deno.test({
  name: "monitors on inherited sockets, one connected and one that listens",
  ignore: !haveProgram("python3"),
  async fn() {
    await using temp = await TempFolder.make();
    await temp.write("pass.py", new TextEncoder().encode(PASS));
    const { out, error } = await inFolder(temp.path, `exec python3 pass.py ${MOA} ${MACHINE}`);
    assert(error === "", error);
    assertEquals(out.trimEnd().split("\n"), ["True", '{"return": {}}', "True", '{"return":', "0"]);
  },
});
