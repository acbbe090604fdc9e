import { assert, assertEquals } from "@std/assert";
import { EXT4_SUPER_MAGIC } from "../../../base/host/constants.ts";
import { closeDescriptor, fileSystemType, openPath } from "../../../base/host/files.ts";
import { hostLibrary } from "../../../base/host/libc.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { MiB } from "../../../base/units.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { openTestFile, readBytes } from "./test_context.ts";

const host = hostLibrary();

/** Room is taken on ext4 alone. */
function onExt4(path: string): boolean {
  if (host === undefined) return false;
  const descriptor = openPath(host, path, 0);
  const type = fileSystemType(host, descriptor);
  closeDescriptor(host, descriptor);
  return type === EXT4_SUPER_MAGIC;
}

Deno.test("a file that grows has room ahead of it, which is given back when it is closed", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", "");
  const size = 40 * MiB;
  {
    await using file = await openTestFile(path);
    file.advise("grows");
    const data = new Uint8Array(MiB);
    for (let at = 0; at < size; at += MiB) {
      data.fill(at / MiB + 1);
      await file.write(at, IoVector.of(data));
    }
    assertEquals(file.size, size);
    // Other file systems do without.
    if (onExt4(path)) assert(await file.allocatedBytes() > size + 16 * MiB);
    for (const at of [0, 17 * MiB, size - MiB]) assertEquals((await readBytes(file, at, 1))[0], at / MiB + 1);
  }
  const { size: length, blocks } = await Deno.stat(path);
  assertEquals(length, size);
  assert(blocks! * 512 < size + MiB, `${blocks} blocks`);
});

Deno.test("large reads are made by another thread when that is advised, and give the same", async () => {
  await using temp = await TempFolder.make();
  const content = crypto.getRandomValues(new Uint8Array(65_536));
  const path = await temp.write("disk", new Uint8Array(MiB).map((_, i) => content[i % 65_000]!));
  await using file = await openTestFile(path);
  file.advise("large-reads-aside");
  const before = file.quickCounts.hits;
  const bytes = await readBytes(file, 4096, MiB);
  assertEquals(bytes.subarray(0, MiB - 4096), (await Deno.readFile(path)).subarray(4096));
  assert(bytes.subarray(MiB - 4096).every((byte) => byte === 0));
  assertEquals(file.quickCounts.hits, before);
});
