/**
 * Disks and CDs as a guest's driver uses them; content is compared with the pattern that the images were made with.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IdeCd, IdeError, IdeGuest, scanPci } from "../../machine/guest/mod.ts";
import { sectorPattern } from "./testing/ata_dialogues.ts";
import { Rig } from "./testing/rig.ts";

const MiB = 1024 * 1024;
const AREA = { address: 0x20_0000, sizeBytes: 0x12_0000 };

function pattern(lba: number, sectors: number): Uint8Array {
  const bytes = new Uint8Array(sectors * 512);
  for (let i = 0; i < sectors; i++) bytes.set(sectorPattern(lba + i), i * 512);
  return bytes;
}

function noise(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * seed + (i >> 7)) & 0xff);
}

async function twoDrives(): Promise<{ rig: Rig; guest: IdeGuest }> {
  const rig = await Rig.start([
    { kind: "ide-hd", index: 0, sizeBytes: 64 * MiB, drive: "discard=unmap" },
    { kind: "ide-cd", index: 2, sizeBytes: MiB },
  ]);
  return { rig, guest: await IdeGuest.detect(rig, { area: AREA }) };
}

Deno.test("a guest finds the controller and its drives", async () => {
  const { rig, guest } = await twoDrives();
  await using _ = rig;
  const controller = (await scanPci(rig)).find(({ classCode }) => classCode === 0x0101);
  assertEquals([controller?.vendor, controller?.device, controller?.classCode], [0x8086, 0x7010, 0x0101]);
  assertEquals(
    (await controller!.bars()).map(({ index, kind, address, sizeBytes }) => ({ index, kind, address, sizeBytes })),
    [
      { index: 4, kind: "io", address: 0xc000, sizeBytes: 16 },
    ],
  );
  assertEquals(guest.drives.map(({ kind, identity }) => [kind, identity.model, identity.serial]), [
    ["disk", "QEMU HARDDISK", "QM00001"],
    ["cd", "QEMU DVD-ROM", "QM00003"],
  ]);
  assertEquals(guest.disk(0, 0).sectors, 131072);
});

Deno.test("a guest reads and writes a disk by PIO and DMA", async () => {
  const { rig, guest } = await twoDrives();
  await using _ = rig;
  const disk = guest.disk(0, 0);
  assertEquals(await disk.read(3, 5), pattern(3, 5));
  assertEquals(await disk.readDma(0, 128), pattern(0, 128));
  const bytes = noise(300 * 512, 7);
  await disk.write(2000, bytes);
  assertEquals(await disk.readDma(2000, 300), bytes);
  const more = noise(2000 * 512, 11);
  await disk.writeDma(4001, more);
  assertEquals(await disk.readDma(4001, 2000), more);
  await disk.flush();
  await disk.trim([{ lba: 4100, sectors: 100 }]);
  assertEquals(await disk.readDma(4100, 100), new Uint8Array(100 * 512));
  const error = await assertRejects(() => disk.readDma(131072, 1), IdeError);
  assertEquals([error.status & 1, error.error], [1, 0x04]);
  const { stats } = rig.backends.get("drive0")!;
  assertEquals([stats.flush.operations, stats.read.invalid, stats.read.failed], [1, 1, 0]);
});

Deno.test("a guest uses addresses beyond 28 bits", async () => {
  await using rig = await Rig.start([{ kind: "ide-hd", index: 1, sizeBytes: 2 ** 38 }]);
  const guest = await IdeGuest.detect(rig, { area: AREA });
  const disk = guest.disk(0, 1);
  assertEquals(disk.sectors, 2 ** 29);
  assertEquals(await disk.readDma(2 ** 29 - 8, 8), new Uint8Array(4096));
  assertEquals(rig.machine.requests.at(-1)?.command, "READ DMA EXT");
  await assertRejects(() => disk.read(2 ** 29, 1), IdeError);
});

Deno.test("a guest reads a CD by PIO and DMA, ejects it and learns why it cannot", async () => {
  const { rig, guest } = await twoDrives();
  await using _ = rig;
  const cd = guest.cd(1, 0);
  assert(cd instanceof IdeCd);
  assertEquals(await cd.capacity(), { blocks: 512, blockBytes: 2048 });
  assertEquals(await cd.read(2, 20), pattern(8, 80));
  assertEquals(await cd.readDma(1, 24), pattern(4, 96));
  await cd.lock(true);
  const error = await assertRejects(() => cd.eject(), IdeError);
  assertEquals(error.sense, { key: 0x02, asc: 0x53, ascq: 0x00 });
  await cd.lock(false);
  const moves: boolean[] = [];
  rig.backends.get("drive2")!.events.on("tray-moved", ({ open }) => moves.push(open));
  await cd.eject();
  assertEquals(await cd.ready(), { key: 0x02, asc: 0x3a, ascq: 0x00 });
  await cd.load();
  assertEquals(await cd.ready(), undefined);
  assertEquals(moves, [true, false]);
});

Deno.test("requests are told by name, address and length, and PIO as one request", async () => {
  const { rig, guest } = await twoDrives();
  await using _ = rig;
  rig.machine.requests.length = 0;
  await guest.disk(0, 0).read(3, 5);
  await guest.disk(0, 0).writeDma(10, new Uint8Array(1024));
  await guest.cd(1, 0).read(4, 2);
  await guest.disk(0, 0).read(131072, 1).catch(() => {});
  assertEquals(
    rig.machine.requests.map(({ device, command, lba, sectors, bytes, result }) => [
      device,
      command,
      lba,
      sectors,
      bytes,
      result,
    ]),
    [
      ["drive0", "READ SECTOR(S)", 3, 5, 2560, "ok"],
      ["drive0", "WRITE DMA", 10, 2, 1024, "ok"],
      ["drive2", "READ(10)", 4, 2, 4096, "ok"],
      ["drive0", "READ SECTOR(S)", 131072, 1, 0, "out of range"],
    ],
  );
});

Deno.test("trace events carry QEMU's names with the command's", async () => {
  const { rig, guest } = await twoDrives();
  await using _ = rig;
  const lines: string[] = [];
  rig.machine.trace.sink = (line) => void lines.push(line);
  rig.machine.trace.set("ide_exec_cmd", true);
  rig.machine.trace.set("ide_dma_cb", true);
  rig.machine.trace.set("ide_atapi_cmd", true);
  await guest.disk(0, 0).readDma(7, 2);
  await guest.cd(1, 0).ready();
  assertEquals(lines, [
    "ide_exec_cmd IDE exec cmd: bus ide.0; state drive0; cmd 0xc8 (READ DMA)",
    "ide_dma_cb IDEState drive0; sector_num=7 n=2 cmd=DMA READ",
    "ide_exec_cmd IDE exec cmd: bus ide.1; state drive2; cmd 0xa0 (PACKET)",
    "ide_atapi_cmd IDEState: drive2; cmd: 0x00 (TEST UNIT READY)",
  ]);
});
