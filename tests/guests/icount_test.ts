/**
 * Time by instructions: the same disk and seed give the same run.
 */
import { assert, assertEquals } from "@std/assert";
import { MiB } from "../../base/units.ts";
import { loadSnapshot, saveSnapshot } from "../../machine/mod.ts";
import { haveProgram, must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { bootDisk, type Guest, haveSeaBios, makeGuest } from "./boot_sector.ts";
import { bootSector } from "./booted.ts";

/**
 * Reads 9 sectors one by one by int 13h and says after each the low byte of the PIT's count and of the time stamp
 * counter, as hexadecimal digits would: so the trace holds time itself.
 */
const READER = [
  ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0xbe, 0x02, 0x00], // ds = es = 0, si = 2
  ...[0xbb, 0x00, 0x10, 0xb8, 0x01, 0x02, 0x89, 0xf1, 0xba, 0x80, 0x00, 0xcd, 0x13], // int 13h: sector si to 1000
  ...[0xba, 0x02, 0x04, 0xb0, 0x3a, 0xee, 0xa0, 0x00, 0x10, 0xee], // ':' and the first byte
  ...[0x30, 0xc0, 0xe6, 0x43, 0xe4, 0x40, 0xee, 0xe4, 0x40, 0xee], // latch counter 0 and say both bytes
  ...[0x0f, 0x31, 0xba, 0x02, 0x04, 0xee, 0x88, 0xe0, 0xee], // rdtsc: two bytes
  ...[0x46, 0x83, 0xfe, 0x0b, 0x75, 0xd0], // the next, to sector 10
  ...[0xb0, 0x21, 0xee, 0xfa, 0xf4, 0xeb, 0xfd], // '!' and the end
];

async function trace(folder: string): Promise<{ text: string; instructions: number }> {
  const disk = bootDisk(READER);
  for (let sector = 1; sector < 10; sector++) disk.fill(0x60 + sector, 512 * sector, 512 * (sector + 1));
  await using guest = await makeGuest({
    folder,
    disk,
    icount: { shift: 3, sleep: false },
    hostNs: Date.UTC(2026, 0, 2) * 1e6,
    inMemory: true,
  });
  await guest.machine.cont();
  await guest.waitFor(/:i[^]{4}!/);
  await guest.machine.stop();
  return { text: guest.text(), instructions: guest.cpu.core.instructions };
}

Deno.test({
  name: "with -icount sleep=off two runs of SeaBIOS and a boot sector that reads are one run",
  ignore: !haveSeaBios(),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const first = await trace(folder);
      const second = await trace(folder);
      assert(first.instructions > 1e6);
      assertEquals(second, first);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Reads sectors in turn, tells what the time is by PIT, time stamp counter and BIOS, computes, and waits for a tick. */
const TICKING = `
        xor ax, ax
        mov ds, ax
        mov es, ax
start:  mov si, 2
again:  mov bx, 0x1000
        mov ax, 0x0201
        mov cx, si
        mov dx, 0x80
        int 0x13
        mov dx, 0x402
        mov al, [0x1000]
        out dx, al
        xor al, al
        out 0x43, al
        in al, 0x40
        out dx, al
        in al, 0x40
        out dx, al
        db 0x0f, 0x31 ; rdtsc
        mov dx, 0x402
        out dx, al
        mov al, ah
        out dx, al
        mov cx, 20000
spin:   add bx, cx
        loop spin
        sti
        hlt
        mov al, [0x46c]
        mov dx, 0x402
        out dx, al
        inc si
        and si, 15
        jnz again
        jmp start
`;
/** SeaBIOS itself says some 2400 bytes. */
const BEFORE = 3000;
const AFTER = 600;

/** A machine from \`image\`, a qcow2 image, and what it says: each byte with its time and the count of instructions. */
async function tickingGuest(folder: string, image: Uint8Array<ArrayBuffer>, sleep = false) {
  const said: string[] = [];
  let until = { count: Infinity, done: () => {} };
  const guest: Guest = await makeGuest({
    folder,
    disk: image,
    format: "qcow2",
    inMemory: true,
    icount: { shift: 3, sleep },
    hostNs: Date.UTC(2026, 0, 2) * 1e6,
    watch: (byte) => {
      const { core, clock } = guest.cpu;
      if (said.push(`${byte} ${core.instructions} ${clock.nowNs()}`) === until.count) until.done();
    },
  });
  /** What it says next. */
  const run = async (count: number): Promise<string[]> => {
    said.length = 0;
    const reached = new Promise<void>((done) => until = { count, done });
    await guest.machine.cont();
    await reached;
    await guest.machine.stop();
    return said.slice(0, count);
  };
  return { guest, machine: guest.machine, run, [Symbol.asyncDispose]: () => guest[Symbol.asyncDispose]() };
}

/** A qcow2 image of the disk that such a guest boots from, with room to grow. */
async function tickingImage(temp: TempFolder): Promise<Uint8Array<ArrayBuffer>> {
  const disk = new Uint8Array(MiB);
  disk.set(bootSector(TICKING));
  for (let sector = 1; sector < 16; sector++) disk.fill(0x40 + sector, 512 * sector, 512 * (sector + 1));
  const [raw, qcow2] = [await temp.write("disk.raw", disk), temp.file("disk.qcow2")];
  await must("qemu-img", ["convert", "-O", "qcow2", raw, qcow2]);
  const image = new Uint8Array(16 * MiB);
  image.set(await Deno.readFile(qcow2));
  return image;
}

Deno.test({
  name: "with -icount what goes on after savevm and what is loaded, here and elsewhere, are one run to the instruction",
  ignore: !haveSeaBios() || !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const image = await tickingImage(temp);
    await using first = await tickingGuest(temp.path, image);
    await first.run(BEFORE);
    const timeNs = first.guest.cpu.clock.nowNs();
    await saveSnapshot(first.machine, "a");
    assertEquals(first.guest.cpu.clock.nowNs(), timeNs);
    const saved = await first.guest.image();
    const wentOn = await first.run(AFTER);
    await loadSnapshot(first.machine, "a");
    assertEquals(first.guest.cpu.clock.nowNs(), timeNs);
    assertEquals(await first.run(AFTER), wentOn);
    await using fresh = await tickingGuest(temp.path, saved);
    await loadSnapshot(fresh.machine, "a");
    assertEquals(await fresh.run(AFTER), wentOn);
    // Another past, with compiled code and time of its own.
    await using other = await tickingGuest(temp.path, saved);
    await other.run(BEFORE + AFTER / 2);
    await loadSnapshot(other.machine, "a");
    assertEquals(await other.run(AFTER), wentOn);
  },
});

Deno.test({
  name: "with -icount sleep=on time goes on from where it was saved, whatever was slept since",
  ignore: !haveSeaBios() || !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    await using ticking = await tickingGuest(temp.path, await tickingImage(temp), true);
    const { guest: { cpu: { clock } }, machine, run } = ticking;
    await run(BEFORE);
    const savedNs = clock.nowNs();
    await saveSnapshot(machine, "a");
    await run(24);
    assert(clock.nowNs() > savedNs + 100e6, "ticks of the BIOS come every 55 ms");
    await loadSnapshot(machine, "a");
    assertEquals(clock.nowNs(), savedNs);
    const firstNs = Number((await run(12))[0]!.split(" ")[2]);
    assert(firstNs >= savedNs && firstNs < savedNs + 60e6, `${firstNs - savedNs} ns later`);
  },
});

/** Of the local APIC: spurious vector and switch, its timer's entry, divider and count, end of interrupt. */
const [APIC_SPURIOUS, APIC_TIMER, APIC_DIVIDE, APIC_COUNT, APIC_EOI] = [0xf0, 0x320, 0x3e0, 0x380, 0xb0].map((at) =>
  0xfee0_0000 + at
);
const ONE_SHOTS = 3000;
const store = (at: number, value: number) => `db 0x67, 0x66, 0xc7, 0x05 ; mov dword [at], value\n dd ${at}, ${value}`;

/** Waits in HLT for one shot of the local APIC's timer after another, each a little longer, and then says so. */
const ONE_SHOT = `
        cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7000
        mov al, 0xff
        out 0x21, al
        out 0xa1, al
        mov word [0x100], fired ; vector 40h
        mov word [0x102], 0
        db 0x0f, 0x01, 0x16 ; lgdt [table]
        dw table
        db 0x0f, 0x20, 0xc0 ; mov eax, cr0
        or al, 1
        db 0x0f, 0x22, 0xc0 ; mov cr0, eax
        mov bx, 8
        mov ds, bx ; all of memory from now on
        and al, 0xfe
        db 0x0f, 0x22, 0xc0
        ${store(APIC_SPURIOUS!, 0x1ff)}
        ${store(APIC_TIMER!, 0x40)}
        ${store(APIC_DIVIDE!, 3)}
        mov eax, 1000
again:  db 0x67, 0x66, 0xa3 ; mov [count], eax
        dd ${APIC_COUNT}
        sti
        hlt
        cli
        add eax, 7
        cmp eax, ${1000 + 7 * ONE_SHOTS}
        jne again
        mov al, 0x21
        mov dx, 0x402
        out dx, al
stand:  hlt
        jmp stand
fired:  ${store(APIC_EOI!, 0)}
        iret
table:  dw 15
        dd entries
entries: dd 0, 0
        dw 0xffff, 0
        db 0, 0x93, 0xcf, 0
`;

Deno.test({
  name: "with -icount a guest that waits for the local APIC's timer alone always gets there, whatever rounding says",
  ignore: !haveSeaBios(),
  fn: async () => {
    await using temp = await TempFolder.make();
    const disk = new Uint8Array(MiB);
    disk.set(bootSector(ONE_SHOT));
    await using guest = await makeGuest({ folder: temp.path, disk, icount: { shift: 3, sleep: false } });
    await guest.machine.cont();
    await guest.waitFor(/!$/);
  },
});
