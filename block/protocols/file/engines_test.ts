import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { SeededRandom } from "../../../base/random.ts";
import { KiB, MiB } from "../../../base/units.ts";
import { withoutLeaks } from "../../../tests/support/fds.ts";
import { ModelDisk } from "../../../tests/support/model.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { BlockError } from "../../errors.ts";
import type { FileDriver } from "./driver.ts";
import type { FileEngine } from "./engine.ts";
import { openTestFile, readBytes, WAYS } from "./test_context.ts";

const SIZE = 2 * MiB;

/** `length` bytes cut into up to five slices of whole units. */
function cut(random: SeededRandom, bytes: Uint8Array, unit: number): IoVector {
  const slices: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length && slices.length < 4) {
    const length = Math.min((1 + random.below(8)) * unit, bytes.length - at);
    slices.push(bytes.subarray(at, at + length));
    at += length;
  }
  slices.push(bytes.subarray(at));
  return IoVector.from(slices);
}

/** One random operation, on the driver and on the model. */
async function step(random: SeededRandom, driver: FileDriver, model: ModelDisk): Promise<void> {
  const unit = driver.limits.alignBytes;
  const at = random.below(SIZE / unit) * unit;
  const largest = random.below(8) === 0 ? 512 * KiB : 32 * KiB;
  const length = Math.min((1 + random.below(largest / unit)) * unit, SIZE - at);
  switch (random.below(5)) {
    case 0:
    case 1: {
      const bytes = new Uint8Array(length);
      random.fill(bytes.subarray(0, 64));
      bytes.fill(random.below(256), 64);
      await driver.write(at, cut(random, bytes, unit), { fua: random.below(20) === 0 });
      model.write(at, bytes);
      return;
    }
    case 2: {
      const bytes = new Uint8Array(length);
      await driver.read(at, cut(random, bytes, unit));
      return model.assertSame(bytes, at);
    }
    case 3:
      await driver.writeZeroes(at, length, { unmap: random.below(2) === 0 });
      return model.fill(at, length, 0);
    default:
      await driver.discard(at, length);
      // a punched hole reads as zeroes
      return model.fill(at, length, 0);
  }
}

for (const [index, [name, way]] of Object.entries(WAYS).entries()) {
  Deno.test(`random operations equal a byte array: ${name}`, async () => {
    await withoutLeaks(async () => {
      await using temp = await TempFolder.make();
      const path = await temp.write("disk", new Uint8Array(SIZE));
      const model = new ModelDisk(SIZE);
      const random = new SeededRandom(100 + index);
      {
        await using driver = await openTestFile(path, way);
        for (let i = 0; i < 150; i++) await step(random, driver, model);
        await driver.flush();
      }
      model.assertSame(await Deno.readFile(path));
    });
  });

  Deno.test(`many requests at once: ${name}`, async () => {
    await using temp = await TempFolder.make();
    const path = await temp.write("disk", new Uint8Array(SIZE));
    await using driver = await openTestFile(path, way);
    const blocks = Array.from({ length: 256 }, (_, i) => new Uint8Array(4 * KiB).fill(i));
    await Promise.all(blocks.map((block, i) => driver.write(i * 4 * KiB, IoVector.of(block))));
    const back = await Promise.all(blocks.map((_, i) => readBytes(driver, i * 4 * KiB, 4 * KiB)));
    for (const [i, bytes] of back.entries()) assert(bytes.every((byte) => byte === i), `block ${i}`);
  });
}

Deno.test("what lies beyond the end of the file reads as zeroes", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(700).fill(7));
  for (const way of Object.values(WAYS)) {
    await using driver = await openTestFile(path, { ...way, context: { ...way.context, readOnly: true } });
    assertEquals(driver.size, 700);
    const bytes = new Uint8Array(1024).fill(1);
    await driver.read(0, IoVector.of(bytes));
    assertEquals([bytes[699], bytes[700], bytes[1023]], [7, 0, 0]);
  }
});

Deno.test("what the page cache has dropped is read all the same", async () => {
  await using temp = await TempFolder.make();
  const bytes = new Uint8Array(SIZE);
  new SeededRandom(7).fill(bytes);
  const path = await temp.write("disk", bytes);
  const model = new ModelDisk(SIZE);
  model.write(0, bytes);
  await using driver = await openTestFile(path);
  for (let round = 0; round < 3; round++) {
    await driver.flush();
    await driver.invalidate();
    const order = Array.from({ length: SIZE / 4096 }, (_, i) => (i * 37 % (SIZE / 4096)) * 4096);
    await Promise.all(order.map(async (at) => model.assertSame(await readBytes(driver, at, 4096), at)));
  }
});

Deno.test("a request of no bytes does nothing", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(512));
  for (const way of Object.values(WAYS)) {
    await using driver = await openTestFile(path, way);
    await driver.read(0, IoVector.allocate(0));
    await driver.read(0, IoVector.from([]));
    await driver.write(0, IoVector.allocate(0));
    await driver.write(1024, IoVector.from([]));
    assertEquals(driver.size, 512);
  }
});

Deno.test("a write beyond the end makes the file longer", async () => {
  await using temp = await TempFolder.make();
  for (const way of Object.values(WAYS)) {
    const path = await temp.write("disk", new Uint8Array(512));
    await using driver = await openTestFile(path, way);
    await driver.write(8192, IoVector.of(new Uint8Array(512).fill(3)));
    assertEquals(driver.size, 8704);
    assertEquals((await Deno.stat(path)).size, 8704);
    await driver.writeZeroes(16384, 4096);
    assertEquals(driver.size, 20480);
  }
});

/** An engine whose flush fails as often as told. */
function failingFlush(times: number): { engine: FileEngine; flushes: number } {
  const state = {
    flushes: 0,
    engine: {
      name: "failing",
      read: () => Promise.resolve(0),
      write: () => Promise.resolve(-5),
      flush: () => Promise.resolve(++state.flushes <= times ? -5 : 0),
      allocate: () => Promise.resolve(-95),
      close: () => {},
    },
  };
  return state;
}

Deno.test("after a failed flush every later one fails, unless the page cache is bypassed", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096));
  const cached = failingFlush(1);
  {
    await using driver = await openTestFile(path, { overrides: { engine: () => cached.engine } });
    await assertRejects(() => driver.flush(), BlockError, "Input/output error");
    await assertRejects(() => driver.flush(), BlockError, "Input/output error");
    assertEquals(cached.flushes, 1);
  }
  const direct = failingFlush(1);
  await using driver = await openTestFile(path, {
    context: { cacheDirect: true },
    overrides: { engine: () => direct.engine },
  });
  await assertRejects(() => driver.flush(), BlockError, "Input/output error");
  await driver.flush();
  assertEquals(direct.flushes, 2);
});

Deno.test("a failed request says what, where and why", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096));
  await using driver = await openTestFile(path, { overrides: { engine: () => failingFlush(0).engine, quick: false } });
  const error = await assertRejects(() => driver.write(512, IoVector.allocate(512)), BlockError);
  assertEquals(error.failure, {
    kind: "io",
    operation: "write",
    errno: "EIO",
    path,
    offsetBytes: 512,
    lengthBytes: 512,
  });
  const refused = await assertRejects(() => driver.writeZeroes(0, 512), BlockError);
  assertEquals(refused.errno, "ENOTSUP");
});

Deno.test("timers get their turn between reads that the page cache answers", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(64 * KiB));
  await using driver = await openTestFile(path);
  let fired = false;
  const timer = setTimeout(() => fired = true, 0);
  const into = IoVector.allocate(4096);
  // without turns the timer could not fire while this loop runs
  for (let i = 0; i < 200_000 && !fired; i++) await driver.read(0, into);
  clearTimeout(timer);
  assert(fired);
});
