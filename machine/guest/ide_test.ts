/**
 * The IDE driver over moa's pc, and the same steps over the pc of real QEMU: both say the same.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import "../../base/host/preload.ts";
import { haveProgram } from "../../tests/support/programs.ts";
import { QemuGuest } from "../../tests/support/qemu_guest.ts";
import { guestBus } from "../guest_bus.ts";
import { testPc } from "../testing.ts";
import { type GuestBus, IdeError, IdeGuest, scanPci } from "./mod.ts";

const MiB = 1024 * 1024;
const AREA = { address: 0x20_0000, sizeBytes: 0x12_0000 };

/** A disk of 4 MiB and a CD of 1 MiB, removed at the end. */
async function images(): Promise<{ disk: string; cd: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "moa-guest-" });
  const disk = `${folder}/disk.raw`;
  const cd = `${folder}/cd.iso`;
  await Deno.writeFile(disk, Uint8Array.from({ length: 4 * MiB }, (_, i) => (i >> 9) & 0xff));
  await Deno.writeFile(cd, Uint8Array.from({ length: MiB }, (_, i) => (i >> 11) & 0xff));
  return { disk, cd, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** What a guest does, and what it finds. */
async function steps(bus: GuestBus): Promise<unknown[]> {
  const said: unknown[] = [];
  said.push((await scanPci(bus)).filter(({ slot }) => slot < 2).map((fn) => [fn.slot, fn.function, fn.device]));
  const guest = await IdeGuest.detect(bus, { area: AREA });
  said.push(guest.drives.map(({ kind, identity }) => [kind, identity.model, identity.serial, identity.sectors]));
  const disk = guest.disk(0, 0);
  const bytes = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7) & 0xff);
  await disk.writeDma(100, bytes);
  await disk.write(200, bytes.subarray(0, 1024));
  await disk.flush();
  said.push(await disk.readDma(99, 10), await disk.read(200, 3));
  const error = await assertRejects(() => disk.readDma(disk.sectors, 1), IdeError);
  said.push([error.status, error.error]);
  const cd = guest.cd(1, 0);
  said.push(await cd.capacity(), await cd.read(3, 2), await cd.readDma(7, 4));
  await cd.eject();
  said.push(await cd.ready());
  await cd.load();
  said.push(await cd.ready());
  await guest.reset(0);
  said.push((await disk.read(100, 1))[7]);
  return said;
}

async function onMoa(): Promise<unknown[]> {
  await using files = await images();
  await using pc = await testPc({
    drives: [
      { name: "ide0-hd0", file: files.disk, format: "raw", at: { interface: "ide", bus: 0, unit: 0, media: "disk" } },
      {
        name: "ide1-cd0",
        file: files.cd,
        format: "raw",
        readOnly: true,
        at: { interface: "ide", bus: 1, unit: 0, media: "cdrom" },
      },
    ],
  });
  await pc.machine.cont();
  return await steps(guestBus(pc.machine));
}

Deno.test("a guest reads and writes the drives of moa's pc", async () => {
  const said = await onMoa();
  assertEquals(said[1], [["disk", "QEMU HARDDISK", "QM00001", 8192], ["cd", "QEMU DVD-ROM", "QM00003", 0]]);
  const read = said[2] as Uint8Array;
  assertEquals([read[0], read[512 + 5], read[512 * 9]], [99, 35, 108]);
});

Deno.test({
  name: "the same guest finds the same in moa's pc and in QEMU's",
  ignore: !haveProgram("qemu-system-x86_64"),
  async fn() {
    await using files = await images();
    await using qemu = await QemuGuest.start([
      "-drive",
      `file=${files.disk},format=raw,if=ide`,
      "-drive",
      `file=${files.cd},format=raw,if=ide,index=2,media=cdrom`,
    ]);
    assertEquals(await onMoa(), await steps(qemu));
  },
});
