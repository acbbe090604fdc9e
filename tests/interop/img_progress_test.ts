/**
 * How far a command is, as programs read it: `--progress=jsonl`, and SIGUSR1.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ignore = !haveProgram("qemu-img") || !haveProgram("qemu-io");
const MOA = ["run", "-q", "-A", "--no-check", new URL("../../tools/moa.ts", import.meta.url).pathname];

async function folderOfImages(): Promise<TempFolder> {
  const folder = await TempFolder.make();
  await must("sh", [
    "-ec",
    "head -c 8388608 /dev/urandom >raw; cp raw same; qemu-img create -q -f qcow2 base 8M; " +
    "qemu-img create -q -f qcow2 -b base -F qcow2 top; qemu-io -c 'write 0 6M' top >/dev/null; " +
    "qemu-img create -q -f qcow2 -b base -F qcow2 over; qemu-img create -q -f qcow2 lone 8M",
  ], { cwd: folder.path });
  return folder;
}

Deno.test({
  name: "img --progress=jsonl: one object a line on standard error, the last of them at the end",
  ignore,
  async fn() {
    await using folder = await folderOfImages();
    const cwd = folder.path;
    const MiB = 2 ** 20;
    const commands: readonly [string, number][] = [
      ["convert --progress=jsonl -f raw -O qcow2 raw new", 8 * MiB],
      ["compare --progress=jsonl -f raw -F raw raw same", 8 * MiB],
      ["dd --progress=jsonl -f raw if=raw of=copy bs=64k count=48", 3 * MiB],
      ["measure --progress=jsonl -f raw -O qcow2 raw", 8 * MiB],
      ["commit --progress=jsonl top", 8 * MiB],
      ["rebase --progress=jsonl -b lone -F qcow2 over", 8 * MiB],
      ["resize --progress=jsonl --preallocation=metadata lone +8M", 16 * MiB],
      ["amend --progress=jsonl -o lazy_refcounts=on lone", 0],
    ];
    for (const [words, size] of commands) {
      const args = words.split(" ");
      const { code, stderr } = await run(Deno.execPath(), [...MOA, "img", ...args], { cwd, env: { INIT_CWD: cwd } });
      assertEquals(code, 0, `${words}: ${stderr}`);
      const lines = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
      for (const line of lines) {
        assertEquals(Object.keys(line), ["operation", "transferred", "size", "elapsed", "eta"], words);
        assertEquals(line.operation, args[0]);
        assert(line.transferred <= line.size && line.elapsed >= 0, words);
      }
      const last = lines.at(-1);
      assertEquals([last.transferred, last.size, last.eta], [size, size, 0], words);
      assert(lines.length <= 2 + 10 * (last.elapsed + 0.1), `${words}: ${lines.length} lines`);
    }
    const env = { INIT_CWD: cwd, MOA_ARGV0: "qemu-img" };
    const strict = await run(Deno.execPath(), [...MOA, "convert", "--progress=jsonl", "raw", "x"], { cwd, env });
    const real = await run("qemu-img", ["convert", "--progress=jsonl", "raw", "x"], { cwd });
    assertEquals([strict.code, strict.stderr], [real.code, real.stderr]);
  },
});

Deno.test({
  name: "img convert: SIGUSR1 prints how far it is, and it goes on",
  ignore,
  async fn() {
    await using folder = await folderOfImages();
    const child = new Deno.Command(Deno.execPath(), {
      args: [...MOA, "img", "convert", "-r", "8M", "-f", "raw", "-O", "raw", "raw", "new"],
      cwd: folder.path,
      env: { INIT_CWD: folder.path },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    // Once there is a target, the listener has long been there.
    while (!await Deno.stat(folder.file("new")).then(() => true, () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill("SIGUSR1");
    const { code, stderr } = await child.output();
    assertEquals(code, 0);
    const said = new TextDecoder().decode(stderr);
    assert(/^ {4}\(\d+\.\d\d\/100%\)\n$/.test(said), said);
    assertEquals(await Deno.readFile(folder.file("new")), await Deno.readFile(folder.file("raw")));
  },
});
