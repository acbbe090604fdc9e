/**
 * Starters as a user gets and types them: installed into a folder with a blank in its name, started from another.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { haveProgram, run, type RunOptions } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** `deno task install`, as if typed in `cwd`. */
function install(cwd: string, args: readonly string[], env: Record<string, string> = {}) {
  const words = ["run", "-q", "--no-prompt", "--frozen", "-P=install", "tools/install/main.ts", ...args];
  return run(Deno.execPath(), words, { cwd: ROOT, env: { INIT_CWD: cwd, ...env } });
}

const NAMES = ["moa", "qemu-img", "qemu-io", "qemu-nbd", "qemu-system-x86_64", "qemu-storage-daemon"];

Deno.test("starters: installed, used, moved, installed again", async (t) => {
  await using temp = await TempFolder.make();
  const folder = temp.file("the bin");
  const empty = temp.file("empty");
  await Deno.mkdir(empty);
  const start = (name: string, args: readonly string[], options: RunOptions = {}) =>
    run(`${folder}/${name}`, args, { cwd: empty, ...options });

  await t.step("the folder is made, and what was done is said", async () => {
    const done = await install(temp.path, ["the bin/", "--qemu-names"]);
    assertEquals([done.code, done.stderr], [0, ""]);
    assertEquals(
      done.stdout,
      `installed in ${folder}: ${NAMES.join(", ")}\n` +
        `It is not on your PATH. Add it so:\n  export PATH='${folder}':"$PATH"\n`,
    );
    assertEquals((await names(folder)).sort(), [".moa", ...NAMES].sort());
  });

  await t.step("file names count from where the user stands, whatever a task left behind", async () => {
    const made = await start("moa", ["img", "create", "-q", "-f", "qcow2", "a", "1M"], { env: { INIT_CWD: ROOT } });
    assertEquals([made.code, made.stdout, made.stderr], [0, "", ""]);
    const looked = await start("qemu-img", ["check", "a"], { env: { MOA_ARGV0: "qemu-io" } });
    assertEquals([looked.code, looked.stdout], [0, "No errors were found on the image.\nImage end offset: 262144\n"]);
  });

  await t.step("standard input may be a pipe", async () => {
    const typed = await start("qemu-io", ["a"], { stdin: "write -q -P 7 0 64k\nread -P 8 0 64k\nlength\n" });
    assertEquals(typed.code, 1);
    assertStringIncludes(typed.stdout, "Pattern verification failed at offset 0, 65536 bytes\n");
    assertStringIncludes(typed.stdout, "\nqemu-io> 1 MiB\n");
  });

  await t.step("what a name does not do yet it says", async () => {
    const { code, stdout, stderr } = await start("qemu-nbd", ["--version"]);
    assertEquals([code, stdout, stderr], [1, "", "qemu-nbd: moa does not do what qemu-nbd does yet\n"]);
    const daemon = await start("qemu-storage-daemon", ["--version"]);
    assertEquals([daemon.code, daemon.stdout.split(" ")[0], daemon.stderr], [0, "qemu-storage-daemon", ""]);
  });

  await t.step("threads find their program beside the bundle", async () => {
    const [bundle] = (await names(`${folder}/.moa`)).map((id) => `${folder}/.moa/${id}`);
    const worker = new Worker(new URL(`file://${encodeURI(`${bundle}/assets/packWorker.js`)}`), { type: "module" });
    const packed = new Promise<Uint8Array>((resolve) => worker.onmessage = ({ data }) => resolve(data.answer));
    worker.postMessage({ method: "zlib", bytes: new Uint8Array(65536) });
    assert((await packed).length < 1000);
    worker.terminate();
    const packedImage = await start("qemu-img", ["convert", "-c", "-O", "qcow2", "a", "c"]);
    assertEquals([packedImage.code, packedImage.stderr], [0, ""]);
  });

  await t.step("a second time: the same bundle, and PATH is known", async () => {
    const before = await names(`${folder}/.moa`);
    const again = await install(temp.path, [folder], { PATH: `${empty}:${folder}:${Deno.env.get("PATH")}` });
    assertEquals([again.code, again.stdout, again.stderr], [
      0,
      `installed in ${folder}: moa\nIt is on your PATH.\n`,
      "",
    ]);
    assertEquals(await names(`${folder}/.moa`), before);
  });

  await t.step("a starter in a folder that was moved finds its bundle; without one it says so", async () => {
    const moved = temp.file("moved");
    await Deno.rename(folder, moved);
    assertEquals((await run(`${moved}/moa`, ["img", "--version"], { cwd: empty })).code, 0);
    await Deno.remove(`${moved}/.moa`, { recursive: true });
    const { code, stderr } = await run(`${moved}/qemu-img`, ["--version"], { cwd: empty });
    assertEquals([code, stderr], [1, "qemu-img: the program that this starts is gone; install moa again\n"]);
  });
});

Deno.test("install refuses what it would spoil, and changes nothing", async () => {
  await using temp = await TempFolder.make();
  await Deno.mkdir(temp.file("bin/qemu-io"), { recursive: true });
  await Deno.writeTextFile(temp.file("bin/qemu-img"), "#!/bin/sh\nexit 3\n");
  const foreign = await install(temp.path, ["bin", "--qemu-names"]);
  assertEquals([foreign.code, foreign.stdout, foreign.stderr], [
    1,
    "",
    `install: '${temp.file("bin/qemu-img")}' is there and is no starter of moa; nothing was installed\n`,
  ]);
  assertEquals((await names(temp.file("bin"))).sort(), ["qemu-img", "qemu-io"]);
  const none = await install(temp.path, ["bin/qemu-img/x"]);
  assertEquals(none.code, 1);
  assertMatch(none.stderr, /^install: cannot write to '.*\/bin\/qemu-img\/x': Not a directory\n$/);
  const words = await install(temp.path, ["a", "b"]);
  assertEquals([words.code, words.stderr], [1, "install: one folder, please, not 2\n"]);
  assertMatch((await install(temp.path, ["--qemu"])).stderr, /^install: unrecognized option '--qemu'\nusage: /);
  assertMatch((await install(temp.path, [], { HOME: "" })).stderr, /^install: HOME is not set: name a folder\n$/);
});

/** Stands in for Deno: says that the starter has come to its end, and becomes Deno. */
const GATE = `#!/bin/sh
echo > ready
kill -USR1 $$
exec '${Deno.execPath()}' "$@"
`;

/** Sends SIGUSR1 from when the starter has come to its end, and for as long as the program lives. */
const FLOOD = `
mkfifo ready
./gated create -q -f qcow2 a 1M &
read none < ready
while grep -q '^State:.[^Z]' /proc/$!/status 2> /dev/null; do kill -USR1 $! 2> /dev/null || break; done
wait $!
echo status $?
`;

Deno.test("a starter becomes the program: its process takes the signals", async () => {
  await using temp = await TempFolder.make();
  assertEquals((await install(temp.path, ["bin", "--qemu-names"])).code, 0);
  const starter = await Deno.readTextFile(temp.file("bin/qemu-img"));
  await Deno.writeTextFile(temp.file("gated"), starter.replace(/^deno=.*$/m, "deno=./gate"), { mode: 0o755 });
  await Deno.writeTextFile(temp.file("gate"), GATE, { mode: 0o755 });
  const flooded = await run("sh", ["-c", FLOOD], { cwd: temp.path });
  assertEquals(flooded.stdout, "status 0\n", flooded.stderr);
  const machine = new Deno.Command(temp.file("bin/qemu-system-x86_64"), {
    args: ["-accel", "tcg", "-S", "-display", "none", "-monitor", "stdio", "-pidfile", "pid", "-hda", "a"],
    cwd: temp.path,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = machine.stdout.getReader();
  let text = "";
  while (!text.includes("(qemu) ")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`ended with: ${text}`);
    text += new TextDecoder().decode(value);
  }
  assertEquals((await Deno.readTextFile(temp.file("pid"))).trim(), `${machine.pid}`);
  machine.kill("SIGTERM");
  assertEquals((await machine.status).code, 0);
  await reader.cancel();
  await machine.stdin.close().catch(() => {});
});

Deno.test({
  name: "under a QEMU name a wrong command line gets QEMU's answer",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    assertEquals((await install(temp.path, ["bin", "--qemu-names"])).code, 0);
    const rows: [string, string[]][] = [
      ["qemu-img", []],
      ["qemu-img", ["nosuch"]],
      ["qemu-img", ["info", "--nosuch", "x"]],
      ["qemu-img", ["resize", "missing", "-19G"]],
      ["qemu-io", ["-c", "read 0 512", "missing"]],
      ["qemu-system-x86_64", ["-nosuch"]],
    ];
    for (const [name, args] of rows) {
      const ours = await run(temp.file(`bin/${name}`), args, { cwd: temp.path });
      const theirs = await run(name, args, { cwd: temp.path });
      assertEquals(ours, theirs, `${name} ${args.join(" ")}`);
    }
  },
});

async function names(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(folder)) found.push(name);
  return found;
}
