/**
 * The entry of all tools as a process: the name it answers to, exit status, order of outputs, permissions.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ENTRY = new URL("../../tools/moa.ts", import.meta.url).pathname;

/** Runs the entry with the permissions that `deno task img` has. */
function moa(folder: string, name: string | undefined, ...args: string[]) {
  return run(Deno.execPath(), ["run", "-q", "--no-prompt", "-P=img", ENTRY, ...args], {
    env: { INIT_CWD: folder, ...(name === undefined ? {} : { MOA_ARGV0: name }) },
  });
}

Deno.test("the entry answers under the name that it was started with", async () => {
  await using temp = await TempFolder.make();
  const results = await Promise.all([
    moa(temp.path, "/usr/bin/qemu-img", "nosuch"),
    moa(temp.path, undefined, "img", "craete"),
    moa(temp.path, undefined, "nosuch"),
    moa(temp.path, undefined),
  ]);
  assertEquals(results.map(({ code }) => code), [1, 1, 1, 1]);
  assertEquals(results.map(({ stderr }) => stderr), [
    "qemu-img: Command not found: nosuch\nTry 'qemu-img --help' for more information\n",
    "moa: Command not found: craete\nDid you mean 'create'?\n",
    "moa: Tool not found: nosuch\nTry 'moa --help' for more information\n",
    "moa: Not enough arguments\nTry 'moa --help' for more information\n",
  ]);
});

Deno.test("file names count from where the user stands", async () => {
  await using temp = await TempFolder.make();
  const made = await moa(temp.path, undefined, "img", "create", "-f", "qcow2", "a.qcow2", "1M");
  assertEquals([made.code, made.stderr], [0, ""]);
  assertMatch(made.stdout, /^Formatting 'a.qcow2', fmt=qcow2 /);
  assertEquals((await Deno.stat(temp.file("a.qcow2"))).isFile, true);
  const check = await moa(temp.path, "qemu-img", "check", "a.qcow2");
  assertEquals([check.code, check.stdout], [0, "No errors were found on the image.\nImage end offset: 262144\n"]);
  const help = await moa(temp.path, undefined, "img", "--help");
  assertMatch(help.stdout, /\nSupported formats: .*\bqcow2\b.*\braw\b/);
});

Deno.test("output to a full disk is told in one line and by the status; QEMU's programs say nothing", async () => {
  await using temp = await TempFolder.make();
  for (
    const [name, code, said] of [
      [undefined, 1, "moa: standard output could not be written: No space left on device\n"],
      ["qemu-img", 0, ""],
    ] as const
  ) {
    const words = name === undefined ? "img --help" : "--help";
    const line = `exec '${Deno.execPath()}' run -q --no-prompt -P=img '${ENTRY}' ${words} > /dev/full`;
    const env = { INIT_CWD: temp.path, ...(name === undefined ? {} : { MOA_ARGV0: name }) };
    const { code: status, stderr } = await run("sh", ["-c", line], {
      cwd: new URL("../../", import.meta.url).pathname,
      env,
    });
    assertEquals([status, stderr], [code, said]);
  }
});
