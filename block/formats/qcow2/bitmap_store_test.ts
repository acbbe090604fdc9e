/** Persistent bitmaps: kept, trusted and refused as QEMU does; what they say is compared with a byte array and with QEMU. */
import { createHash } from "node:crypto";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { SeededRandom } from "../../../base/random.ts";
import { KiB, MiB, TiB } from "../../../base/units.ts";
import { haveProgram, run } from "../../../tests/support/programs.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { DirtyBitmap } from "../../bitmap.ts";
import { addBitmap, bitmapSha256, clearBitmap, disableBitmap, findBitmap, removeBitmap } from "../../bitmap_actions.ts";
import { BlockError, ioError } from "../../errors.ts";
import { createTestImage, MemoryFile, type OpenImage, openTestImage, runProgram } from "./testing.ts";

const ignore = !haveProgram("qemu-storage-daemon") || !haveProgram("qemu-io");

async function image(values: Record<string, string | number> = {}): Promise<MemoryFile> {
  return await createTestImage({ size: 4 * MiB, ...values }) as MemoryFile;
}

function flagsOf({ driver }: OpenImage): readonly (readonly [string, number])[] {
  return driver.image.storedBitmaps.map(({ name, flags }) => [name, flags]);
}

/** What QEMU says the bitmaps of the image at `path` hold. */
async function hashesByQemu(path: string, names: readonly string[]): Promise<string[]> {
  const commands = names.map((name) => ({
    execute: "x-debug-block-dirty-bitmap-sha256",
    arguments: { node: "q", name },
  }));
  const input = [{ execute: "qmp_capabilities" }, ...commands, { execute: "quit" }];
  const { stdout } = await run("qemu-storage-daemon", [
    ...["--blockdev", `driver=file,node-name=f,read-only=on,filename=${path}`],
    ...["--blockdev", "driver=qcow2,node-name=q,read-only=on,file=f"],
    ...["--chardev", "stdio,id=c", "--monitor", "chardev=c"],
  ], { stdin: input.map((one) => JSON.stringify(one)).join("\n") + "\n" });
  return [...stdout.matchAll(/"sha256": "([0-9a-f]+)"/g)].map(([, hash]) => hash!);
}

/** The hash of units, one byte each, as QEMU takes it. */
function hashOf(units: Uint8Array): string {
  const words = new Uint8Array(Math.ceil(units.length / 64) * 8);
  units.forEach((unit, index) => words[index >> 3]! |= unit << (index & 7));
  return createHash("sha256").update(words).digest("hex");
}

Deno.test({
  name: "what moa marks is what QEMU finds",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    for (const values of [{}, { "cluster_size": 512 }, { "cluster_size": 2 * MiB, "refcount_bits": 1 }]) {
      const file = await image(values);
      const units = [new Uint8Array(4 * MiB / 512), new Uint8Array(4 * MiB / (256 * KiB))];
      const random = new SeededRandom(3);
      for (let session = 0; session < 3; session++) {
        await using open = await openTestImage(file, { discard: "unmap" });
        if (session === 0) {
          await addBitmap(open.node, { name: "fine", granularityBytes: 512, persistent: true });
          await addBitmap(open.node, { name: "coarse", granularityBytes: 256 * KiB, persistent: true });
        }
        for (let i = 0; i < 12; i++) {
          const at = random.below(4 * MiB - 70_000);
          const length = 1 + random.below(70_000);
          if (i % 4 === 3) await open.node.writeZeroes(at, length);
          else await open.node.write(at, IoVector.allocate(length));
          for (const model of units) {
            const unit = 4 * MiB / model.length;
            model.fill(1, Math.floor(at / unit), Math.ceil((at + length) / unit));
          }
        }
      }
      const path = await temp.write("a", file.content());
      assertEquals(await hashesByQemu(path, ["fine", "coarse"]), units.map(hashOf));
      const check = await runProgram("qemu-img", "check", path);
      assertEquals([check.code, check.stderr], [0, ""], check.stdout);
      await using again = await openTestImage(file, { readOnly: true });
      assertEquals(await bitmapSha256(again.node, "fine"), hashOf(units[0]!));
      assertEquals(await bitmapSha256(again.node, "coarse"), hashOf(units[1]!));
    }
  },
});

Deno.test({
  name: "what QEMU marks is what moa finds",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    const path = temp.file("a");
    await runProgram("qemu-img", "create", "-q", "-f", "qcow2", path, "64M");
    await runProgram("qemu-img", "bitmap", "--add", "-g", "512", path, "x");
    await runProgram("qemu-img", "bitmap", "--add", "-g", "64k", path, "y");
    const writes = ["write 0 3k", "write 1000k 5M", "write -z 40M 1M", "write 64511k 1k"];
    await runProgram("qemu-io", ...writes.flatMap((one) => ["-c", one]), path);
    await using open = await openTestImage(new MemoryFile(await Deno.readFile(path)), { readOnly: true });
    const x = findBitmap(open.node, "x");
    assertEquals(x.nextDirty(), { at: 0, length: 3 * KiB });
    assertEquals(x.nextDirty(3 * KiB), { at: 1000 * KiB, length: 5 * MiB });
    assertEquals(x.nextDirty(6120 * KiB), { at: 40 * MiB, length: MiB });
    assertEquals(x.nextDirty(41 * MiB), { at: 64511 * KiB, length: KiB });
    assertEquals(x.nextDirty(63 * MiB), undefined);
    const ours = [await bitmapSha256(open.node, "x"), await bitmapSha256(open.node, "y")];
    assertEquals(await hashesByQemu(path, ["x", "y"]), ours);
  },
});

Deno.test("bitmaps are in use while an image is written, and not when it is closed", async () => {
  const file = await image();
  {
    await using open = await openTestImage(file);
    await addBitmap(open.node, { name: "a", persistent: true });
    await addBitmap(open.node, { name: "b", persistent: true, disabled: true });
    await addBitmap(open.node, { name: "temporary" });
  }
  const closed = file.content();
  {
    await using open = await openTestImage(file);
    assertEquals(flagsOf(open), [["b", 1], ["a", 3]]);
    assertEquals(open.node.bitmaps.map(({ name, enabled }) => [name, enabled]), [["a", true], ["b", false]]);
    await open.write(0, new Uint8Array(100));
    // What a process that is killed now leaves.
    await using other = await openTestImage(new MemoryFile(file.content()));
    assertEquals(flagsOf(other), [["b", 1], ["a", 3]]);
    assertEquals(other.node.bitmaps.map(({ info }) => [info.recording, info.inconsistent]), [[false, true], [
      false,
      true,
    ]]);
    await other.write(0, new Uint8Array(100));
    await removeBitmap(other.node, "a");
    await other[Symbol.asyncDispose]();
    assertEquals(flagsOf(other), [["b", 1]]);
  }
  await using open = await openTestImage(file, { readOnly: true });
  assertEquals(flagsOf(open), [["b", 0], ["a", 2]]);
  assertEquals(findBitmap(open.node, "a").nextDirty(), { at: 0, length: 65536 });
  assertEquals(findBitmap(open.node, "b").nextDirty(), undefined);
  await using before = await openTestImage(new MemoryFile(closed), { readOnly: true });
  assertEquals(findBitmap(before.node, "a").nextDirty(), undefined);
});

Deno.test("an image that is reopened stores its bitmaps, or takes them up", async () => {
  const file = await image();
  await using open = await openTestImage(file);
  const flags = { cacheDirect: false, cacheNoFlush: false };
  await addBitmap(open.node, { name: "a", persistent: true });
  await open.write(0, new Uint8Array(100));
  await open.driver.reopen({ ...flags, readOnly: true });
  assertEquals(flagsOf(open), [["a", 2]]);
  await assertRejects(async () => clearBitmap(open.node, "a"), BlockError, "Bitmap 'a' is readonly");
  {
    await using reader = await openTestImage(new MemoryFile(file.content()), { readOnly: true });
    assertEquals(findBitmap(reader.node, "a").dirtyBytes, 65536);
  }
  await open.driver.reopen({ ...flags, readOnly: false });
  assertEquals(flagsOf(open), [["a", 3]]);
  clearBitmap(open.node, "a");
  await open[Symbol.asyncDispose]();
  await using reader = await openTestImage(file, { readOnly: true });
  assertEquals(findBitmap(reader.node, "a").dirtyBytes, 0);
});

/** A file that does not flush when it is told so. */
class StubbornFile extends MemoryFile {
  /** Flushes that still go well. */
  flushesLeft = Infinity;

  override async flush(): Promise<void> {
    if (this.flushesLeft-- <= 0) throw ioError("flush", "EIO");
    await super.flush();
  }
}

Deno.test("where an image cannot become read-only, its bitmaps are in use again", async () => {
  const flags = { cacheDirect: false, cacheNoFlush: false };
  let refusals = 0;
  for (let flushes = 0; flushes < 12; flushes++) {
    const file = new StubbornFile((await image({ "lazy_refcounts": "on" })).content());
    await using open = await openTestImage(file);
    await addBitmap(open.node, { name: "a", persistent: true, granularityBytes: 512 });
    await open.driver.reopen({ ...flags, readOnly: true });
    await open.driver.reopen({ ...flags, readOnly: false });
    await open.write(0, new Uint8Array(512));
    file.flushesLeft = flushes;
    try {
      await open.driver.reopen({ ...flags, readOnly: true });
      continue;
    } catch (error) {
      assert(error instanceof BlockError);
      refusals++;
    }
    file.flushesLeft = Infinity;
    await open.write(4096, new Uint8Array(512));
    await using killed = await openTestImage(new MemoryFile(file.content()), { readOnly: true });
    const a = findBitmap(killed.node, "a");
    assert(a.inconsistent || a.has(4096), `after ${flushes} flushes`);
  }
  assert(refusals > 0);
});

Deno.test("sizes, snapshots and other operations with bitmaps", async () => {
  const file = await image();
  {
    await using open = await openTestImage(file);
    await addBitmap(open.node, { name: "a", persistent: true, granularityBytes: 512 });
    await open.write(4 * MiB - 512, new Uint8Array(512));
    await open.node.truncate(9 * MiB);
    await open.write(9 * MiB - 512, new Uint8Array(512));
    await open.driver.snapshots.create({
      name: "s",
      vmStateBytes: 0,
      dateSeconds: 0,
      dateNanoseconds: 0,
      vmClockNs: 0,
      icount: -1,
    });
    await assertRejects(() => open.driver.snapshots.apply("1"), BlockError, "Device has active dirty bitmaps");
    await open.driver.snapshots.delete("1");
    await open.node.truncate(5 * MiB);
  }
  await using open = await openTestImage(file);
  const a = findBitmap(open.node, "a");
  assertEquals([a.sizeBytes, a.nextDirty(), a.dirtyBytes], [5 * MiB, { at: 4 * MiB - 512, length: 512 }, 512]);
  assertEquals((await open.driver.check({ fix: "none" })).messages, []);
  await using killed = await openTestImage(new MemoryFile(file.content()));
  await assertRejects(() => killed.node.truncate(9 * MiB), BlockError, "Bitmap 'a' is inconsistent and cannot be used");
});

Deno.test("limits of persistent bitmaps", async () => {
  await using open = await openTestImage(await createTestImage({ size: 4 * TiB }) as MemoryFile);
  const { node } = open;
  const prefix = (name: string) => `Can't make bitmap '${name}' persistent in 'node0': `;
  const refused = async (name: string, text: string, granularityBytes = 65536) => {
    const error = await assertRejects(() => addBitmap(node, { name, granularityBytes, persistent: true }), BlockError);
    assertEquals(error.message, prefix(name) + text);
  };
  await refused("a", "Too much space will be occupied by the bitmap. Use larger granularity", 512);
  await refused("n".repeat(1024), "Name length exceeds maximum (1023 characters)");
  for (let i = 0; i < 65535; i++) {
    const bitmap = new DirtyBitmap({ name: `${i}`, sizeBytes: node.size, granularityBytes: 2 ** 31 });
    bitmap.persistent = true;
    node.bitmaps.push(bitmap);
  }
  await refused("one more", "Maximum number of persistent bitmaps is already reached");
  node.bitmaps.length = 0;
  await using old = await openTestImage(await image({ compat: "0.10" }));
  const error = await assertRejects(() => addBitmap(old.node, { name: "x", persistent: true }), BlockError);
  assertEquals(error.message, `${prefix("x")}Cannot store dirty bitmaps in qcow2 v2 files`);
});

/** A file that takes no more than it has when it is told so. */
class FullFile extends MemoryFile {
  full = false;

  override async write(at: number, from: IoVector): Promise<void> {
    if (this.full && at + from.length > this.size) throw ioError("write", "ENOSPC");
    await super.write(at, from);
  }
}

Deno.test("where bitmaps cannot be stored, they stay in use, the data is there, and nothing leaks", async () => {
  const file = new FullFile((await image()).content());
  {
    await using open = await openTestImage(file);
    await addBitmap(open.node, { name: "a", persistent: true });
    await open.write(0, new Uint8Array(100).fill(7));
  }
  {
    await using open = await openTestImage(file);
    await open.write(0, new Uint8Array(100).fill(8));
    file.full = true;
    await open[Symbol.asyncDispose]();
    assertEquals(open.warnings, [
      "Lost persistent bitmaps during inactivation of node 'node0': No space left on device",
    ]);
  }
  await using open = await openTestImage(file, { readOnly: true });
  assertEquals(flagsOf(open), [["a", 3]]);
  assertEquals(await open.read(0, 100), new Uint8Array(100).fill(8));
  assertEquals((await open.driver.check({ fix: "none" })).messages, []);
});

Deno.test("a bitmap made in an image that is read only is lost, and said to be", async () => {
  await using open = await openTestImage(await image(), { readOnly: true });
  await addBitmap(open.node, { name: "a", persistent: true });
  await open[Symbol.asyncDispose]();
  assertEquals(open.warnings, ["Lost persistent bitmaps during inactivation of node 'node0': No write access"]);
});

Deno.test("bitmaps that share clusters a thousand times over are refused before memory is gone", async () => {
  const file = await createTestImage({ size: 64 * MiB, "cluster_size": 512 }) as MemoryFile;
  {
    await using open = await openTestImage(file);
    for (let i = 0; i < 3; i++) await addBitmap(open.node, { name: `${i}`, granularityBytes: 512, persistent: true });
    await open.node.writeZeroes(0, 64 * MiB);
    for (let i = 0; i < 3; i++) disableBitmap(open.node, `${i}`);
  }
  const bytes = file.content();
  {
    await using open = await openTestImage(new MemoryFile(bytes), { readOnly: true });
    const [first] = open.driver.image.storedBitmaps;
    const { directoryOffset, directoryBytes } = open.driver.image.extensions.bitmaps!;
    // A directory of many records, all with the first one's table, behind the file's end.
    const record = bytes.slice(directoryOffset, directoryOffset + 32);
    const count = 20_000;
    const grown = new Uint8Array(Math.ceil(bytes.length / 512) * 512 + count * 32);
    grown.set(bytes);
    const at = grown.length - count * 32;
    for (let i = 0; i < count; i++) {
      record.set(new TextEncoder().encode(i.toString(36).padStart(5, "_")), 24);
      record[19] = 5;
      grown.set(record, at + i * 32);
    }
    assert(first !== undefined && directoryBytes > 0);
    const view = new DataView(grown.buffer);
    for (let i = 112; i < 1024; i += 8) {
      if (view.getUint32(i) !== 0x23852875) continue;
      view.setUint32(i + 8, count);
      view.setBigUint64(i + 16, BigInt(count * 32));
      view.setBigUint64(i + 24, BigInt(at));
    }
    const error = await assertRejects(() => openTestImage(new MemoryFile(grown)), BlockError);
    assertEquals(error.message.replace(/'_.*'/, "'NAME'"), "Could not read bitmap 'NAME' from image: File too large");
  }
});
