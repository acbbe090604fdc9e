/**
 * The core's memory grows while disk requests hold views of guest RAM, as it does when a guest runs much code: what was
 * read must arrive there, and what is written must be what was there.
 */
import { assert, assertEquals } from "@std/assert";
import { findBreakpoints } from "../../block/mod.ts";
import { guestBus, V86Accelerator } from "../../machine/mod.ts";
import { IdeDisk, IdeGuest, VirtioBlkGuest } from "../../machine/guest/mod.ts";
import { Vm } from "../../mod.ts";
import { haveProgram, must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

/** A drive whose requests can be held. */
const HELD_DRIVE = "driver=qcow2,file.driver=blkdebug,file.image.driver=file,file.image.filename=";
const SECTORS = 64;
const GROWTH_PAGES = 64;

interface Disk {
  read(lba: number, sectors: number): Promise<Uint8Array>;
  write(lba: number, bytes: Uint8Array): Promise<void>;
}

function pattern(seed: number): Uint8Array {
  return Uint8Array.from({ length: 512 * SECTORS }, (_, at) => (at * 7 + (at >> 9) + seed) & 0xff);
}

/** Does `work`, of which a request stops at `event`; memory grows before it goes on. */
async function grownAmid<T>(vm: Vm, event: string, work: () => Promise<T>): Promise<T> {
  const { accelerator } = vm.machine;
  assert(accelerator instanceof V86Accelerator);
  const { core } = accelerator;
  const points = findBreakpoints(vm.machine.backends.find("d")?.node)!;
  points.set(event, "held", () => {});
  const stopped = points.nextStop();
  const ended = work();
  await stopped;
  const before = core.bytes.length;
  core.exports.memory.grow(GROWTH_PAGES);
  assertEquals(core.bytes.length, before + GROWTH_PAGES * 65536);
  points.resume("held");
  return await ended;
}

async function diskOf(vm: Vm, kind: "ide" | "virtio"): Promise<Disk> {
  const bus = guestBus(vm.machine);
  if (kind === "virtio") return (await VirtioBlkGuest.detect(bus))[0]!;
  const ide = (await IdeGuest.detect(bus)).drives[0]!;
  assert(ide instanceof IdeDisk);
  return { read: (lba, sectors) => ide.readDma(lba, sectors), write: (lba, bytes) => ide.writeDma(lba, bytes) };
}

for (const kind of ["ide", "virtio"] as const) {
  const name = `requests in flight do not notice that the core's memory grows: ${kind}`;
  Deno.test(name, { ignore: !haveProgram("qemu-img") }, async () => {
    await using temp = await TempFolder.make();
    const file = temp.file("disk.qcow2");
    await must("qemu-img", ["create", "-q", "-f", "qcow2", file, "8M"]);
    const drives = [`${HELD_DRIVE}${file},if=${kind},id=d`];
    await using vm = await Vm.start({ accel: "v86", memory: 32, paused: true, drives });
    const disk = await diskOf(vm, kind);
    // To clusters that are allocated meanwhile, then to the same.
    await grownAmid(vm, "write_aio", () => disk.write(0, pattern(1)));
    assertEquals(await grownAmid(vm, "read_aio", () => disk.read(0, SECTORS)), pattern(1));
    await grownAmid(vm, "write_aio", () => disk.write(0, pattern(2)));
    await disk.write(256, pattern(3));
    // This read begins where nothing was written.
    const both = await grownAmid(vm, "read_aio", () => disk.read(256 - SECTORS, 2 * SECTORS));
    assertEquals(both.subarray(0, 512 * SECTORS), new Uint8Array(512 * SECTORS));
    assertEquals(both.subarray(512 * SECTORS), pattern(3));
    assertEquals(await disk.read(0, SECTORS), pattern(2));
  });
}
