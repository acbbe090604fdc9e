/** Resizing against qemu-img resize. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiB, MiB } from "../../../base/units.ts";
import { haveProgram } from "../../../tests/support/programs.ts";
import type { PreallocationMode } from "../../driver.ts";
import { createTestImage, fileNode, MemoryFile, openTestImage, runProgram } from "./testing.ts";

const CASES: [options: string, from: number, to: number, preallocation: PreallocationMode][] = [
  ["cluster_size=65536", MiB, 3 * MiB, "off"],
  ["cluster_size=65536", MiB, MiB + 512, "off"],
  ["cluster_size=65536", 3 * MiB, MiB, "off"],
  ["cluster_size=4096", MiB, 5 * MiB, "metadata"],
  ["cluster_size=4096", MiB, 5 * MiB, "falloc"],
  ["cluster_size=4096", MiB, 5 * MiB, "full"],
  ["cluster_size=512", 300 * KiB, 9 * MiB, "off"],
  ["cluster_size=512", 300 * KiB, 900 * KiB, "full"],
  ["cluster_size=512", 900 * KiB, 100 * KiB, "off"],
  ["cluster_size=4096,compat=0.10", 900 * KiB, 100 * KiB, "off"],
];

for (const [options, from, to, preallocation] of CASES) {
  Deno.test({
    name: `resize ${options} ${from} to ${to}, ${preallocation}, as qemu-img does`,
    ignore: !haveProgram("qemu-img"),
    fn: async () => {
      const path = await Deno.makeTempFile();
      try {
        await runProgram("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, String(from));
        await runProgram("qemu-io", "-c", `write -P 9 0 ${from / 2}`, "-c", `write -P 8 ${from - 9 * 512} 4608`, path);
        const image = await openTestImage(new MemoryFile(await Deno.readFile(path)));
        const disk = await image.read(0, Math.min(from, to));
        const shrink = to < from ? ["--shrink"] : [];
        const args = ["resize", "-q", ...shrink, `--preallocation=${preallocation}`, path, String(to)];
        const { code, stderr } = await runProgram("qemu-img", ...args);
        assertEquals(code, 0, stderr);
        await image.node.truncate(to, { preallocation });
        assertEquals(await image.read(0, disk.length), disk);
        if (to > from) assertEquals(await image.read(from, to - from), new Uint8Array(to - from));
        await image[Symbol.asyncDispose]();
        const theirs = await Deno.readFile(path);
        const ours = (image.file as MemoryFile).content();
        await Deno.writeFile(path, ours);
        const checked = await runProgram("qemu-img", "check", "-f", "qcow2", path);
        assertEquals(checked.code, 0, checked.stdout + checked.stderr);
        if (to < from) return;
        const at = theirs.findIndex((byte, i) => byte !== ours[i]);
        assert(at < 0, `byte 0x${at.toString(16)}: ${ours[at]} for ${theirs[at]}`);
        assertEquals(ours.length, theirs.length, "length");
      } finally {
        await Deno.remove(path);
      }
    },
  });
}

Deno.test("a longer disk does not show the backing file's further bytes", async () => {
  const backing = new MemoryFile(new Uint8Array(MiB).fill(7));
  const file = await createTestImage({ size: 100 * KiB, cluster_size: 4096 });
  const image = await openTestImage(file, { backingNode: fileNode(backing) });
  await image.node.truncate(200 * KiB);
  assertEquals(await image.read(0, 100 * KiB), new Uint8Array(100 * KiB).fill(7));
  assertEquals(await image.read(100 * KiB, 100 * KiB), new Uint8Array(100 * KiB));
  await image[Symbol.asyncDispose]();
});

Deno.test("sizes that will not do are refused", async () => {
  const image = await openTestImage(await createTestImage({ size: MiB, compat: "0.10" }));
  await assertRejects(() => image.driver.truncate(1000), Error, "The new size must be a multiple of 512");
  const now = { name: "s", vmStateBytes: 0, dateSeconds: 0, dateNanoseconds: 0, vmClockNs: 0, icount: -1 };
  await image.driver.snapshots.create(now);
  await assertRejects(() => image.driver.truncate(2 * MiB), Error, "Can't resize a v2 image which has snapshots");
  await image[Symbol.asyncDispose]();
});
