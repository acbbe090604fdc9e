/**
 * Changes of refcount width and version where states share clusters: what the guest reads in each state stays the same,
 * and qemu-img finds nothing to complain about.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { haveProgram } from "../../../tests/support/programs.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { createTestImage, MemoryFile, type OpenImage, openTestImage, runProgram } from "./testing.ts";

const CLUSTER = 4096;
const SIZE = 64 * CLUSTER;
const SNAPSHOT = { name: "s", vmStateBytes: 0, dateSeconds: 0, dateNanoseconds: 0, vmClockNs: 0, icount: -1 };

/** An image whose snapshot has data where the active state has zeroes, and zeroes that both share. */
async function sharedImage(): Promise<{ image: OpenImage; file: MemoryFile; active: Uint8Array; kept: Uint8Array }> {
  const file = await createTestImage({ size: SIZE, cluster_size: CLUSTER }) as MemoryFile;
  const image = await openTestImage(file);
  await image.write(0, new Uint8Array(10 * CLUSTER).fill(1));
  await image.node.writeZeroes(2 * CLUSTER, 2 * CLUSTER);
  await image.node.writeZeroes(40 * CLUSTER, CLUSTER);
  await image.driver.snapshots.create(SNAPSHOT);
  const kept = await image.read(0, SIZE);
  await image.node.writeZeroes(5 * CLUSTER, CLUSTER);
  await image.write(8 * CLUSTER, new Uint8Array(CLUSTER).fill(3));
  return { image, file, active: await image.read(0, SIZE), kept };
}

/** A file that keeps each change, so that it can be stopped after any of them. */
class LoggedFile extends MemoryFile {
  readonly changes: ((file: MemoryFile) => Promise<void>)[] = [];

  override write(at: number, from: IoVector): Promise<void> {
    const bytes = new Uint8Array(from.length);
    from.copyTo(bytes, 0);
    this.changes.push((file) => file.write(at, IoVector.of(bytes)));
    return super.write(at, from);
  }

  override writeZeroes(at: number, length: number): Promise<void> {
    this.changes.push((file) => file.writeZeroes(at, length));
    return super.writeZeroes(at, length);
  }

  override discard(at: number, length: number): Promise<void> {
    this.changes.push((file) => file.discard(at, length));
    return super.discard(at, length);
  }

  override truncate(size: number): Promise<void> {
    this.changes.push((file) => file.truncate(size));
    return super.truncate(size);
  }
}

async function qemuFindsNothing(file: MemoryFile, what: string): Promise<void> {
  if (!haveProgram("qemu-img")) return;
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, file.content());
    const { code, stdout, stderr } = await runProgram("qemu-img", "check", "-f", "qcow2", path);
    assertEquals(code, 0, `${what}: ${stdout}${stderr}`);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("amend: refcounts of every width, and back", async () => {
  const { image, file, active, kept } = await sharedImage();
  for (const refcountBits of [2, 64, 4, 32, 8, 16]) {
    await image.driver.amend({ refcountBits });
    const result = await image.driver.check({ fix: "none" });
    assertEquals([result.corruptions, result.leaks], [0, 0], `${refcountBits} bits`);
    assertEquals(await image.read(0, SIZE), active);
    await qemuFindsNothing(file, `${refcountBits} bits`);
    // The new structure is the one that is used and grown from now on.
    await image.write(50 * CLUSTER, new Uint8Array(CLUSTER).fill(refcountBits));
    active.fill(refcountBits, 50 * CLUSTER, 51 * CLUSTER);
  }
  await assertRejects(
    () => image.driver.amend({ refcountBits: 1 }),
    Error,
    "Cannot decrease refcount entry width to 1 bits: Cluster at offset",
  );
  await image.driver.snapshots.apply("1");
  assertEquals(await image.read(0, SIZE), kept);
  await image[Symbol.asyncDispose]();
  await qemuFindsNothing(file, "closed");
});

for (const change of [{ refcountBits: 64 }, { refcountBits: 2 }, { version: 2 }] as const) {
  Deno.test(`amend: ${Object.entries(change).join()} stopped after any write leaves a sound image`, async () => {
    const { image, file, active } = await sharedImage();
    await image[Symbol.asyncDispose]();
    const before = file.content();
    const logged = new LoggedFile(before);
    const changing = await openTestImage(logged);
    await changing.driver.amend(change);
    await changing[Symbol.asyncDispose]();
    assertEquals(logged.changes.length > 4, true, `${logged.changes.length} changes`);
    for (let done = 0; done <= logged.changes.length; done++) {
      const stopped = new MemoryFile(before);
      for (const apply of logged.changes.slice(0, done)) await apply(stopped);
      await using look = await openTestImage(stopped, { readOnly: true });
      const result = await look.driver.check({ fix: "none" });
      assertEquals([result.corruptions, result.failure], [0, undefined], `after ${done}: ${result.messages}`);
      assertEquals(await look.read(0, SIZE), active, `after ${done}`);
    }
  });
}

Deno.test("amend: version 2 keeps what each state reads, and shares nothing wrongly", async () => {
  const { image, file, active, kept } = await sharedImage();
  await image.driver.amend({ version: 2 });
  assertEquals(await image.read(0, SIZE), active);
  const result = await image.driver.check({ fix: "none" });
  assertEquals([result.corruptions, result.leaks], [0, 0]);
  await image.driver.snapshots.apply("1");
  assertEquals(await image.read(0, SIZE), kept);
  await image[Symbol.asyncDispose]();
  await qemuFindsNothing(file, "closed");
});

Deno.test("amend: version 2 of an overlay writes the zeroes that hide the backing file", async () => {
  const base = await openTestImage(await createTestImage({ size: SIZE }) as MemoryFile);
  await base.write(0, new Uint8Array(SIZE).fill(9));
  const file = await createTestImage({ size: SIZE, cluster_size: CLUSTER }) as MemoryFile;
  const image = await openTestImage(file, { backingNode: base.node });
  await image.node.writeZeroes(CLUSTER, 3 * CLUSTER);
  await image.driver.snapshots.create(SNAPSHOT);
  await image.write(2 * CLUSTER, new Uint8Array(CLUSTER).fill(4));
  const active = await image.read(0, SIZE);
  await image.driver.amend({ version: 2 });
  assertEquals(await image.read(0, SIZE), active);
  assertEquals((await image.driver.inspection.l2(0)).slice(1, 4).map(({ kind }) => kind), ["data", "data", "data"]);
  await image.driver.snapshots.apply("1");
  assertEquals(await image.read(2 * CLUSTER, CLUSTER), new Uint8Array(CLUSTER));
  await image[Symbol.asyncDispose]();
  await base[Symbol.asyncDispose]();
  await qemuFindsNothing(file, "closed");
});
