import { assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { BlockError } from "../../errors.ts";
import { pattern, testGraph } from "../../testing.ts";

const MEMORY = { driver: "memory", size: 65536, "node-name": "m" } as const;

Deno.test("raw: a window is read and written where it lies, and not beyond", async () => {
  await using graph = testGraph();
  const file = await graph.open(MEMORY);
  const node = await graph.open({ driver: "raw", file: "m", offset: 1000, size: 4096 });
  assertEquals(node.size, 4096);
  const bytes = pattern(512, 1);
  await node.write(512, IoVector.of(bytes));
  const read = IoVector.allocate(512);
  await file.read(1512, read);
  assertEquals(read.toBytes(), bytes);
  const error = await assertRejects(() => node.write(4000, IoVector.allocate(512)), BlockError);
  assertEquals(error.errno, "ENOSPC");
  await assertRejects(() => node.truncate(512), BlockError, "Cannot resize fixed-size raw disks");
  const { hostOffset, node: below, kind } = await node.status(512, 512);
  assertEquals([hostOffset, below === file, kind], [1512, true, "data"]);
});

Deno.test("raw: without a window the image is the file, and grows with it", async () => {
  await using graph = testGraph();
  const file = await graph.open(MEMORY);
  const node = await graph.open({ driver: "raw", file: "m" });
  await node.truncate(131072);
  assertEquals([file.size, node.size], [131072, 131072]);
});

Deno.test("raw: windows that cannot be are refused in QEMU's words", async () => {
  await using graph = testGraph();
  await graph.open(MEMORY);
  const table = [
    [{ offset: 70000 }, "Offset (70000) cannot be greater than size of the containing file (65536)"],
    [
      { offset: 512, size: 65536 },
      "The sum of offset (512) and size (65536) has to be smaller or equal to the actual size of the containing file " +
      "(65536)",
    ],
    [{ size: 7 }, "Specified size is not multiple of 512"],
  ] as const;
  for (const [window, text] of table) {
    const opening = () => graph.open({ driver: "raw", file: "m", ...window });
    assertEquals((await assertRejects(opening, BlockError)).message, text);
  }
});
