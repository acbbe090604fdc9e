/**
 * The floppy driver over moa's pc, and the same steps over the pc of real QEMU: both say the same.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import "../../base/host/preload.ts";
import { haveProgram } from "../../tests/support/programs.ts";
import { QemuGuest } from "../../tests/support/qemu_guest.ts";
import { guestBus } from "../guest_bus.ts";
import { testPc } from "../testing.ts";
import { FLOPPY_FORMATS, FloppyError, FloppyGuest, type GuestBus } from "./mod.ts";

const LIMIT_MS = 60_000;

/** A disk of 1.44 MB whose sectors are full of their number, removed at the end. */
async function image(): Promise<{ file: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "moa-guest-" });
  const file = `${folder}/floppy.img`;
  await Deno.writeFile(file, Uint8Array.from({ length: 1440 * 1024 }, (_, at) => (at >> 9) & 0xff));
  return { file, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** What a guest does, and what it finds. */
async function steps(bus: GuestBus): Promise<unknown[]> {
  const said: unknown[] = [];
  const options = { signal: AbortSignal.timeout(LIMIT_MS) };
  const guest = new FloppyGuest(bus);
  await guest.reset(options);
  const disk = await guest.disk(0, FLOPPY_FORMATS["1440"], options);
  said.push(disk.sectors, await disk.writeProtected(options), await disk.changed());
  const read = await disk.read(16, 40, options);
  said.push([read[0], read[512 * 2], read[512 * 39 + 511]]);
  said.push(await disk.changed());
  const bytes = Uint8Array.from({ length: 512 * 20 }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
  await disk.write(2850, bytes, options);
  said.push(await disk.read(2849, 22, options));
  await disk.seek(10, options);
  const error = await assertRejects(() => disk.read(2880 + 36 * 3, 1, options), FloppyError);
  said.push(error.result.slice(0, 3));
  await guest.reset(options);
  said.push(await guest.senseInterrupt(options));
  return said;
}

async function onMoa(file: string): Promise<unknown[]> {
  const at = { interface: "floppy", bus: 0, unit: 0, media: "disk" } as const;
  await using pc = await testPc({ drives: [{ name: "floppy0", file, format: "raw", at }] });
  await pc.machine.cont();
  return await steps(guestBus(pc.machine));
}

Deno.test("a guest reads and writes the floppy of moa's pc, by DMA and by hand", async () => {
  await using disk = await image();
  const said = await onMoa(disk.file);
  assertEquals(said.slice(0, 4), [2880, false, true, [16, 18, 55]]);
  const file = await Deno.readFile(disk.file);
  assertEquals([file[2850 * 512 + 1], file[2849 * 512], file[2870 * 512]], [7, 2849 & 0xff, 2870 & 0xff]);
  const at = { interface: "floppy", bus: 0, unit: 1, media: "disk" } as const;
  await using pc = await testPc({ drives: [{ name: "floppy1", file: disk.file, format: "raw", at }] });
  await pc.machine.cont();
  const options = { signal: AbortSignal.timeout(LIMIT_MS) };
  const guest = new FloppyGuest(guestBus(pc.machine));
  await guest.reset(options);
  const second = await guest.disk(1, FLOPPY_FORMATS["1440"], options);
  await second.writeProgrammed(17, new Uint8Array(1024).fill(0x5a), options);
  const read = await second.readProgrammed(16, 4, options);
  assertEquals([read[0], read[512], read[1535], read[1536]], [16, 0x5a, 0x5a, 19]);
  await second.format(79, 1, 0xf6, options);
  assertEquals((await second.read(2879, 1, options))[511], 0xf6);
});

Deno.test({
  name: "the same guest finds the same floppy in moa's pc and in QEMU's",
  ignore: !haveProgram("qemu-system-x86_64"),
  async fn() {
    await using one = await image();
    await using other = await image();
    await using qemu = await QemuGuest.start(["-drive", `file=${other.file},format=raw,if=floppy`]);
    assertEquals(await onMoa(one.file), await steps(qemu));
    assertEquals(await Deno.readFile(one.file), await Deno.readFile(other.file));
  },
});
