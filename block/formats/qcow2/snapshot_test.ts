/** Internal snapshots and VM state, together with qemu-img: same bytes, same lists, both directions. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { SeededRandom } from "../../../base/random.ts";
import { GiB, MiB } from "../../../base/units.ts";
import { haveProgram, run } from "../../../tests/support/programs.ts";
import type { SnapshotInfo } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import { createTestImage, MemoryFile, type OpenImage, openTestImage, runProgram } from "./testing.ts";

const PLAIN = { name: "s", vmStateBytes: 0, dateSeconds: 7, dateNanoseconds: 8, vmClockNs: 9, icount: -1 };

/** One of their images and ours, changed side by side. */
class Pair {
  constructor(readonly path: string, public ours: Uint8Array) {}

  async withOurs<T>(body: (image: OpenImage) => Promise<T>): Promise<T> {
    const image = await openTestImage(new MemoryFile(this.ours), { discard: "unmap" });
    const value = await body(image);
    await image[Symbol.asyncDispose]();
    assertEquals(image.warnings, []);
    this.ours = (image.file as MemoryFile).content();
    return value;
  }

  async write(at: number, length: number, value: number): Promise<void> {
    await runProgram("qemu-io", "-c", `write -P ${value} ${at} ${length}`, this.path);
    await this.withOurs((image) => image.write(at, new Uint8Array(length).fill(value)));
  }

  async compare(label: string): Promise<void> {
    const theirs = await Deno.readFile(this.path);
    const at = theirs.findIndex((byte, i) => byte !== this.ours[i]);
    assert(at < 0, `${label}: byte 0x${at.toString(16)}: ${this.ours[at]} for ${theirs[at]}`);
    assertEquals(this.ours.length, theirs.length, `${label}: length`);
  }
}

async function theirSnapshots(path: string): Promise<readonly SnapshotInfo[]> {
  const image = await openTestImage(new MemoryFile(await Deno.readFile(path)), { readOnly: true });
  return image.driver.snapshots.list();
}

Deno.test({
  name: "snapshots leave the bytes that qemu-img leaves",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    const path = await Deno.makeTempFile();
    try {
      for (const options of ["cluster_size=4096", "cluster_size=65536,refcount_bits=8"]) {
        await runProgram("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, "1M");
        const pair = new Pair(path, await Deno.readFile(path));
        const random = new SeededRandom(5);
        for (let i = 0; i < 24; i++) {
          const list = await theirSnapshots(path);
          const one = list[random.below(Math.max(1, list.length))];
          const choice = one === undefined ? 3 : random.below(6);
          if (choice === 0) {
            await runProgram("qemu-img", "snapshot", "-d", one!.id, path);
            await pair.withOurs((image) => image.driver.snapshots.delete(one!.id));
          } else if (choice === 1) {
            await runProgram("qemu-img", "snapshot", "-a", one!.id, path);
            await pair.withOurs((image) => image.driver.snapshots.apply(one!.id));
          } else if (choice < 4) {
            await runProgram("qemu-img", "snapshot", "-c", `n${i}`, path);
            const made = (await theirSnapshots(path)).at(-1)!;
            const { id, diskBytes: _diskBytes, ...wanted } = made;
            assertEquals((await pair.withOurs((image) => image.driver.snapshots.create(wanted))).id, id);
          } else {
            const at = random.below(1000) * 1024;
            await pair.write(at, 4096 + random.below(9) * 2048, 1 + random.below(255));
          }
          await pair.compare(`${options}, step ${i}, kind ${choice}`);
        }
      }
    } finally {
      await Deno.remove(path);
    }
  },
});

Deno.test("VM state lies beyond the disk and goes with its snapshot", async () => {
  const file = await createTestImage({ size: 3 * MiB }) as MemoryFile;
  const image = await openTestImage(file);
  const state = new Uint8Array(300_000).map((_, i) => i * 7);
  const { vmState, snapshots } = image.driver;
  await vmState.write(0, IoVector.of(state));
  await vmState.write(4.5 * GiB, IoVector.of(state.slice(0, 5000)));
  const vmStateBytes = 4.5 * GiB + 5000;
  const info = await snapshots.create({ ...PLAIN, vmStateBytes });
  assertEquals(info.vmStateBytes, vmStateBytes);
  await image.write(0, new Uint8Array(1024).fill(5));

  const gone = new Uint8Array(1000);
  await vmState.read(0, IoVector.of(gone));
  assertEquals(gone, new Uint8Array(1000), "the active state keeps none");

  await snapshots.apply(info.id);
  const back = new Uint8Array(state.length);
  await vmState.read(0, IoVector.of(back));
  assertEquals(back, state);
  const high = new Uint8Array(5000);
  await vmState.read(4.5 * GiB, IoVector.of(high));
  assertEquals(high, state.slice(0, 5000));
  await image[Symbol.asyncDispose]();

  if (!haveProgram("qemu-img")) return;
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, file.content());
    const { stdout } = await runProgram("qemu-img", "snapshot", "-l", path);
    assert(stdout.includes("4.5 GiB"), stdout);
    assertEquals((await runProgram("qemu-img", "check", path)).code, 0);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("extra data of a snapshot that nobody knows is kept", async () => {
  const file = await createTestImage({ size: MiB }) as MemoryFile;
  let image = await openTestImage(file);
  await image.driver.snapshots.create(PLAIN);
  image.driver.image.snapshots[0] = {
    ...image.driver.image.snapshots[0]!,
    unknownExtra: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]),
  };
  await image.driver.snapshots.create({ ...PLAIN, name: "other" });
  await image[Symbol.asyncDispose]();
  image = await openTestImage(new MemoryFile(file.content()));
  assertEquals(image.driver.image.snapshots[0]!.unknownExtra, new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]));
  assertEquals(image.driver.snapshots.list().map(({ name }) => name), ["s", "other"]);
  await image[Symbol.asyncDispose]();
});

Deno.test("a snapshot needs refcounts above one", async () => {
  const file = await createTestImage({ size: MiB, refcount_bits: 1, cluster_size: 4096 });
  const image = await openTestImage(file);
  await image.write(0, new Uint8Array(9000).fill(1));
  const error = await assertRejects(() => image.driver.snapshots.create(PLAIN), BlockError);
  assertEquals(error.errno, "EINVAL");
  assertEquals(image.driver.snapshots.list(), []);
  const checked = await image.driver.check({ fix: "none" });
  assertEquals([checked.corruptions, checked.leaks], [0, 0], checked.messages.join("\n"));
  await image[Symbol.asyncDispose]();
});

Deno.test("a snapshot is shown in place of the active state of a read-only image", async () => {
  const file = await createTestImage({ size: MiB }) as MemoryFile;
  const image = await openTestImage(file);
  await image.write(0, new Uint8Array(512).fill(1));
  const { id } = await image.driver.snapshots.create(PLAIN);
  await image.write(0, new Uint8Array(512).fill(2));
  await image[Symbol.asyncDispose]();
  const view = await openTestImage(new MemoryFile(file.content()), { readOnly: true });
  await view.driver.snapshots.load!(id);
  assertEquals(await view.read(0, 512), new Uint8Array(512).fill(1));
  await view[Symbol.asyncDispose]();
});

Deno.test({
  name: "a snapshot that qemu-system made is listed, applied and deleted",
  ignore: !haveProgram("qemu-system-x86_64"),
  fn: async () => {
    const path = await Deno.makeTempFile();
    try {
      await runProgram("qemu-img", "create", "-q", "-f", "qcow2", path, "2M");
      const args = ["-accel", "tcg", "-S", "-m", "16", "-display", "none", "-nodefaults", "-monitor", "stdio"];
      const result = await run("qemu-system-x86_64", [...args, "-drive", `file=${path},format=qcow2,if=ide`], {
        stdin: 'savevm first\nqemu-io ide0-hd0 "write -P 5 0 64k"\nsavevm second\nquit\n',
      });
      assertEquals(result.code, 0, result.stderr);
      const file = new MemoryFile(await Deno.readFile(path));
      const image = await openTestImage(file);
      const { snapshots, vmState } = image.driver;
      assertEquals(snapshots.list().map(({ id, name }) => `${id} ${name}`), ["1 first", "2 second"]);
      const [first, second] = snapshots.list();
      assert(first!.vmStateBytes > 10_000);
      await snapshots.apply(first!.id);
      const magic = new Uint8Array(4);
      await vmState.read(0, IoVector.of(magic));
      assertEquals(new TextDecoder().decode(magic), "QEVM");
      assertEquals(await image.read(0, 512), new Uint8Array(512));
      await snapshots.apply(second!.id);
      assertEquals(await image.read(0, 512), new Uint8Array(512).fill(5));
      await snapshots.delete(first!.id);
      await image[Symbol.asyncDispose]();
      await Deno.writeFile(path, file.content());
      const checked = await runProgram("qemu-img", "check", path);
      assertEquals(checked.code, 0, checked.stdout + checked.stderr);
    } finally {
      await Deno.remove(path);
    }
  },
});
