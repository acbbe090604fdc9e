/**
 * What happens when requests fail, are cancelled, or are saved half-way: a backend under the test's control.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { ioError } from "../../block/mod.ts";
import { IdeError, IdeGuest } from "../../machine/guest/mod.ts";
import type { Medium } from "./testing/ata_dialogues.ts";
import { Rig } from "./testing/rig.ts";

const MiB = 1024 * 1024;
const AREA = { address: 0x20_0000, sizeBytes: 0x12_0000 };
const DISK: Medium = { kind: "ide-hd", index: 0, sizeBytes: MiB };
const ACTIVE = 0xc002;

/** Makes the next writes of `drive0` fail, until the returned function is called. */
function failWrites(rig: Rig, errno: "EIO" | "ENOSPC"): () => void {
  const backend = rig.backends.get("drive0")!;
  const write = backend.write.bind(backend);
  backend.write = () => Promise.reject(ioError("write", errno));
  return () => void (backend.write = write);
}

/** Holds the reads of `drive0` back until the returned function is called. */
function holdReads(rig: Rig): () => void {
  const backend = rig.backends.get("drive0")!;
  const read = backend.read.bind(backend);
  let release = () => {};
  const gate = new Promise<void>((resolve) => release = resolve);
  backend.read = async (at, into, how) => {
    await gate;
    await read(at, into, how);
  };
  return release;
}

async function withDisk(properties = ""): Promise<{ rig: Rig; guest: IdeGuest }> {
  const rig = await Rig.start([{ ...DISK, properties }]);
  return { rig, guest: await IdeGuest.detect(rig, { area: AREA }) };
}

const DATA = Uint8Array.from({ length: 1024 }, (_, i) => (i * 3) & 0xff);

for (const how of ["write", "writeDma"] as const) {
  Deno.test(`werror=report: a failed ${how} is the guest's error`, async () => {
    const { rig, guest } = await withDisk("werror=report");
    await using _ = rig;
    const heal = failWrites(rig, "ENOSPC");
    const error = await guest.disk(0, 0)[how](8, DATA).catch((reason) => reason);
    assertEquals(error instanceof IdeError && [error.status, error.error], [0x41, 0x04]);
    heal();
    await guest.disk(0, 0)[how](8, DATA);
    assertEquals(await guest.disk(0, 0).read(8, 2), DATA);
  });

  Deno.test(`werror=enospc: a ${how} that finds no space is held, and done on resume`, async () => {
    const { rig, guest } = await withDisk();
    await using _ = rig;
    const heal = failWrites(rig, "ENOSPC");
    const actions: string[] = [];
    rig.backends.get("drive0")!.events.on("error", ({ action }) => actions.push(action));
    const writing = guest.disk(0, 0)[how](8, DATA);
    while (actions.length === 0) await rig.pause();
    assertEquals(actions, ["stop"]);
    const saved = structuredClone(rig.ide.save());
    heal();
    rig.ide.load(saved);
    rig.ide.resume();
    await writing;
    assertEquals(await guest.disk(0, 0).readDma(8, 2), DATA);
  });

  Deno.test(`werror=ignore: a failed ${how} seems to have worked`, async () => {
    const { rig, guest } = await withDisk("werror=ignore");
    await using _ = rig;
    failWrites(rig, "EIO");
    await guest.disk(0, 0)[how](8, DATA);
  });
}

Deno.test("a held request goes on in another machine that loads the state", async () => {
  const { rig, guest } = await withDisk();
  await using _ = rig;
  failWrites(rig, "ENOSPC");
  let stopped = false;
  rig.backends.get("drive0")!.events.on("error", () => stopped = true);
  guest.disk(0, 0).write(8, DATA.subarray(0, 512)).catch(() => {});
  while (!stopped) await rig.pause();
  const saved = structuredClone(rig.ide.save());
  await using other = await Rig.start([DISK]);
  other.ide.load(saved);
  other.ide.resume();
  await other.ide.stop();
  assertEquals(other.in8(0x1f7), 0x50);
  const there = await IdeGuest.detect(other, { area: AREA });
  assertEquals(await there.disk(0, 0).read(8, 1), DATA.subarray(0, 512));
  await rig.ide.reset(); // Lets the first guest's wait end.
});

Deno.test("state is kept in the middle of a PIO block", async () => {
  const { rig } = await withDisk();
  await using _ = rig;
  rig.out8(0x1f2, 2);
  rig.out8(0x1f6, 0xe0);
  for (const register of [3, 4, 5]) rig.out8(0x1f0 + register, 0);
  rig.out8(0x1f7, 0x20);
  await rig.poll(0x3f6, 0x80, 0);
  const first = new Uint8Array(100);
  rig.ins16(0x1f0, first);
  await rig.ide.stop();
  const saved = structuredClone(rig.ide.save());
  await using other = await Rig.start([DISK]);
  other.ide.load(saved);
  for (const machine of [rig, other]) {
    const rest = new Uint8Array(412);
    machine.ins16(0x1f0, rest);
    await machine.poll(0x3f6, 0x80, 0);
    assertEquals([rest[0], machine.in8(0x1f7), machine.in8(0x1f2)], [(100 * 13 + (100 >> 5) * 3) & 0xff, 0x58, 0]);
  }
});

Deno.test("a transfer that is stopped keeps the active bit until it has ended", async () => {
  const { rig, guest } = await withDisk();
  await using _ = rig;
  const release = holdReads(rig);
  const { channel } = guest.disk(0, 0);
  await channel.prepareDma(512, true);
  await channel.issue(0, 0xc8, { count: 1, lba: 1 });
  rig.out8(0xc000, 0x09);
  rig.out8(0xc000, 0x08);
  await rig.pause();
  assertEquals(rig.in8(ACTIVE) & 1, 1);
  release();
  await rig.ide.stop();
  assertEquals(rig.in8(ACTIVE) & 1, 0);
});

for (const kind of ["soft reset", "reset"] as const) {
  Deno.test(`after a ${kind} nothing touches the guest's memory, and the drive works`, async () => {
    const { rig, guest } = await withDisk();
    await using _ = rig;
    const release = holdReads(rig);
    const { channel } = guest.disk(0, 0);
    await channel.prepareDma(512, true);
    await channel.issue(0, 0xc8, { count: 1, lba: 1 });
    rig.out8(0xc000, 0x09);
    await rig.pause();
    let done = false;
    const resetting = kind === "reset" ? rig.ide.reset() : channel.softReset();
    void resetting.then(() => done = true);
    await rig.pause();
    assertEquals(done, false);
    if (kind === "soft reset") assertEquals(rig.in8(0x3f6) & 0x80, 0x80);
    release();
    await resetting;
    rig.writeMemory(AREA.address + 0x10000, new Uint8Array(512).fill(0xee));
    await rig.ide.stop();
    assertEquals(rig.readMemory(AREA.address + 0x10000, 512), new Uint8Array(512).fill(0xee));
    if (kind === "soft reset") assertEquals(rig.in8(ACTIVE) & 1, 0);
    const again = await IdeGuest.detect(rig, { area: AREA });
    assertEquals((await again.disk(0, 0).readDma(1, 1))[3], 1);
  });
}

Deno.test("without the write cache each write is flushed", async () => {
  const { rig, guest } = await withDisk();
  await using _ = rig;
  let flushes = 0;
  const node = rig.backends.get("drive0")!.node!;
  const flush = node.flush.bind(node);
  node.flush = async () => {
    flushes++;
    await flush();
  };
  await guest.disk(0, 0).writeDma(0, DATA);
  assertEquals(flushes, 0);
  await guest.disk(0, 0).setWriteCache(false);
  flushes = 0;
  await guest.disk(0, 0).writeDma(0, DATA);
  assertEquals(flushes, 1);
});

Deno.test("a state of other drives is refused, and nothing changes", async () => {
  const { rig } = await withDisk();
  await using _ = rig;
  await using other = await Rig.start([{ kind: "ide-cd", index: 0, sizeBytes: MiB }]);
  assertEquals(typeof other.ide.refusal(structuredClone(rig.ide.save())), "string");
});
