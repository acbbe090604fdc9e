import { assertEquals } from "@std/assert";
import { concatBytes } from "./bytes.ts";

Deno.test("bytes are put together in their order, as a copy", () => {
  assertEquals([...concatBytes([])], []);
  const first = Uint8Array.of(1, 2);
  const both = concatBytes(new Set([first, new Uint8Array(0), Uint8Array.of(3)]));
  first.fill(9);
  assertEquals([...both], [1, 2, 3]);
});
