/** Passing over zeroes. */
import { assertEquals } from "@std/assert";
import { afterZeroPages } from "./io_vector.ts";
Deno.test("pages of zeroes are passed over up to the first that is none, or the end", () => {
  const bytes = new Uint8Array(3 * 4096 + 100);
  assertEquals(afterZeroPages(bytes, 0), bytes.length);
  bytes[2 * 4096 - 1] = 1;
  assertEquals([afterZeroPages(bytes, 0), afterZeroPages(bytes, 4096), afterZeroPages(bytes, 8192)], [
    4096,
    4096,
    bytes.length,
  ]);
  bytes[bytes.length - 1] = 1;
  assertEquals(afterZeroPages(bytes, 8192), 3 * 4096);
});
