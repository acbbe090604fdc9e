import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { haveProgram, must, run } from "../../../tests/support/programs.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { BlockError } from "../../errors.ts";
import { ALL_PERMISSIONS, Permission } from "../../permissions.ts";
import { createFile } from "./create.ts";
import { openTestFile } from "./test_context.ts";

const { consistentRead, write, writeUnchanged, resize } = Permission;
const NOT_WRITE = ALL_PERMISSIONS & ~write & ~resize;

/** The error's message and help, as a tool prints them. */
function lines(error: BlockError): string[] {
  return [error.message, error.help ?? ""];
}

Deno.test("two users of one file in one process keep each other out", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096));
  await using first = await openTestFile(path);
  await using second = await openTestFile(path);
  await first.setPermissions(consistentRead | write, NOT_WRITE);
  const wants = await assertRejects(() => second.setPermissions(consistentRead | write, ALL_PERMISSIONS), BlockError);
  assertEquals(lines(wants), ['Failed to get "write" lock', `Is another process using the image [${path}]?`]);
  assertEquals(wants.errno, "EAGAIN");
  const unshares = await assertRejects(() => second.setPermissions(consistentRead, NOT_WRITE), BlockError);
  assertEquals(unshares.message, 'Failed to get shared "write" lock');
  // who was refused holds nothing, and reading while the other writes is allowed to who allows it
  await second.setPermissions(consistentRead, ALL_PERMISSIONS);
  await second.setPermissions(0, ALL_PERMISSIONS);
  await first.setPermissions(0, ALL_PERMISSIONS);
  await second.setPermissions(consistentRead | write, NOT_WRITE);
});

Deno.test("what was held is still held after a refusal", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096));
  await using reader = await openTestFile(path, { context: { readOnly: true } });
  await using writer = await openTestFile(path);
  await reader.setPermissions(consistentRead, NOT_WRITE);
  await writer.setPermissions(consistentRead, ALL_PERMISSIONS);
  await assertRejects(() => writer.setPermissions(consistentRead | write, ALL_PERMISSIONS), BlockError);
  const third = await openTestFile(path);
  // the writer still reads, so nobody may take reading from it
  await assertRejects(
    () => third.setPermissions(0, ALL_PERMISSIONS & ~consistentRead),
    BlockError,
    'Failed to get shared "consistent read" lock',
  );
  await third[Symbol.asyncDispose]();
});

Deno.test("locking=off takes no part", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096));
  await using first = await openTestFile(path, { options: { locking: "off" } });
  await using second = await openTestFile(path, { options: { locking: "on" } });
  await first.setPermissions(write, 0);
  await second.setPermissions(write, 0);
});

Deno.test("locks go along when a file is opened again for reading only, and back", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096));
  await using file = await openTestFile(path);
  await using other = await openTestFile(path);
  const change = { readOnly: true, cacheDirect: false, cacheNoFlush: false };
  await file.setPermissions(consistentRead | write, NOT_WRITE);
  await file.setPermissions(consistentRead, NOT_WRITE);
  await file.reopen(change);
  assert(file.readOnly);
  await assertRejects(() => other.setPermissions(write, ALL_PERMISSIONS), BlockError, 'Failed to get "write" lock');
  await file.reopen({ ...change, readOnly: false, cacheDirect: true });
  assert(!file.readOnly && file.limits.alignBytes >= 512);
  await assertRejects(() => other.setPermissions(write, ALL_PERMISSIONS), BlockError, 'Failed to get "write" lock');
  await file.setPermissions(0, ALL_PERMISSIONS);
  await other.setPermissions(write, ALL_PERMISSIONS);
});

Deno.test("an image in use is not created anew", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096).fill(1));
  await using file = await openTestFile(path);
  await file.setPermissions(consistentRead | write, NOT_WRITE);
  await assertRejects(() => createFile(path, { size: 1024 }), BlockError, 'Failed to get "write" lock');
  assertEquals((await Deno.stat(path)).size, 4096);
});

Deno.test({
  name: "qemu-io is kept out of an image that is open here, and says so in the same words",
  ignore: !haveProgram("qemu-io"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const path = await temp.write("disk", new Uint8Array(65536));
    await using file = await openTestFile(path);
    await file.setPermissions(consistentRead | write | resize, NOT_WRITE);
    const args = ["-f", "raw", "-c", "read 0 512", path];
    const writer = await run("qemu-io", args);
    assertEquals(
      writer.stderr,
      `qemu-io: can't open device ${path}: Failed to get "write" lock\nIs another process using the image [${path}]?\n`,
    );
    // a reader that lets others write is let in
    assertEquals((await run("qemu-io", ["-r", ...args])).code, 0);
    await file.setPermissions(consistentRead, ALL_PERMISSIONS);
    assertEquals((await run("qemu-io", args)).code, 0);
  },
});

/** Runs `body` while a real program holds the image at `path` open. */
async function whileHeld(args: readonly string[], body: () => Promise<void>): Promise<void> {
  const child = new Deno.Command("qemu-io", { args: [...args], stdin: "piped", stdout: "piped", stderr: "null" })
    .spawn();
  const output = child.stdout.getReader();
  try {
    // its first prompt comes when the image is open
    const { value } = await output.read();
    assertStringIncludes(new TextDecoder().decode(value), "qemu-io>");
    await body();
  } finally {
    await child.stdin.close();
    while (!(await output.read()).done);
    await child.status;
  }
}

Deno.test({
  name: "an image that qemu-io writes is not opened for writing here",
  ignore: !haveProgram("qemu-io") || !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const path = temp.file("disk.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", path, "1M"]);
    await using file = await openTestFile(path);
    await whileHeld(["-f", "qcow2", path], async () => {
      const wants = await assertRejects(
        () => file.setPermissions(consistentRead | write, NOT_WRITE),
        BlockError,
      );
      assertEquals(lines(wants), ['Failed to get "write" lock', `Is another process using the image [${path}]?`]);
      await assertRejects(
        () => file.setPermissions(consistentRead, NOT_WRITE),
        BlockError,
        'Failed to get shared "write" lock',
      );
      await file.setPermissions(consistentRead, ALL_PERMISSIONS);
    });
    await file.setPermissions(consistentRead | write | resize, NOT_WRITE);
  },
});

Deno.test({
  name: "an image that qemu-io only reads may be read here too, not written",
  ignore: !haveProgram("qemu-io") || !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const path = temp.file("disk.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", path, "1M"]);
    await using file = await openTestFile(path);
    await whileHeld(["-r", "-f", "qcow2", path], async () => {
      await file.setPermissions(consistentRead, NOT_WRITE);
      await file.setPermissions(consistentRead | writeUnchanged, NOT_WRITE);
      await assertRejects(
        () => file.setPermissions(consistentRead | write, NOT_WRITE),
        BlockError,
        'Failed to get "write" lock',
      );
    });
  },
});

Deno.test({
  name: "the same bytes are locked as qemu-img locks",
  ignore: !haveProgram("qemu-io") || !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const path = temp.file("disk.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", path, "1M"]);
    const inode = (await Deno.stat(path)).ino;
    const locked = async () =>
      (await must("cat", ["/proc/locks"])).split("\n")
        .filter((line) => line.includes(`:${inode} `))
        .map((line) => line.replace(/^.*OFDLCK +\S+ +(\S+) .*:\d+ (\d+) (\d+)$/, "$1 $2 $3")).sort();
    let theirs: string[] = [];
    await whileHeld(["-f", "qcow2", path], async () => void (theirs = await locked()));
    await using file = await openTestFile(path);
    await file.setPermissions(consistentRead | write | resize, NOT_WRITE);
    const ours = await locked();
    assert(theirs.length > 0);
    assertEquals(expand(ours), expand(theirs));
  },
});

/** Neighbouring bytes may be told as one range. */
function expand(rows: readonly string[]): number[] {
  return rows.flatMap((row) => {
    const [, first, last] = row.split(" ").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  }).sort((a, b) => a - b);
}
