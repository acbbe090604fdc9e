import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { KiB, MiB } from "../../../base/units.ts";
import { attachLoop, mayAttachLoops } from "../../../tests/support/loop_device.ts";
import { haveProgram, run } from "../../../tests/support/programs.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { BlockError } from "../../errors.ts";
import { hostCdrom } from "../host_cdrom.ts";
import { hostDevice } from "../host_device.ts";
import { openTestFile, readBytes } from "./test_context.ts";

const ignore = !await mayAttachLoops();

Deno.test({
  name: "a block device has the size that it says, and takes reads, writes, zeroes and discards",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    await using loop = await attachLoop(await temp.write("disk", new Uint8Array(MiB).fill(1)));
    const { device } = loop;
    assertEquals(hostDevice.probe?.(new Uint8Array(), device), 100);
    assertEquals(hostCdrom.probe?.(new Uint8Array(), device), 0);
    for (const cacheDirect of [false, true]) {
      await using disk = await openTestFile(device, { driver: "host_device", context: { cacheDirect } });
      assertEquals([disk.size, disk.limits.alignBytes], [MiB, cacheDirect ? 512 : 1]);
      await disk.write(64 * KiB, IoVector.of(new Uint8Array(4096).fill(2)));
      await disk.flush();
      assertEquals((await readBytes(disk, 64 * KiB, 4096))[4095], 2);
      await disk.writeZeroes(64 * KiB, 4096);
      assert((await readBytes(disk, 64 * KiB, 4096)).every((byte) => byte === 0));
      await disk.discard(128 * KiB, 64 * KiB);
      assertEquals(await disk.status(0, MiB), { lengthBytes: MiB, kind: "data", hostOffset: 0, allocated: true });
      const end = await assertRejects(() => disk.write(MiB, IoVector.allocate(512)), BlockError);
      assertEquals(end.errno, "ENOSPC");
      const wrong = await assertRejects(() => openTestFile(device), BlockError);
      assertEquals(wrong.message, `'file' driver requires '${device}' to be a regular file`);
    }
  },
});

Deno.test({
  name: "a device cannot be resized, in the words of qemu-io",
  ignore: ignore || !haveProgram("qemu-io"),
  fn: async () => {
    await using temp = await TempFolder.make();
    await using loop = await attachLoop(await temp.write("disk", new Uint8Array(MiB)));
    await using disk = await openTestFile(loop.device, { driver: "host_device" });
    await disk.truncate(MiB, { exact: true });
    await disk.truncate(MiB / 2);
    assertEquals(disk.size, MiB);
    for (const [size, preallocation] of [[2 * MiB, "off"], [2 * MiB, "full"], [MiB / 2, "falloc"]] as const) {
      const error = await assertRejects(() => disk.truncate(size, { exact: true, preallocation }), BlockError);
      const command = `truncate -m ${preallocation} ${size}`;
      const { stderr } = await run("qemu-io", ["-f", "host_device", "-c", command, loop.device]);
      assertEquals(`qemu-io: ${error.message}\n`, stderr, command);
    }
  },
});

Deno.test("a character device has no size, and a file is no device", async () => {
  assertEquals(hostDevice.probe?.(new Uint8Array(), "/dev/null"), 100);
  assertEquals(hostDevice.probe?.(new Uint8Array(), "/etc/passwd"), 0);
  assertEquals(hostDevice.probe?.(new Uint8Array(), "/nowhere"), 0);
  await using disk = await openTestFile("/dev/null", { driver: "host_device" });
  assertEquals(disk.size, 0);
  assert(disk.isInserted());
});
