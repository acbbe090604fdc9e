/** Images that qemu-img wrote: read, described alike, or refused by name; and what an emptied overlay looks like. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { MiB } from "../../../base/units.ts";
import { haveProgram } from "../../../tests/support/programs.ts";
import { BlockError } from "../../errors.ts";
import { createTestImage, fileNode, MemoryFile, openTestImage, runProgram } from "./testing.ts";

const ignore = !haveProgram("qemu-img");

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** 3 MiB of something that deflates in part. */
function content(): Uint8Array {
  const bytes = new Uint8Array(3 * MiB);
  let state = 1;
  for (let i = 0; i < bytes.length; i++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    const kind = Math.floor(i / 100_000) % 4;
    bytes[i] = kind === 0 ? 0 : kind === 1 ? state >> 16 : kind === 2 ? i >> 8 : (i % 7 === 0 ? state >> 20 : 65);
  }
  return bytes;
}

const ZSTD = ["compression_type=zstd", "compression_type=zstd,cluster_size=2M"];

Deno.test({
  name: "images that qemu-img converted are read, compressed ones too",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const wanted = content();
      await Deno.writeFile(`${folder}/raw`, wanted);
      for (
        const options of [
          "cluster_size=64k",
          "cluster_size=4k",
          "cluster_size=512",
          "cluster_size=2M",
          "compat=0.10",
          ...ZSTD,
        ]
      ) {
        for (const flags of [[], ["-c"]]) {
          const path = `${folder}/q`;
          const args = ["convert", ...flags, "-f", "raw", "-O", "qcow2", "-o", options, `${folder}/raw`, path];
          assertEquals((await runProgram("qemu-img", ...args)).code, 0);
          const image = await openTestImage(new MemoryFile(await Deno.readFile(path)), { readOnly: true });
          const got = await image.read(0, wanted.length);
          assertEquals(got.findIndex((byte, i) => byte !== wanted[i]), -1, `${options} ${flags}`);
          await image[Symbol.asyncDispose]();
        }
      }
    }),
});

Deno.test({
  name: "compressed clusters that are written here are read by qemu-img, and are as long as its own",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const wanted = content();
      await Deno.writeFile(`${folder}/raw`, wanted);
      for (const options of [{ compression_type: "zstd" }, { compression_type: "zstd", cluster_size: 2 * MiB }]) {
        const path = `${folder}/q`;
        const file = await createTestImage({ ...options, size: wanted.length }) as MemoryFile;
        const image = await openTestImage(file);
        await image.node.writeCompressed(0, IoVector.of(wanted));
        await image[Symbol.asyncDispose]();
        await Deno.writeFile(path, file.content());
        for (const args of [["check", path], ["compare", "-f", "raw", "-F", "qcow2", `${folder}/raw`, path]]) {
          const { code, stdout, stderr } = await runProgram("qemu-img", ...args);
          assertEquals(code, 0, stdout + stderr);
        }
        const theirs = `${folder}/t`;
        const flags = Object.entries(options).map(([name, value]) => `${name}=${value}`).join();
        await runProgram("qemu-img", "convert", "-c", "-m", "1", "-O", "qcow2", "-o", flags, `${folder}/raw`, theirs);
        const sizes = [await Deno.readFile(theirs), file.content()].map(({ length }) => Math.ceil(length / 512));
        assert(Math.abs(sizes[0]! - sizes[1]!) <= 2, `sectors: ${sizes}`);
      }
    }),
});

Deno.test({
  name: "what info tells is what qemu-img info tells",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const path = `${folder}/q`;
      for (
        const options of [
          "compat=0.10",
          "refcount_bits=1",
          "lazy_refcounts=on,cluster_size=4k",
          "cluster_size=2M",
          ...ZSTD,
        ]
      ) {
        await runProgram("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, "5M");
        const theirs = JSON.parse((await runProgram("qemu-img", "info", "--output=json", path)).stdout);
        const image = await openTestImage(new MemoryFile(await Deno.readFile(path)), { readOnly: true });
        const info = await image.driver.info();
        assertEquals(info.specific, theirs["format-specific"].data);
        assertEquals(info.clusterSizeBytes, theirs["cluster-size"]);
        assertEquals(info.dirty, theirs["dirty-flag"]);
        await image[Symbol.asyncDispose]();
      }
    }),
});

Deno.test({
  name: "persistent bitmaps are no leaks, and outlive an opening for writing",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const path = `${folder}/q`;
      await runProgram("qemu-img", "create", "-q", "-f", "qcow2", path, "5M");
      await runProgram("qemu-img", "bitmap", "--add", path, "b0");
      await runProgram("qemu-io", "-c", "write 0 1M", path);
      const file = new MemoryFile(await Deno.readFile(path));
      const before = await openTestImage(file, { readOnly: true });
      assertEquals((await before.driver.check({ fix: "none" })).messages, []);
      await before[Symbol.asyncDispose]();
      const image = await openTestImage(file);
      assertEquals(image.warnings, []);
      await image[Symbol.asyncDispose]();
      await Deno.writeFile(path, file.content());
      const checked = await runProgram("qemu-img", "check", path);
      assertEquals([checked.code, checked.stderr], [0, ""], checked.stdout);
      assert((await runProgram("qemu-img", "info", path)).stdout.includes("[0]: auto\n            name: b0\n"));
    }),
});

Deno.test({
  name: "an overlay that was emptied is what qemu-img commit leaves",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      for (const options of ["cluster_size=64k", "cluster_size=512"]) {
        const base = `${folder}/base`;
        const path = `${folder}/q`;
        await runProgram("qemu-img", "create", "-q", "-f", "raw", base, "2M");
        await runProgram("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "-F", "raw", "-b", base, path);
        await runProgram("qemu-io", "-c", "write -P 3 0 1M", path);
        const backingNode = fileNode(new MemoryFile(await Deno.readFile(base)), "base");
        const image = await openTestImage(new MemoryFile(await Deno.readFile(path)), { backingNode });
        assertEquals((await runProgram("qemu-img", "commit", path)).code, 0);
        await image.driver.makeEmpty();
        assertEquals(await image.read(0, 1024), new Uint8Array(1024));
        await image.write(MiB, new Uint8Array(512).fill(1));
        await image.driver.makeEmpty();
        await image[Symbol.asyncDispose]();
        assertEquals((image.file as MemoryFile).content(), new Uint8Array(await Deno.readFile(path)));
      }
    }),
});

Deno.test("the backing file's name and format are changed in the header, and refused where they do not fit", async () => {
  const file = await createTestImage({ size: MiB, cluster_size: 512 }) as MemoryFile;
  const image = await openTestImage(file);
  await image.driver.changeBacking("other.img", "raw");
  await assertRejects(() => image.driver.changeBacking("x".repeat(600), "raw"), BlockError);
  await image[Symbol.asyncDispose]();
  const again = await openTestImage(new MemoryFile(file.content()), { readOnly: true });
  const info = await again.driver.info();
  assertEquals([info.backingFile, info.backingFormat], ["other.img", "raw"]);
  await again[Symbol.asyncDispose]();
});
