import { assert, assertEquals, assertThrows } from "@std/assert";
import "./preload.ts";
import { withoutLeaks } from "../../tests/support/fds.ts";
import { TempFolder } from "../../tests/support/temp.ts";
import { AlignedPool, allocateAligned, areAligned } from "./aligned.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK, O_CREAT, O_RDONLY, O_RDWR } from "./constants.ts";
import { check, HostError } from "./errors.ts";
import {
  closeDescriptor,
  copyFileRange,
  openPath,
  queryLock,
  retry,
  seekData,
  seekEnd,
  seekHole,
  setLock,
  statDescriptor,
  storageOf,
  truncateFile,
} from "./files.ts";
import { Ring, RingOperation } from "./io_uring.ts";
import { hostLibrary, hostLibraryMissing } from "./libc.ts";
import { addressOf, fillIovecs } from "./pointers.ts";

const host = hostLibrary()!;
const ENOENT = 2, EBADF = 9, EAGAIN = 11, ENXIO = 6;

/** Opens a fresh file for `body`, and closes it. */
function withFile(body: (descriptor: number, path: string) => Promise<void> | void): Promise<void> {
  return withoutLeaks(async () => {
    await using temp = await TempFolder.make();
    const path = temp.file("file");
    const descriptor = check("open", openPath(host, path, O_RDWR | O_CREAT));
    try {
      await body(descriptor, path);
    } finally {
      closeDescriptor(host, descriptor);
    }
  });
}

Deno.test("failed calls tell the error number", () => {
  assertEquals(openPath(host, "/nowhere/at/all", O_RDONLY), -ENOENT);
  assertEquals(retry(host, () => host.symbols.fdatasync(-1)), -EBADF);
  const error = assertThrows(() => check("open", -ENOENT), HostError);
  assertEquals([error.errno, error.message], ["ENOENT", "open: No such file or directory"]);
  assertEquals(hostLibraryMissing(), undefined);
});

Deno.test("what statx says is what Deno says", () =>
  withFile(async (descriptor, path) => {
    await Deno.writeFile(path, new Uint8Array(10_000));
    const stat = statDescriptor(host, descriptor);
    assert(typeof stat !== "number");
    const theirs = await Deno.stat(path);
    assertEquals([stat.kind, stat.sizeBytes, stat.inode], ["file", theirs.size, theirs.ino]);
    assertEquals(stat.allocatedBytes, theirs.blocks! * 512);
    assertEquals(stat.deviceMajor * 256 + stat.deviceMinor, theirs.dev);
    assertEquals(seekEnd(host, descriptor), 10_000);
    assertEquals(storageOf(host, descriptor) === "network", false);
  }));

Deno.test("holes beyond 4 GiB are found where they are", () =>
  withFile((descriptor) => {
    const at = 5 * 2 ** 30;
    assertEquals(truncateFile(host, descriptor, 2 * at), 0);
    const bytes = new Uint8Array(4096).fill(1);
    assertEquals(host.symbols.pwrite(descriptor, bytes, BigInt(bytes.length), BigInt(at)), 4096);
    assertEquals(seekData(host, descriptor, 0), at);
    assertEquals(seekHole(host, descriptor, at), at + 4096);
    assertEquals(seekData(host, descriptor, at + 4096), -ENXIO);
  }));

Deno.test("locks belong to the open file, not to the process", () =>
  withFile((descriptor, path) => {
    const other = check("open", openPath(host, path, O_RDWR));
    try {
      assertEquals(setLock(host, descriptor, F_RDLCK, 100, 1), 0);
      assertEquals([queryLock(host, other, 100, 1), queryLock(host, other, 101, 1)], [1, 0]);
      assertEquals(queryLock(host, descriptor, 100, 1), 0);
      assertEquals(setLock(host, other, F_RDLCK, 100, 1), 0);
      assertEquals(setLock(host, other, F_WRLCK, 100, 1), -EAGAIN);
      assertEquals(setLock(host, descriptor, F_UNLCK, 100, 1), 0);
      assertEquals(setLock(host, other, F_WRLCK, 100, 1), 0);
    } finally {
      closeDescriptor(host, other);
    }
  }));

Deno.test("the kernel copies from file to file", () =>
  withFile(async (descriptor, path) => {
    await Deno.writeTextFile(path, "0123456789");
    const copied = copyFileRange(host, { descriptor, at: 2 }, { descriptor, at: 20 }, 5);
    assertEquals(copied, 5);
    assertEquals((await Deno.readTextFile(path)).slice(20), "23456");
  }));

Deno.test("a slice's address is its buffer's plus its offset", () => {
  const buffer = new Uint8Array(8192);
  const base = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)));
  assertEquals(addressOf(buffer), base);
  assertEquals(addressOf(buffer.subarray(100)), base + 100);
  const table = new DataView(new ArrayBuffer(32));
  assertEquals(fillIovecs(table, [buffer.subarray(1, 4), buffer.subarray(7, 9)]), 2);
  assertEquals([0, 8, 16, 24].map((at) => Number(table.getBigUint64(at, true))), [base + 1, 3, base + 7, 2]);
});

Deno.test("memory that grows has a new address, and the old one is not used", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 200 });
  const before = new Uint8Array(memory.buffer, 16, 16);
  addressOf(before);
  memory.grow(100);
  const after = new Uint8Array(memory.buffer, 16, 16);
  assertEquals(addressOf(after), Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(after))));
  assertThrows(() => addressOf(before), Error, "the address of an empty slice");
});

Deno.test("aligned buffers are aligned, and come back from the pool", () => {
  for (const alignBytes of [1, 512, 4096]) {
    const buffer = allocateAligned(10_000, alignBytes);
    assertEquals([addressOf(buffer) % alignBytes, buffer.length], [0, 10_000]);
  }
  const pool = new AlignedPool({ alignBytes: 512, sizeBytes: 4096, keep: 1 });
  const first = pool.take(1024);
  assert(areAligned([first], 512) && !areAligned([first.subarray(1)], 512));
  pool.give(first);
  assertEquals(addressOf(pool.take(4096)), addressOf(first));
  assertEquals(pool.take(8192).length, 8192);
});

Deno.test("a ring answers more requests than it has room for, failures among them", () =>
  withFile(async (descriptor, path) => {
    await Deno.writeFile(path, Uint8Array.from({ length: 64 * 1024 }, (_, i) => i >> 10));
    const ring = Ring.open(host, 8);
    try {
      const blocks = Array.from({ length: 64 }, () => new Uint8Array(1024));
      const results = await Promise.all(
        blocks.map((block, i) =>
          ring.request({ operation: RingOperation.read, descriptor, offset: i * 1024, slices: [block] })
        ),
      );
      assert(results.every((result) => result === 1024));
      for (const [i, block] of blocks.entries()) assert(block.every((byte) => byte === i));
      const slices = Array.from({ length: 100 }, () => new Uint8Array(16));
      assertEquals(await ring.request({ operation: RingOperation.readv, descriptor, offset: 32768, slices }), 1600);
      assertEquals([slices[0]![0], slices[99]![15]], [32, 33]);
      assertEquals(await ring.request({ operation: RingOperation.fsync, descriptor: 9999 }), -EBADF);
      assertEquals(ring.inFlight, 0);
    } finally {
      ring.close();
    }
  }));

Deno.test("a ring lets the process wait for what takes long, without turning in circles", async () => {
  // a pipe that nobody writes to for a while: the read ends when the write comes
  await using temp = await TempFolder.make();
  const fifo = temp.file("fifo");
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  const descriptor = check("open", openPath(host, fifo, O_RDWR));
  const ring = Ring.open(host, 8);
  try {
    const into = new Uint8Array(8);
    const reading = ring.request({ operation: RingOperation.read, descriptor, slices: [into] });
    await new Promise((resolve) => setTimeout(resolve, 30));
    assertEquals(ring.inFlight, 1);
    const put = ring.request({ operation: RingOperation.write, descriptor, slices: [Uint8Array.of(1, 2, 3)] });
    assertEquals([await put, await reading, into[2]], [3, 3, 3]);
  } finally {
    ring.close();
    closeDescriptor(host, descriptor);
  }
});
