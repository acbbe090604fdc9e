import { assert, assertEquals } from "@std/assert";
import { ManualClock } from "../../../base/clocks.ts";
import { O_RDWR } from "../../../base/host/constants.ts";
import { closeDescriptor, openPath } from "../../../base/host/files.ts";
import { hostLibrary } from "../../../base/host/libc.ts";
import { NS_PER_MS } from "../../../base/units.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { NOT_QUICK, QuickPath } from "./quick.ts";

async function withFile(body: (descriptor: number, clock: SlowClock) => void): Promise<void> {
  await using temp = await TempFolder.make();
  const host = hostLibrary();
  assert(host !== undefined);
  const descriptor = openPath(host, await temp.write("disk", new Uint8Array(64 * 1024).fill(9)), O_RDWR);
  try {
    body(descriptor, new SlowClock());
  } finally {
    closeDescriptor(host, descriptor);
  }
}

/** A clock that moves on by a step each time somebody looks. */
class SlowClock extends ManualClock {
  stepNs = 0;

  override nowNs(): number {
    this.advance(this.stepNs);
    return super.nowNs();
  }
}

function make(clock: ManualClock, where: "memory" | "local" | "network" | "never"): QuickPath {
  const host = hostLibrary();
  assert(host !== undefined);
  return new QuickPath(host, clock, where);
}

Deno.test("reads are answered from the page cache, one slice or several", () =>
  withFile((descriptor, clock) => {
    const quick = make(clock, "local");
    const bytes = new Uint8Array(4096);
    for (let i = 0; i < 200; i++) assertEquals(quick.read(descriptor, 4096, bytes), 4096);
    assert(bytes.every((byte) => byte === 9));
    // most of them did not have to ask
    assert(quick.counts.hits < 200);
    const other = new Uint8Array(8192);
    assertEquals(quick.readVector(descriptor, 0, [other.subarray(0, 512), other.subarray(512)], 8192), 8192);
    assert(other.every((byte) => byte === 9));
  }));

Deno.test("after slow writes the others go another way for a while", () =>
  withFile((descriptor, clock) => {
    const quick = make(clock, "local");
    const bytes = new Uint8Array(512);
    assertEquals(quick.write(descriptor, 0, bytes), 512);
    clock.stepNs = 6 * NS_PER_MS;
    assertEquals(quick.write(descriptor, 0, bytes), 512);
    clock.stepNs = 0;
    assertEquals(quick.counts.slowWrites, 1);
    assertEquals(quick.write(descriptor, 0, bytes), NOT_QUICK);
    clock.advance(20 * NS_PER_MS);
    clock.stepNs = 6 * NS_PER_MS;
    assertEquals(quick.write(descriptor, 0, bytes), 512);
    clock.stepNs = 0;
    clock.advance(20 * NS_PER_MS);
    assertEquals(quick.write(descriptor, 0, bytes), NOT_QUICK);
    clock.advance(20 * NS_PER_MS);
    assertEquals(quick.write(descriptor, 0, bytes), 512);
  }));

Deno.test("large writes, and all writes over a network, are not for the quick path", () =>
  withFile((descriptor, clock) => {
    const bytes = new Uint8Array(64 * 1024 + 512);
    assertEquals(make(clock, "local").write(descriptor, 0, bytes), NOT_QUICK);
    assertEquals(make(clock, "network").write(descriptor, 0, bytes.subarray(0, 512)), NOT_QUICK);
    assertEquals(make(clock, "never").read(descriptor, 0, bytes.subarray(0, 512)), NOT_QUICK);
    assertEquals(make(clock, "network").read(descriptor, 0, bytes.subarray(0, 512)), 512);
  }));

Deno.test("an error is told as a negative number", () =>
  withFile((_, clock) => {
    const quick = make(clock, "memory");
    const EBADF = 9;
    assertEquals(quick.read(-1, 0, new Uint8Array(512)), -EBADF);
    assertEquals(quick.write(-1, 0, new Uint8Array(512)), -EBADF);
  }));
