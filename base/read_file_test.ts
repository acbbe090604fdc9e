import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { hostReason } from "./errno.ts";
import { FileTooLargeError, readFileStart, readFileStartSync, readFileSync } from "./read_file.ts";

const KIB = 1024;

Deno.test("files are read whole, up to their limit", async () => {
  const path = await Deno.makeTempFile();
  try {
    for (const length of [0, 1, 511, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300 * KIB]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7 & 0xff);
      await Deno.writeFile(path, bytes);
      assertEquals(readFileSync(path, length), bytes);
      assertEquals(readFileSync(path, length + 1), bytes);
      assertEquals(readFileStartSync(path, length + 1), bytes);
      assertEquals(readFileStartSync(path, length >> 1), bytes.subarray(0, length >> 1));
      assertEquals(await readFileStart(path, length + 5), bytes);
      assertEquals(await readFileStart(path, length >> 1), bytes.subarray(0, length >> 1));
      if (length > 0) {
        assertThrows(() => readFileSync(path, length - 1), FileTooLargeError, "File too large (more than");
      }
    }
    await Deno.truncate(path, 2 ** 40);
    assertThrows(() => readFileSync(path, 2 ** 30), FileTooLargeError, "File too large (more than 1 GiB)");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("what has no end is read to the limit", async () => {
  assertThrows(() => readFileSync("/dev/zero", 100_000), FileTooLargeError);
  assertEquals(readFileStartSync("/dev/zero", 100_000).length, 100_000);
  assertEquals((await readFileStart("/dev/zero", 1000)).length, 1000);
});

Deno.test("why a file cannot be read is told as the system does", async () => {
  const reason = async (work: () => unknown) => hostReason(await assertRejects(async () => void await work()));
  assertEquals(await reason(() => readFileSync("/nonexistent", 1)), "No such file or directory");
  assertEquals(await reason(() => readFileStartSync("/usr", 1)), "Is a directory");
  assertEquals(await reason(() => readFileStart("/usr/bin/env/a", 1)), "Not a directory");
});
