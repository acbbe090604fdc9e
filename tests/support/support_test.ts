import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { withoutLeaks } from "./fds.ts";
import { ModelDisk } from "./model.ts";
import { patchNumber, peekFile } from "./patch.ts";
import { haveProgram, must, run } from "./programs.ts";
import { TempFolder } from "./temp.ts";

Deno.test("run captures both outputs, the status, and ends what hangs", async () => {
  const result = await run("sh", ["-c", "cat; echo err >&2; exit 3"], { stdin: "in" });
  assertEquals(result, { code: 3, stdout: "in", stderr: "err\n", timedOut: false });
  assertEquals((await run("sh", ["-c", "exec sleep 60"], { timeoutMs: 50 })).timedOut, true);
  await assertRejects(() => must("false", []), Error, "ended with 1");
  assert(haveProgram("sh"));
});

Deno.test("a temporary folder is gone after its scope", async () => {
  let path = "";
  {
    await using temp = await TempFolder.make();
    path = await temp.write("a", new Uint8Array(16));
    await patchNumber(path, 4, 4, 0x01020304);
    await patchNumber(path, 14, 8, -1n);
    assertEquals((await peekFile(path, 3, 20)).toHex(), "0001020304000000000000ffffffffffffffff");
  }
  await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
});

Deno.test("a file that stays open is told", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("a", "x");
  const open: Deno.FsFile[] = [];
  await assertRejects(() => withoutLeaks(async () => void open.push(await Deno.open(path))), Error, "still open");
  for (const file of open) file.close();
  await withoutLeaks(async () => (await Deno.open(path)).close());
});

Deno.test("the model says where a disk differs", () => {
  const disk = new ModelDisk(2048);
  disk.write(600, new Uint8Array([1, 2, 3]));
  const copy = disk.copy();
  disk.fill(0, 1024, 7);
  disk.truncate(1024);
  disk.assertSame(new Uint8Array(1024).fill(7));
  assertEquals(copy.read(599, 5), new Uint8Array([0, 1, 2, 3, 0]));
  assertThrows(() => copy.assertSame(new Uint8Array(2048)), Error, "byte 600");
});
