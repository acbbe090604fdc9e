import { assertEquals } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { KiB, MiB } from "../../../base/units.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { createImage } from "../../create.ts";
import { pattern, testGraph } from "../../testing.ts";

Deno.test("a part of a cluster is written over data two layers down: the rest of the cluster keeps showing it", async () => {
  await using temp = await TempFolder.make();
  await using graph = testGraph();
  const [base, middle, top] = [temp.file("base"), temp.file("middle"), temp.file("top")];
  const model = new Uint8Array(MiB);
  await createImage(graph, { filename: base, format: "qcow2", size: MiB });
  const written = pattern(256 * KiB, 1);
  model.set(written);
  const baseNode = await graph.openImage({ filename: base, options: { driver: "qcow2" } });
  await baseNode.write(0, IoVector.of(written));
  await graph.release(baseNode);
  await createImage(graph, { filename: middle, format: "qcow2", backingFile: base, backingFormat: "qcow2" });
  await createImage(graph, { filename: top, format: "qcow2", backingFile: middle, backingFormat: "qcow2" });
  const node = await graph.openImage({ filename: top, options: { driver: "qcow2" } });
  const parts: readonly [number, number][] = [[72 * KiB, 56 * KiB], [130 * KiB, 4 * KiB], [192 * KiB, 8 * KiB]];
  for (const [at, length] of parts) {
    const bytes = pattern(length, at);
    model.set(bytes, at);
    await node.write(at, IoVector.of(bytes));
  }
  await node.writeZeroes(16 * KiB, 4 * KiB);
  model.fill(0, 16 * KiB, 20 * KiB);
  const found = new Uint8Array(MiB);
  await node.read(0, IoVector.of(found));
  assertEquals(found, model);
  await graph.release(node);
});
