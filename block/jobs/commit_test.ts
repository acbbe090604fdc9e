import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../base/io_vector.ts";
import { haveProgram, must, run } from "../../tests/support/programs.ts";
import { TempFolder } from "../../tests/support/temp.ts";
import { BlockBackend } from "../backend.ts";
import { createImage } from "../create.ts";
import { BlockError } from "../errors.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { DEVICE_SHARED } from "../permissions.ts";
import { pattern, testGraph } from "../testing.ts";
import { commit, commitAll } from "./commit.ts";

const MiB = 1024 * 1024;

async function makeChain(
  graph: BlockGraph,
  temp: TempFolder,
  baseFormat: string,
  topBytes: number,
): Promise<BlockNode> {
  const [base, top] = [temp.file("base"), temp.file("top")];
  await createImage(graph, { filename: base, format: baseFormat, size: 4 * MiB });
  const backing = { backingFile: "base", backingFormat: baseFormat };
  await createImage(graph, { filename: top, format: "qcow2", size: topBytes, ...backing });
  return await graph.openImage({ filename: top, options: { driver: "qcow2" } });
}

for (const baseFormat of ["raw", "qcow2"]) {
  Deno.test(`commit: a ${baseFormat} base gets what the overlay holds, grows, and the overlay is empty`, async () => {
    await using temp = await TempFolder.make();
    await using graph = testGraph();
    const top = await makeChain(graph, temp, baseFormat, 6 * MiB);
    await using drive = new BlockBackend({ graph, name: "ide0-hd0" });
    await drive.insertMedium(top);
    await drive.setPermissions(3, DEVICE_SHARED);
    await graph.release(top);
    const model = new Uint8Array(6 * MiB);
    const put = async (at: number, length: number, seed: number) => {
      const bytes = pattern(length, seed);
      model.set(bytes, at);
      await drive.write(at, IoVector.of(bytes));
    };
    await put(70_000 - 70_000 % 512, 200_704, 1);
    await put(5 * MiB, 512, 2);
    await drive.writeZeroes(65_536, 65_536);
    model.fill(0, 65_536, 131_072);
    const progress = [];
    for await (const { done, total } of commit(graph, top)) progress.push([done, total]);
    assertEquals(progress.at(-1), [6 * MiB, 6 * MiB]);
    assertEquals([top.readOnly, top.backing!.readOnly, top.backing!.size], [false, true, 6 * MiB]);
    assertEquals((await top.status(0, 6 * MiB)).kind, "unallocated");
    const all = IoVector.allocate(6 * MiB);
    await drive.read(0, all);
    assert(all.toBytes().every((byte, at) => byte === model[at]));
    await put(0, 512, 3);
    await drive[Symbol.asyncDispose]();
    if (!haveProgram("qemu-img")) return;
    for (const name of baseFormat === "raw" ? ["top"] : ["base", "top"]) {
      assertEquals((await run("qemu-img", ["check", "-f", "qcow2", temp.file(name)])).code, 0);
    }
    await temp.write("model", model);
    await must("qemu-img", ["compare", "-F", "raw", "-f", "qcow2", temp.file("top"), temp.file("model")]);
  });
}

Deno.test("commit: without a base, and with one that others keep to themselves, nothing happens", async () => {
  await using temp = await TempFolder.make();
  await using graph = testGraph();
  const top = await makeChain(graph, temp, "raw", 4 * MiB);
  await top.write(0, IoVector.of(pattern(512, 1)));
  await using other = new BlockBackend({ graph, used: 1, shared: DEVICE_SHARED });
  await other.insertMedium(top.backing!);
  const error = await assertRejects(() => commitAll(graph, top), BlockError);
  assertEquals([error.failure.kind, error.errno], ["permission", "EPERM"]);
  assertEquals([top.backing!.readOnly, top.quiesced], [true, false]);
  assertEquals((await top.status(0, 65536)).kind, "data");
  const alone = await assertRejects(() => commitAll(graph, top.backing!), BlockError);
  assertEquals(alone.message, "Operation not supported");
});

Deno.test("commit: a signal ends it, and the overlay is whole", async () => {
  await using temp = await TempFolder.make();
  await using graph = testGraph();
  const top = await makeChain(graph, temp, "raw", 4 * MiB);
  await top.write(3 * MiB, IoVector.of(pattern(512, 1)));
  const controller = new AbortController();
  await assertRejects(async () => {
    for await (const _progress of commit(graph, top, { signal: controller.signal })) controller.abort();
  }, DOMException);
  assertEquals((await top.status(3 * MiB, 65536)).kind, "data");
  assertEquals([top.backing!.readOnly, top.quiesced], [true, false]);
  await commitAll(graph, top);
  assertEquals((await top.status(0, 4 * MiB)).kind, "unallocated");
});

Deno.test("commit: an error of the base leaves the overlay as it was", async () => {
  await using temp = await TempFolder.make();
  await using graph = testGraph();
  await createImage(graph, { filename: temp.file("base"), format: "raw", size: MiB });
  await createImage(graph, { filename: temp.file("top"), format: "qcow2", size: MiB });
  const image = { driver: "file", filename: temp.file("base") } as const;
  const rules = [{ event: "none", iotype: "write", errno: 28, once: true }] as const;
  const top = await graph.open({
    driver: "qcow2",
    file: { driver: "file", filename: temp.file("top") },
    backing: { driver: "raw", file: { driver: "blkdebug", image, "inject-error": rules } },
  });
  await top.write(0, IoVector.of(pattern(512, 1)));
  await assertRejects(() => commitAll(graph, top), BlockError, "No space left on device");
  assertEquals((await top.status(0, 65536)).kind, "data");
  await commitAll(graph, top);
  assertEquals((await top.status(0, 65536)).kind, "unallocated");
});
