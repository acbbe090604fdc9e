import { assertEquals } from "@std/assert";
import { IoVector } from "../base/io_vector.ts";
import { KiB, MiB } from "../base/units.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { copyInKernel } from "./copy_in_kernel.ts";
import { createImage } from "./create.ts";
import { pattern, testGraph } from "./testing.ts";

Deno.test("copy in the kernel: from qcow2 and raw into raw, as far as bytes have a place in a file", async () => {
  await using temp = await TempFolder.make();
  await using graph = testGraph();
  const [source, target, other] = [temp.file("source"), temp.file("target"), temp.file("other")];
  await createImage(graph, { filename: source, format: "qcow2", size: MiB });
  for (const filename of [target, other]) await createImage(graph, { filename, format: "raw", size: MiB });
  const from = await graph.openImage({ filename: source, options: { driver: "qcow2" } });
  const to = await graph.openImage({ filename: target, options: { driver: "raw" } });
  const again = await graph.openImage({ filename: other, options: { driver: "raw" } });
  const model = new Uint8Array(MiB);
  // Written backwards, so that the clusters do not lie in a row.
  for (const at of [384 * KiB, 320 * KiB, 256 * KiB]) {
    const bytes = pattern(64 * KiB, at);
    model.set(bytes, at);
    await from.write(at, IoVector.of(bytes));
  }
  await from.flush();
  const generation = to.writeGeneration;
  assertEquals(await copyInKernel(from, 256 * KiB, to, 256 * KiB, 192 * KiB), true);
  assertEquals(to.writeGeneration > generation, true);
  assertEquals(await copyInKernel(to, 0, again, 0, MiB), false, "a hole has no bytes to be copied");
  assertEquals(await copyInKernel(to, 256 * KiB, again, 256 * KiB, 192 * KiB), true);
  for (const node of [to, again]) {
    const found = new Uint8Array(MiB);
    await node.read(0, IoVector.of(found));
    assertEquals(found, model);
  }
  assertEquals(await copyInKernel(from, 0, to, 0, 64 * KiB), false, "nothing is stored there");
  assertEquals(await copyInKernel(to, 256 * KiB, from, 0, 64 * KiB), false, "qcow2 keeps its own books");
});
