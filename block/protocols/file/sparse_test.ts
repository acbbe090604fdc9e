import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { KiB, MiB } from "../../../base/units.ts";
import { haveProgram, must, run } from "../../../tests/support/programs.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import type { Extent } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import { createFile, FILE_CREATE_OPTIONS } from "./create.ts";
import type { FileDriver } from "./driver.ts";
import { openTestFile, readBytes } from "./test_context.ts";

/** All runs of the file. */
async function runs(file: FileDriver): Promise<[number, string][]> {
  const found: [number, string][] = [];
  for (let at = 0; at < file.size;) {
    const extent: Extent = await file.status(at, file.size - at);
    assertEquals(extent.hostOffset, at);
    found.push([extent.lengthBytes, extent.kind]);
    at += extent.lengthBytes;
  }
  return found;
}

Deno.test("holes are seen, made and filled", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", "");
  await Deno.truncate(path, MiB);
  await using file = await openTestFile(path);
  assertEquals(await runs(file), [[MiB, "zero"]]);
  await file.write(64 * KiB, IoVector.of(new Uint8Array(128 * KiB).fill(1)));
  await file.flush();
  assertEquals(await runs(file), [[64 * KiB, "zero"], [128 * KiB, "data"], [832 * KiB, "zero"]]);
  const before = await file.allocatedBytes();
  await file.discard(128 * KiB, 32 * KiB);
  assertEquals((await file.status(128 * KiB, MiB - 128 * KiB)).kind, "zero");
  assert(await file.allocatedBytes() < before);
  assertEquals(await runs(file), [
    [64 * KiB, "zero"],
    [64 * KiB, "data"],
    [32 * KiB, "zero"],
    [32 * KiB, "data"],
    [832 * KiB, "zero"],
  ]);
  assertEquals(await file.status(70 * KiB, 8 * KiB), {
    lengthBytes: 8 * KiB,
    kind: "data",
    hostOffset: 70 * KiB,
    allocated: true,
  });
});

Deno.test("a hole that is remembered is forgotten when it is written", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", "");
  await Deno.truncate(path, MiB);
  await using file = await openTestFile(path);
  await file.setPermissions(3, 1);
  assertEquals((await file.status(0, MiB)).kind, "zero");
  await file.write(4096, IoVector.of(new Uint8Array(4096).fill(1)));
  assertEquals((await file.status(4096, 4096)).kind, "data");
  await file.writeZeroes(4096, 4096, { unmap: true });
  assertEquals((await file.status(4096, 4096)).kind, "zero");
});

Deno.test("zeroes keep their room without unmap and give it back with it", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(MiB).fill(1));
  await using file = await openTestFile(path);
  await file.flush();
  const full = await file.allocatedBytes();
  await file.writeZeroes(0, 256 * KiB);
  assertEquals(await file.allocatedBytes(), full);
  await file.writeZeroes(256 * KiB, 256 * KiB, { unmap: true });
  assert(await file.allocatedBytes() <= full - 256 * KiB);
  assert((await readBytes(file, 0, 512 * KiB)).every((byte) => byte === 0));
  assert((await readBytes(file, 512 * KiB, 512 * KiB)).every((byte) => byte === 1));
});

Deno.test("the size changes with or without room", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096).fill(1));
  await using file = await openTestFile(path);
  await file.truncate(MiB);
  assertEquals([file.size, (await file.allocatedBytes()) < 64 * KiB], [MiB, true]);
  await file.truncate(2 * MiB, { preallocation: "falloc" });
  assertEquals([file.size, (await file.allocatedBytes()) >= MiB], [2 * MiB, true]);
  await file.truncate(3 * MiB, { preallocation: "full" });
  assertEquals([file.size, (await file.allocatedBytes()) >= 2 * MiB], [3 * MiB, true]);
  assert((await readBytes(file, 2 * MiB, MiB)).every((byte) => byte === 0));
  const shrink = await assertRejects(() => file.truncate(MiB, { preallocation: "full" }), BlockError);
  assertEquals(shrink.message, "Cannot use preallocation for shrinking files");
  const metadata = await assertRejects(() => file.truncate(4 * MiB, { preallocation: "metadata" }), BlockError);
  assertEquals(metadata.message, "Unsupported preallocation mode: metadata");
  await file.truncate(100);
  assertEquals([file.size, (await Deno.stat(path)).size], [100, 100]);
});

Deno.test({
  name: "files are created as qemu-img creates them",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const help = await must("qemu-img", ["create", "-f", "file", "-o", "help"]);
    for (const { name, help: text } of FILE_CREATE_OPTIONS) {
      assert(help.split("\n").some((line) => line.startsWith(`  ${name}=<`) && line.endsWith(`- ${text}`)), name);
    }
    assertEquals(help.split("\n").filter((line) => line.startsWith("  ")).length, FILE_CREATE_OPTIONS.length);
    for (const preallocation of ["off", "falloc", "full"]) {
      const [ours, theirs] = [temp.file("ours"), temp.file("theirs")];
      await createFile(`file:${ours}`, { size: 100_000, preallocation });
      await must("qemu-img", ["create", "-q", "-f", "raw", "-o", `preallocation=${preallocation}`, theirs, "100000"]);
      const [a, b] = [await Deno.stat(ours), await Deno.stat(theirs)];
      assertEquals([a.size, a.blocks, a.mode], [b.size, b.blocks, b.mode], preallocation);
      await Deno.remove(ours);
      await Deno.remove(theirs);
    }
    const plain = await temp.write("plain", "text");
    const rows: [string, string][] = [
      [temp.path, "off"],
      [temp.file("missing/file"), "off"],
      [`${plain}/below`, "off"],
      [temp.file("z"), "metadata"],
      [temp.file("z"), "other"],
    ];
    for (const [path, preallocation] of rows) {
      const args = ["create", "-q", "-f", "raw", "-o", `preallocation=${preallocation}`, path, "4096"];
      const { stderr } = await run("qemu-img", args);
      const error = await assertRejects(() => createFile(path, { size: 4096, preallocation }), BlockError);
      assertEquals(`qemu-img: ${path}: ${error.message}\n`, stderr);
    }
  },
});

/** Mounts a file system of 1 MiB in memory, where that is allowed. */
async function smallMount(folder: string): Promise<boolean> {
  await Deno.mkdir(folder);
  return haveProgram("mount") && (await run("mount", ["-t", "tmpfs", "-o", "size=1m", "moa-test", folder])).code === 0;
}

/** Whether this process may mount: found out by trying, once. */
async function mayMount(): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  await using temp = await TempFolder.make();
  if (!await smallMount(temp.file("m"))) return false;
  await run("umount", [temp.file("m")]);
  return true;
}

Deno.test({
  name: "a full disk ends in ENOSPC, and what was there before stays",
  ignore: !await mayMount(),
  fn: async () => {
    await using temp = await TempFolder.make();
    const folder = temp.file("small");
    assert(await smallMount(folder));
    try {
      const path = `${folder}/disk`;
      await createFile(path, { size: 2 * MiB });
      await using file = await openTestFile(path);
      const block = IoVector.of(new Uint8Array(256 * KiB).fill(7));
      await file.write(0, block);
      const full = await assertRejects(() => file.write(0, IoVector.allocate(2 * MiB)), BlockError);
      assertEquals([full.errno, full.message], ["ENOSPC", "No space left on device"]);
      const small = await assertRejects(async () => {
        for (let at = 0; at < 2 * MiB; at += 4096) await file.write(at, IoVector.allocate(4096));
      }, BlockError);
      assertEquals(small.errno, "ENOSPC");
      await file.discard(0, 2 * MiB);
      await file.write(0, block);
      const zeroes = await assertRejects(() => file.writeZeroes(0, 2 * MiB), BlockError);
      assertEquals(zeroes.errno, "ENOSPC");
      for (
        const [preallocation, text] of [["falloc", "preallocate new data"], ["full", "write zeros for preallocation"]]
      ) {
        const error = await assertRejects(
          () => file.truncate(4 * MiB, { preallocation: preallocation as "falloc" | "full" }),
          BlockError,
        );
        assertEquals(error.message, `Could not ${text}: No space left on device`);
        assertEquals(file.size, 2 * MiB);
      }
    } finally {
      await must("umount", [folder]);
    }
  },
});
