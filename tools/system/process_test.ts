/**
 * The program as a process: signals, pid file, demonstration disk, missing permissions.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { haveProgram, must, run } from "../../tests/support/programs.ts";
import { TempFolder } from "../../tests/support/temp.ts";
import { demonstrationDisk } from "./demonstration/disk.ts";

const ENTRY = new URL("../moa.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

Deno.test("SIGTERM closes the machine: status 0, no pid file left, images whole", async () => {
  await using temp = await TempFolder.make();
  const image = `${temp.path}/d.raw`;
  await Deno.writeFile(image, new Uint8Array(1 << 20));
  const pidfile = `${temp.path}/pid`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", ENTRY, "-drive", `file=${image},format=raw`, "-pidfile", pidfile, "-monitor", "stdio"],
    env: { MOA_ARGV0: "qemu-system-x86_64" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let seen = "";
  const until = async (text: string) => {
    while (!seen.includes(text)) {
      const { value, done } = await reader.read();
      assert(!done, `the program ended before it said ${text}: ${seen}`);
      seen += decoder.decode(value);
    }
  };
  await until("(qemu) ");
  await writer.write(new TextEncoder().encode('qemu-io ide0-hd0 "write -P 0x5a 4k 4k"\n'));
  await until("wrote 4096/4096");
  const pid = Number(await Deno.readTextFile(pidfile));
  assertEquals(pid, child.pid);
  child.kill("SIGTERM");
  while (!(await reader.read()).done);
  const stderr = await new Response(child.stderr).text();
  assertEquals((await child.status).code, 0);
  await writer.close().catch(() => {});
  assertStringIncludes(stderr, "terminating on signal 15");
  assertEquals((await Deno.readFile(image)).subarray(4096, 8192).every((byte) => byte === 0x5a), true);
  assertEquals([...Deno.readDirSync(temp.path)].map(({ name }) => name), ["d.raw"]);
});

Deno.test("without a disk there is one to try things on, and it goes in the end", async () => {
  await using temp = await TempFolder.make();
  const result = await run(Deno.execPath(), ["run", "-q", "-A", ENTRY, "system"], {
    stdin: `qemu-io ide0-hd0 "read -v ${demonstrationDisk().readmeAt} 32"\nquit\n`,
    env: { TMPDIR: temp.path },
  });
  assertEquals(result.code, 0);
  assertStringIncludes(result.stdout, "This.disk.is.the");
  assertStringIncludes(result.stderr, "No disk was given: ");
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

Deno.test("what is wrong with a port's other end is said once, with its option", async () => {
  const system = (...args: string[]) => run(Deno.execPath(), ["run", "-q", "-A", ENTRY, "system", ...args]);
  const { code, stderr } = await system("-nodefaults", "-S", "-display", "none", "-serial", "chardev:zz");
  assertEquals(code, 1);
  assertEquals(
    stderr,
    "moa: -serial chardev:zz: could not connect serial device to character backend 'chardev:zz'\n",
  );
});

Deno.test("with a kernel there is no disk that nobody asked for", async () => {
  const { code, stderr } = await run(Deno.execPath(), ["run", "-q", "-A", ENTRY, "system", "-kernel", "/nonexistent"], {
    stdin: "",
  });
  assertEquals(code, 1);
  assertEquals(stderr, "moa: could not open kernel file '/nonexistent': No such file or directory\n");
});

Deno.test("without permissions and terminal: one command line to type, status 2", async () => {
  const args = ["run", "-q", "--no-prompt", `--config=${CONFIG}`, ENTRY, "system", "-hda", "a b.img"];
  const { code, stdout, stderr } = await run(Deno.execPath(), args, { stdin: "" });
  assertEquals([code, stdout], [2, ""]);
  assertEquals(stderr.trimEnd().split("\n").length, 2);
  assertStringIncludes(stderr, "deno run -P=start ");
  assertStringIncludes(stderr, "system -hda 'a b.img'");
});

/** A machine on `args` with its monitor on the socket `m` of the folder, and a way to talk to it. */
async function withSocket(folder: string, args: readonly string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", ENTRY, ...args, "-monitor", "unix:m,server=on,wait=on"],
    env: { MOA_ARGV0: "qemu-system-x86_64", INIT_CWD: folder },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.getReader();
  let said = "";
  while (!said.includes("waiting for connection")) {
    const { value, done } = await reader.read();
    assert(!done, `the program ended: ${said}`);
    said += new TextDecoder().decode(value);
  }
  const end = async () => {
    while (!(await reader.read()).done);
    return await child.status;
  };
  return { child, end, connect: () => Deno.connect({ transport: "unix", path: `${folder}/m` }) };
}

/** Reads until `text` was said; hands back all of it. */
async function heard(connection: Deno.Conn, text: string): Promise<string> {
  const decoder = new TextDecoder();
  const piece = new Uint8Array(65536);
  let all = "";
  while (!all.includes(text)) {
    const got = await connection.read(piece);
    if (got === null) throw new Error(`the monitor hung up: ${all.slice(-200)}`);
    all += decoder.decode(piece.subarray(0, got), { stream: true });
  }
  return all;
}

for (const command of ["savevm a", "commit all"]) {
  Deno.test({
    name: `SIGTERM in the middle of ${command}: it ends at once, images whole, data as it was`,
    ignore: !haveProgram("qemu-img") || !haveProgram("qemu-io"),
    fn: async () => {
      await using temp = await TempFolder.make();
      const setUp = "qemu-img create -q -f qcow2 b 1G; qemu-img create -q -f qcow2 -b b -F qcow2 o; " +
        "qemu-io -c 'write -q -P 3 0 96M' o";
      await must("sh", ["-ec", setUp], { cwd: temp.path });
      const { child, end, connect } = await withSocket(temp.path, ["-m", "512", "o"]);
      using monitor = await connect();
      await heard(monitor, "(qemu) ");
      await monitor.write(new TextEncoder().encode(`${command}\n`));
      // All of the line has come back: the command is running now.
      await heard(monitor, `${command}\x1b[K\r\n`);
      child.kill("SIGTERM");
      assertEquals((await end()).code, 0);
      for (const image of ["o", "b"]) await must("qemu-img", ["check", "-q", image], { cwd: temp.path });
      assertEquals(await must("qemu-io", ["-r", "-c", "read -q -P 3 0 96M", "o"], { cwd: temp.path }), "");
    },
  });
}

Deno.test("clients at a socket: one that hangs up and one that floods harm nobody", async () => {
  await using temp = await TempFolder.make();
  const { end, connect } = await withSocket(temp.path, ["-nodefaults", "-S"]);
  const first = await connect();
  const second = await connect();
  await heard(first, "(qemu) ");
  await first.write(new TextEncoder().encode("info sta"));
  first.close();
  await heard(second, "(qemu) ");
  // A megabyte without a newline, and nobody reads its echo.
  const flood = second.write(new Uint8Array(1 << 20).fill(0x78)).catch(() => {});
  using third = await connect();
  await new Promise((resolve) => setTimeout(resolve, 50));
  second.close();
  await flood;
  await heard(third, "(qemu) ");
  await third.write(new TextEncoder().encode("info status\n"));
  assertStringIncludes(await heard(third, "VM status"), "VM status");
  await third.write(new TextEncoder().encode("quit\n"));
  assertEquals((await end()).code, 0);
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

Deno.test("without ffi the machine works, and one line says what is lost", async () => {
  await using temp = await TempFolder.make();
  await temp.write("d.raw", new Uint8Array(1 << 20));
  const args = ["run", "-q", "--no-prompt", "--allow-read", "--allow-write", "--allow-env", ENTRY, "system", "-S"];
  const { code, stdout, stderr } = await run(Deno.execPath(), [...args, "-drive", "file=d.raw,format=raw"], {
    stdin: 'qemu-io ide0-hd0 "write -P 7 0 512"\nquit\n',
    env: { INIT_CWD: temp.path },
  });
  assertEquals(code, 0);
  assertStringIncludes(stdout, "wrote 512/512");
  assertEquals(stderr.trimEnd().split("\n").length, 1);
  assertStringIncludes(stderr, "--allow-ffi");
  assertEquals((await Deno.readFile(temp.file("d.raw")))[511], 7);
});
