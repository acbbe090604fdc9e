/**
 * The core uses more memory the more code a guest runs: not without end, and while disk requests hold views of guest RAM.
 * What was read must arrive there, and what is written must be what was there.
 */
import { assert, assertEquals } from "@std/assert";
import { findBreakpoints } from "../../block/mod.ts";
import { guestBus, V86Accelerator } from "../../machine/mod.ts";
import { IdeDisk, IdeGuest, VirtioBlkGuest } from "../../machine/guest/mod.ts";
import { Vm } from "../../mod.ts";
import { haveProgram, must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { boot, bootSector } from "./booted.ts";

/** A drive whose requests can be held. */
const HELD_DRIVE = "driver=qcow2,file.driver=blkdebug,file.image.driver=file,file.image.filename=";
const SECTORS = 64;
const GROWTH_BYTES = 4 << 20;

interface Disk {
  read(lba: number, sectors: number): Promise<Uint8Array>;
  write(lba: number, bytes: Uint8Array): Promise<void>;
}

function pattern(seed: number): Uint8Array {
  return Uint8Array.from({ length: 512 * SECTORS }, (_, at) => (at * 7 + (at >> 9) + seed) & 0xff);
}

/** Does `work`, of which a request stops at `event`; the core takes memory before it goes on. */
async function grownAmid<T>(vm: Vm, event: string, work: () => Promise<T>): Promise<T> {
  const { accelerator } = vm.machine;
  assert(accelerator instanceof V86Accelerator);
  const { core } = accelerator;
  const points = findBreakpoints(vm.machine.backends.find("d")?.node)!;
  points.set(event, "held", () => {});
  const stopped = points.nextStop();
  const ended = work();
  await stopped;
  const before = core.usedBytes;
  assert(core.exports.v86_malloc(GROWTH_BYTES) !== 0);
  assert(core.usedBytes >= before + GROWTH_BYTES);
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
  const name = `requests in flight do not notice that the core takes more memory: ${kind}`;
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

const MiB = 2 ** 20;
const [CODE_FROM, CODE_TO] = [2 * MiB, 28 * MiB] as const;

/** In flat 32-bit mode, fills memory with returns and calls each of them; says so at 600. */
function callsEveryByte(): Uint8Array {
  const bytes = (...numbers: number[]) => `db ${numbers.join(", ")}\n`;
  return bootSector(
    "cli\n xor ax, ax\n mov ds, ax\n" +
      bytes(0x0f, 0x01, 0x16) + "dw gdtr\n" + // lgdt
      bytes(0x0f, 0x20, 0xc0, 0x0c, 1, 0x0f, 0x22, 0xc0) + // cr0 |= 1
      bytes(0xea) + "dw flat\n dw 8\n" + // jmp 8:flat
      "flat:\n" + bytes(0x66, 0xb8, 0x10, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0) + // ds = es = ss = 16
      bytes(0xbc, 0, 0x70, 0, 0) + // mov esp, 7000h
      bytes(0xbf) + `dd ${CODE_FROM}\n` + bytes(0xb9) + `dd ${CODE_TO - CODE_FROM}\n` + // edi, ecx
      bytes(0xb0, 0xc3, 0xf3, 0xaa) + // mov al, C3h; rep stosb
      bytes(0xbf) + `dd ${CODE_FROM}\n` +
      bytes(0xff, 0xd7, 0x47, 0x81, 0xff) + `dd ${CODE_TO}\n` + bytes(0x72, 0xf5) + // call edi; inc edi; below: again
      bytes(0xc6, 0x05, 0, 6, 0, 0, 0x5a, 0xf4, 0xeb, 0xfd) + // mov byte [600h], 5Ah; hlt
      "gdtr: dw 23\n dd gdt\n gdt: dd 0, 0, 0x0000ffff, 0x00cf9a00, 0x0000ffff, 0x00cf9200\n",
  );
}

Deno.test("what the core remembers of a guest's jumps has bounds", async () => {
  await using guest = await boot(callsEveryByte(), { bios: "built-in", memory: 32 });
  const { accelerator } = guest.vm.machine;
  assert(accelerator instanceof V86Accelerator);
  const before = accelerator.core.usedBytes;
  await guest.untilByte(0x600, 0x5a);
  // `call edi` writes what it will return to.
  assert(accelerator.core.better.accesses > 0, "compiled code looks as it did");
  const grown = (accelerator.core.usedBytes - before) / MiB;
  // Without bounds it would be some 150.
  assert(grown > 60 && grown < 80, `${grown} MiB`);
});
