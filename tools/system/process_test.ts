/**
 * The program as a process: signals, pid file, demonstration disk, missing permissions.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "../../tests/support/programs.ts";
import { TempFolder } from "../../tests/support/temp.ts";

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
    stdin: 'qemu-io ide0-hd0 "read -v 17k 32"\nquit\n',
    env: { TMPDIR: temp.path },
  });
  assertEquals(result.code, 0);
  assertStringIncludes(result.stdout, "Hello.from.secto");
  assertStringIncludes(result.stderr, "No disk was given: ");
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

Deno.test("without permissions and terminal: one command line to type, status 2", async () => {
  const args = ["run", "-q", "--no-prompt", `--config=${CONFIG}`, ENTRY, "system", "-hda", "a b.img"];
  const { code, stdout, stderr } = await run(Deno.execPath(), args, { stdin: "" });
  assertEquals([code, stdout], [2, ""]);
  assertEquals(stderr.trimEnd().split("\n").length, 2);
  assertStringIncludes(stderr, "deno run -P=start ");
  assertStringIncludes(stderr, "system -hda 'a b.img'");
});
