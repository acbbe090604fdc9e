/**
 * Nodes handed over to another program and taken back: the other program is the real qemu-io and qemu-img, whose image
 * locks say who has the file.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../base/io_vector.ts";
import { BlockNode, inactivate } from "../../block/mod.ts";
import { testVm } from "../../monitor/testing.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ignore = !haveProgram("qemu-io") || !haveProgram("qemu-img");

/** What the real program says when it tries to open the image for writing; empty: it could. */
async function others(path: string, ...commands: string[]): Promise<string> {
  const words = commands.flatMap((command) => ["-c", command]);
  return (await run("qemu-io", ["-f", "qcow2", path, ...words])).stderr;
}

Deno.test({
  name: "an inactive image is another program's, and is read again when it is active",
  ignore,
  async fn() {
    await using temp = await TempFolder.make();
    const path = temp.file("a.q");
    await must("qemu-img", ["create", "-q", "-f", "qcow2", path, "1M"]);
    await must("qemu-img", ["bitmap", "--add", path, "b0"]);
    const blockdevs = [`file,node-name=f,filename=${path}`, "qcow2,node-name=n,file=f"];
    await using vm = await testVm({ strict: false, blockdevs, devices: ["virtio-blk-pci,drive=n,id=d"] });
    const active = async () =>
      (await vm.qmp("query-named-block-nodes", { flat: true })).map((node) => [node["node-name"], node.active]);
    const set = (active: boolean, name?: string) =>
      vm.qmp("blockdev-set-active", name === undefined ? { active } : { active, "node-name": name });
    const backend = vm.machine.backends.list().find(({ node }) => node?.name === "n")!;
    const write = (byte: number, at: number) => backend.write(at, IoVector.of(new Uint8Array(65536).fill(byte)));
    const read = async (at: number) => {
      const bytes = new Uint8Array(512);
      await backend.read(at, IoVector.of(bytes));
      return bytes[0]!;
    };
    await write(1, 0);
    assert((await others(path, "write -P 2 64k 64k")).includes("lock"), "an active image is locked");

    await assertRejects(() => set(false, "f"), Error, "Node has active parent node");
    await assertRejects(() => set(false, "zz"), Error, "Failed to find node with node-name='zz'");
    await set(false, "n");
    await set(false, "f");
    assertEquals(await active(), [["n", false], ["f", false]]);
    await assertRejects(() => write(3, 0), Error, "Operation not permitted");
    await assertRejects(() => read(0), Error, "Operation not permitted");
    await assertRejects(
      () => vm.qmp("block_resize", { "node-name": "n", size: 2097152 }),
      Error,
      "Permission 'resize' unavailable on inactive node",
    );
    await assertRejects(
      () => vm.qmp("blockdev-add", { driver: "raw", "node-name": "over", file: "n" }),
      Error,
      "Inactive 'n' can't be a file child of active 'over'",
    );
    await vm.qmp("blockdev-add", { driver: "raw", "node-name": "over", file: "n", active: false });
    await vm.qmp("blockdev-del", { "node-name": "over" });

    assertEquals(await others(path, "read -P 1 0 64k", "write -P 2 64k 64k"), "");
    await must("qemu-img", ["bitmap", "--add", path, "b1"]);
    await must("qemu-img", ["snapshot", "-c", "s0", path]);
    await set(true, "n");
    assertEquals(await active(), [["n", true], ["f", true]]);
    assertEquals([await read(0), await read(65536)], [1, 2]);
    const names = vm.machine.graph.find("n")!.bitmaps.map(({ name }) => name);
    assertEquals(names.sort(), ["b0", "b1"]);
    await write(4, 131072);
    assert((await others(path, "write -P 2 64k 64k")).includes("lock"), "taken back");

    await set(false);
    assertEquals(await others(path, "read -P 4 128k 64k"), "");
    await set(true);
    assertEquals(await read(131072), 4);

    // Somebody else has it when it is wanted back.
    await set(false);
    await using theirs = await testVm({ blockdevs, devices: ["virtio-blk-pci,drive=n"] });
    await assertRejects(() => set(true), Error, "lock");
    assertEquals(await active(), [["n", false], ["f", false]]);
    await theirs.quit();
    await vm.monitor("cont");
    assertEquals(await active(), [["n", true], ["f", true]]);
  },
});

Deno.test({
  name: "a node is opened inactive beside the program that still has it",
  ignore,
  async fn() {
    await using temp = await TempFolder.make();
    const path = temp.file("a.q");
    await must("qemu-img", ["create", "-q", "-f", "qcow2", path, "1M"]);
    const description = `qcow2,node-name=n,file.driver=file,file.filename=${path}`;
    const devices = ["virtio-blk-pci,drive=n,id=d"];
    await using from = await testVm({ blockdevs: [description], devices });
    await using to = await testVm({ strict: false, blockdevs: [`${description},active=off`], devices });
    const [source, target] = [from, to].map(({ machine }) =>
      machine.backends.list().find(({ node }) => node?.name === "n")!
    );
    await source!.write(65536, IoVector.of(new Uint8Array(65536).fill(7)));
    await assertRejects(() => to.qmp("blockdev-set-active", { active: true }), Error, "lock");
    await from.qmp("blockdev-set-active", { active: false });
    await to.qmp("blockdev-set-active", { active: true });
    const bytes = new Uint8Array(512);
    await target!.read(65536, IoVector.of(bytes));
    assertEquals(bytes, new Uint8Array(512).fill(7));
    await target!.write(0, IoVector.of(bytes));
    assertEquals((await to.qmp("query-named-block-nodes", { flat: true }))[0]!.ro, false);
  },
});

Deno.test("a job keeps its nodes active, and formats that are not read again are not handed over", async () => {
  await using vm = await testVm({ strict: false });
  for (const name of ["a", "b"]) {
    await vm.qmp("blockdev-add", { driver: "null-co", "node-name": name, size: 1048576 });
  }
  await vm.qmp("blockdev-mirror", { "job-id": "j", device: "a", target: "b", sync: "full", speed: 1 });
  const set = (data: { readonly "node-name"?: string }) => vm.qmp("blockdev-set-active", { active: false, ...data });
  await assertRejects(() => set({}), Error, "Failed to inactivate all nodes: Operation not permitted");
  await assertRejects(() => set({ "node-name": "b" }), Error, "Failed to inactivate node: Operation not permitted");
  const format = new BlockNode({ name: "v", driver: vm.machine.graph.find("a")!.driver });
  await assertRejects(() => inactivate(format), Error, "format does not read an image again");
});
