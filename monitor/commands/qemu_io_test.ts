import { assertEquals } from "@std/assert";
import { testVm } from "../testing.ts";

const DRIVE = "if=none,id=d0,driver=raw,file.driver=blkdebug,file.image.driver=memory,file.image.size=65536";

/** Without times. */
function level(text: string): string {
  return text.replaceAll(/; .* sec \([^)]*\)/g, "; TIME");
}

Deno.test("qemu-io: a request at a breakpoint does not hold up the monitor, and is heard when it ends", async () => {
  await using vm = await testVm({ drives: [DRIVE] });
  const say = async (line: string) => level(await vm.monitor(`qemu-io d0 "${line}"`));
  assertEquals(await say("break write_aio A"), "");
  assertEquals(await say("aio_write 0 4k"), "blkdebug: Suspended request 'A'\n");
  assertEquals(await say("wait_break A"), "");
  assertEquals(await say("aio_flush"), "A suspended request does not end before it is resumed\n");
  assertEquals(await say("length"), "64 KiB\n");
  assertEquals(
    await say("resume A"),
    "blkdebug: Resuming request 'A'\nwrote 4096/4096 bytes at offset 0\n4 KiB, 1 ops; TIME\n",
  );
  // What is still held when the machine ends is let go.
  assertEquals(await say("break write_aio B"), "");
  assertEquals(await say("aio_write -q 0 4k"), "blkdebug: Suspended request 'B'\n");
});
