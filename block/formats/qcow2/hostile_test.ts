/** Headers that lie: refused with QEMU's words, and nothing is written. */
import { assertEquals, assertRejects } from "@std/assert";
import { haveProgram } from "../../../tests/support/programs.ts";
import { BlockError } from "../../errors.ts";
import { createTestImage, MemoryFile, openTestImage, runProgram } from "./testing.ts";

interface Lie {
  readonly name: string;
  readonly at?: number;
  readonly value?: number[];
  readonly more?: [at: number, value: number[]];
  readonly length?: number;
}

function be32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function be64(value: bigint): number[] {
  return [...be32(Number(value >> 32n)), ...be32(Number(value & 0xffffffffn))];
}

const LIES: Lie[] = [
  { name: "50 bytes", length: 50 },
  { name: "100 bytes", length: 100 },
  { name: "empty", length: 0 },
  { name: "magic", at: 0, value: [1, 2, 3, 4] },
  { name: "version 4", at: 4, value: be32(4) },
  { name: "version 1", at: 4, value: be32(1) },
  { name: "clusters of 256 bytes", at: 20, value: be32(8) },
  { name: "clusters of 4 MiB", at: 20, value: be32(22) },
  { name: "cluster bits 2^32-1", at: 20, value: be32(0xffffffff) },
  { name: "short header", at: 100, value: be32(96) },
  { name: "long header", at: 100, value: be32(0x10008) },
  { name: "backing name beyond the header", at: 8, value: be64(0x10001n) },
  { name: "backing name of 1024 bytes", at: 8, value: [...be64(0x210n), ...be32(1024)] },
  { name: "backing name over the cluster's end", at: 8, value: [...be64(0xfff0n), ...be32(100)] },
  { name: "unknown features", at: 72, value: be64((1n << 40n) | (1n << 20n)) },
  { name: "compression without its bit", at: 104, value: [1] },
  { name: "compression bit without type", at: 72, value: be64(8n) },
  { name: "compression type 2", at: 72, value: be64(8n), more: [104, [2]] },
  { name: "refcount order 7", at: 96, value: be32(7) },
  { name: "encryption method 3", at: 32, value: be32(3) },
  { name: "no refcount table", at: 56, value: be32(0) },
  { name: "refcount table of 129 clusters", at: 56, value: be32(129) },
  { name: "refcount table of 2^32-1 clusters", at: 56, value: be32(0xffffffff) },
  { name: "refcount table unaligned", at: 48, value: be64(0x10200n) },
  { name: "refcount table near 2^63", at: 48, value: be64(0x7fffffffffff0000n) },
  { name: "L1 table too large", at: 36, value: be32(0x400001) },
  { name: "L1 table unaligned", at: 40, value: be64(0x30200n) },
  { name: "L1 table too small", at: 24, value: be64(1n << 40n) },
  { name: "no L1 table", at: 36, value: be32(0) },
  { name: "disk of 2^62 bytes", at: 24, value: be64(1n << 62n) },
  { name: "too many snapshots", at: 60, value: [...be32(65537), ...be64(0x30000n)] },
  { name: "snapshot table unaligned", at: 60, value: [...be32(1), ...be64(0x30010n)] },
  { name: "extension longer than the header", at: 0x74, value: be32(0xfffffff) },
  { name: "extension over the cluster's end", at: 0x74, value: be32(0xff90) },
  { name: "backing format of 16 bytes", at: 0x70, value: [...be32(0xe2792aca), ...be32(16)] },
  {
    name: "snapshot with a megabyte of extra data",
    at: 60,
    value: [...be32(1), ...be64(0x50000n)],
    more: [0x50024, be32(1 << 20)],
  },
];

async function ourMessage(content: Uint8Array): Promise<string> {
  const file = new MemoryFile(content);
  try {
    await using _image = await openTestImage(file);
    return "opened";
  } catch (error) {
    assertEquals(file.writes, 0);
    return (error as Error).message;
  }
}

Deno.test({
  name: "headers that lie are refused with qemu-img's words",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    const path = await Deno.makeTempFile();
    const image = (await createTestImage({ size: 10 << 20 }) as MemoryFile).content();
    const sound = new Uint8Array(0x60000);
    sound.set(image);
    try {
      for (const { name, at, value, more, length } of LIES) {
        const bytes = sound.slice(0, length ?? sound.length);
        if (at !== undefined) bytes.set(value!, at);
        if (more !== undefined) bytes.set(more[1], more[0]);
        await Deno.writeFile(path, bytes);
        const theirs = await runProgram("qemu-img", "info", "-f", "qcow2", path);
        const wanted = theirs.stderr.replace(/^qemu-img: Could not open '[^']*': /, "").trimEnd();
        assertEquals(await ourMessage(bytes), wanted === "" ? "opened" : wanted, name);
      }
    } finally {
      await Deno.remove(path);
    }
  },
});

Deno.test("a snapshot with absurd sizes is kept as it is, and not applied", async () => {
  const file = await createTestImage({ size: 1 << 20 }) as MemoryFile;
  const now = { name: "s", vmStateBytes: 0, dateSeconds: 0, dateNanoseconds: 0, vmClockNs: 0, icount: -1 };
  const image = await openTestImage(file);
  await image.driver.snapshots.create(now);
  const { snapshotsOffset } = image.driver.image.header;
  await image[Symbol.asyncDispose]();
  const content = file.content();
  content.fill(0xff, snapshotsOffset + 40, snapshotsOffset + 64);
  const odd = await openTestImage(new MemoryFile(content));
  await odd.driver.snapshots.create({ ...now, name: "t" });
  await assertRejects(() => odd.driver.snapshots.apply("1"), BlockError, "too large");
  await odd[Symbol.asyncDispose]();
  const after = (odd.file as MemoryFile).content();
  const table = odd.driver.image.header.snapshotsOffset;
  assertEquals(after.slice(table + 8, table + 64), content.slice(snapshotsOffset + 8, snapshotsOffset + 64));
});

Deno.test("a snapshot of a larger disk than its L1 table reaches is applied with a longer one, or not at all", async () => {
  const file = await createTestImage({ size: 1 << 20, cluster_size: 4096 }) as MemoryFile;
  const now = { name: "s", vmStateBytes: 0, dateSeconds: 0, dateNanoseconds: 0, vmClockNs: 0, icount: -1 };
  {
    await using image = await openTestImage(file);
    await image.driver.snapshots.create(now);
  }
  const content = file.content();
  const view = new DataView(content.buffer);
  const diskSizeAt = Number(view.getBigUint64(64)) + 48;
  for (const [size, applied] of [[1n << 30n, true], [1n << 50n, false]] as const) {
    view.setBigUint64(diskSizeAt, size);
    const changed = new MemoryFile(content);
    {
      await using image = await openTestImage(changed);
      const applying = image.driver.snapshots.apply("1");
      if (applied) await applying;
      else await assertRejects(() => applying, BlockError, "File too large");
    }
    await using image = await openTestImage(new MemoryFile(changed.content()), { readOnly: true });
    assertEquals(image.driver.size, applied ? Number(size) : 1 << 20);
    assertEquals((await image.driver.check({ fix: "none" })).messages, []);
  }
});

const COPIED = 1n << 63n;

/** Tables of a version 2 image that lie. */
const EARLY_TABLES: typeof TABLES = [
  ["zeroes in version 2", 0x40000, 1n, ["read 0 512", "read 64k 512"]],
  ["kept zeroes in version 2", 0x40000, COPIED | 0x50001n, ["read 0 512", "read 64k 512"]],
];

/** Tables that lie: what the first access says, and the warning that it leaves. */
const TABLES: [name: string, at: number, value: bigint, commands: string[]][] = [
  ["data unaligned, read", 0x40000, COPIED | 0x50200n, ["read 0 512", "read 64k 512"]],
  ["data unaligned, write", 0x40000, COPIED | 0x50200n, ["write 0 512", "read 64k 512"]],
  ["data beyond the file", 0x40000, COPIED | 0x5000000n, ["read 0 512", "write 128k 512"]],
  ["L2 table unaligned", 0x30000, COPIED | 0x40200n, ["read 0 512", "read 64k 512"]],
  ["L2 table beyond the file", 0x30000, COPIED | 0x4000000n, ["read 0 512", "read 64k 512"]],
  ["data is the L1 table", 0x40000, COPIED | 0x30000n, ["write 0 512", "read 64k 512"]],
  ["data is the refcount table", 0x40000, COPIED | 0x10000n, ["write 0 512", "read 64k 512"]],
  ["data is a refcount block", 0x40000, COPIED | 0x20000n, ["write 0 512", "read 64k 512"]],
  ["data is an L2 table", 0x40000, COPIED | 0x40000n, ["write 0 512", "read 64k 512"]],
  ["zeroes unaligned", 0x40000, COPIED | 0x50201n, ["write 0 512", "read 64k 512"]],
  ["compressed nonsense", 0x40000, 0x4000000000050000n, ["read 0 512", "read 64k 512"]],
  ["compressed beyond the file", 0x40000, 0x4000000005050000n, ["write 0 512", "read 64k 512"]],
  ["refcount block unaligned", 0x10000, 0x20200n, ["write 1M 512", "write 2M 512", "read 0 512"]],
  ["refcount block beyond the file", 0x10000, 0x2000000n, ["write 1M 512", "write 2M 512", "read 0 512"]],
  ["no refcount block", 0x10000, 0n, ["write 1M 512", "write 2M 512", "read 0 512"]],
  ["L1 entry with reserved bits", 0x30000, COPIED | 0x40001n, ["write 0 512", "read 64k 512"]],
];

async function ourAnswers(content: Uint8Array, commands: readonly string[]): Promise<string[]> {
  const answers: string[] = [];
  const image = await openTestImage(new MemoryFile(content));
  for (const command of commands) {
    const [verb, where, length] = command.split(" ");
    const at = Number.parseInt(where!) * (where!.endsWith("k") ? 1024 : where!.endsWith("M") ? 1 << 20 : 1);
    try {
      if (verb === "read") await image.read(at, Number(length));
      else await image.write(at, new Uint8Array(Number(length)).fill(0xcd));
    } catch (error) {
      const errno = (error as { errno?: string }).errno;
      const text = errno === "EIO" ? "Input/output error" : errno === "ENOMEDIUM" ? "No medium found" : String(errno);
      answers.push(`${verb} failed: ${text}`);
    }
  }
  await image[Symbol.asyncDispose]();
  return [...answers, ...image.warnings];
}

/** What our answers to a table that lies are, beside qemu-io's. */
async function compareTables(path: string, tables: typeof TABLES): Promise<void> {
  const sound = await Deno.readFile(path);
  for (const [name, at, value, commands] of tables) {
    const bytes = sound.slice();
    new DataView(bytes.buffer).setBigUint64(at, value);
    await Deno.writeFile(path, bytes);
    const theirs = await runProgram("qemu-io", ...commands.flatMap((each) => ["-c", each]), path);
    const wanted = (theirs.stdout + theirs.stderr).split("\n")
      .filter((line) => line.includes("failed") || line.startsWith("qcow2:"));
    assertEquals(await ourAnswers(bytes, commands), wanted, name);
  }
}

Deno.test({
  name: "tables that lie end in the errors that qemu-io shows",
  ignore: !haveProgram("qemu-io"),
  fn: async () => {
    const path = await Deno.makeTempFile();
    try {
      for (const [compat, tables] of [["1.1", TABLES], ["0.10", EARLY_TABLES]] as const) {
        await runProgram("qemu-img", "create", "-q", "-f", "qcow2", "-o", `compat=${compat}`, path, "10M");
        await runProgram("qemu-io", "-c", "write -P 1 0 64k", "-c", "write -P 2 64k 64k", path);
        await compareTables(path, tables);
      }
    } finally {
      await Deno.remove(path);
    }
  },
});

Deno.test("an L2 entry that frees the header's cluster does not make the file lose its header", async () => {
  const file = await createTestImage({ size: 1 << 20, cluster_size: 4096 }) as MemoryFile;
  {
    await using image = await openTestImage(file);
    await image.write(0, new Uint8Array(8192).fill(1));
  }
  const bytes = file.content();
  const view = new DataView(bytes.buffer);
  const l2 = Number(view.getBigUint64(Number(view.getBigUint64(40))) & 0x00ff_ffff_ffff_fe00n);
  // A compressed cluster at offset 1, which is the header's.
  view.setBigUint64(l2 + 8, (1n << 62n) | 1n);
  const damaged = new MemoryFile(bytes);
  {
    await using image = await openTestImage(damaged, { discard: "unmap" });
    await image.node.discard(4096, 4096);
    await image.driver.flush();
  }
  assertEquals(damaged.content().slice(0, 4), new Uint8Array([0x51, 0x46, 0x49, 0xfb]));
});

Deno.test("a name in the snapshot table ends at its first zero, and is found by what is left", async () => {
  const file = await createTestImage({ size: 1 << 20 }) as MemoryFile;
  const now = { name: "name", vmStateBytes: 0, dateSeconds: 0, dateNanoseconds: 0, vmClockNs: 0, icount: -1 };
  {
    await using image = await openTestImage(file);
    await image.driver.snapshots.create(now);
  }
  const bytes = file.content();
  const table = Number(new DataView(bytes.buffer).getBigUint64(64));
  bytes[table + 40 + 24 + 1 + 2] = 0;
  await using image = await openTestImage(new MemoryFile(bytes), { readOnly: true });
  assertEquals(image.driver.snapshots.list().map(({ name }) => name), ["na"]);
});
