/**
 * Services of the firmware that programs meet after they have started, with SeaBIOS and with moa's own: serial ports,
 * disks that a CD emulates, waits, the mouse, power management.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SECTOR_BYTES } from "../../base/units.ts";
import { buildIso, Vm } from "../../mod.ts";
import { must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { boot, bootSector, DONE, FIRMWARES } from "./booted.ts";

/** Speaks by int 14h: sets the port up, says so, then gives back each character that comes, one higher. */
const SERIAL = `
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        xor dx, dx
        mov ax, 0x00e3
        int 0x14
        mov [0x500], ah
        mov si, text
.next:  lodsb
        test al, al
        jz wait
        mov ah, 1
        xor dx, dx
        int 0x14
        jmp .next
wait:   mov ah, 3
        xor dx, dx
        int 0x14
        test ah, 1
        jz wait
        mov ah, 2
        int 0x14
        mov [0x501], ah
        inc al
        mov ah, 1
        int 0x14
        ; a port that is not there
        mov ax, 0x0155
        mov dx, 3
        int 0x14
        mov [0x502], ax
        jmp wait
text:   db "int 14h speaks", 13, 10, 0
`;

for (const { firmware, bios, ignore } of FIRMWARES) {
  Deno.test({
    name: `int 14h sends and receives, with ${firmware}`,
    ignore,
    fn: async () => {
      const disk = new Uint8Array(2 ** 20);
      disk.set(bootSector(SERIAL));
      await using machine = await boot(disk, { ...bios, serial: ["script"] });
      const { vm } = machine;
      await vm.serial.waitFor("int 14h speaks\r\n", { timeoutMs: 60_000 });
      await vm.serial.send("HAL");
      await vm.serial.waitFor("IBM", { timeoutMs: 60_000 });
      const [status, received] = machine.read(0x500, 2);
      // The transmitter is empty; what was received had no error.
      assertEquals([status! & 0x60, received! & 0x9e], [0x60, 0]);
      await vm.until("the absent port to be asked", () => machine.read(0x502, 1)[0] === 0x55, { timeoutMs: 60_000 });
    },
  });
}

/** Reads by cylinder, head and sector, tries to write, asks for parameters and for what is emulated. */
const EMULATED = `
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        mov [0x500], dl
        mov ax, 0x0201
        mov cx, 0x0003
        mov dh, 1
        mov bx, 0x8000
        int 0x13
        mov [0x501], ah
        mov ax, 0x0301
        mov cx, 0x0003
        mov dh, 1
        mov bx, 0x8000
        int 0x13
        mov [0x502], ah
        mov ah, 8
        mov dl, [0x500]
        int 0x13
        mov [0x504], cx
        mov [0x506], dx
        xor ax, ax
        mov es, ax
        mov ax, 0x4b01
        mov si, 0x520
        mov dl, [0x500]
        int 0x13
        mov [0x503], ah
        ; the disk that is there besides
        mov ax, 0x0201
        mov cx, 0x0003
        mov dx, OTHER
        mov bx, 0x8200
        int 0x13
        mov [0x508], ah
        mov ax, 0x4b00
        mov si, 0x540
        mov dl, [0x500]
        int 0x13
        mov ax, 0x0201
        mov cx, 0x0003
        mov dx, 0x80
        mov bx, 0x8400
        int 0x13
        mov [0x509], ah
        mov byte [0x5ff], 0x77
stand:  hlt
        jmp stand
`;

/** A CD whose catalog says that `image` is to be emulated as medium `media`. */
function emulatingCd(image: Uint8Array, media: number): Uint8Array {
  const iso = buildIso({ "boot.img": image }, { boot: "boot.img" });
  const catalog = new DataView(iso.buffer).getUint32(17 * 2048 + 71, true) * 2048;
  iso[catalog + 33] = media;
  iso.set([1, 0], catalog + 38);
  return iso;
}

for (const { firmware, bios, ignore } of FIRMWARES) {
  for (
    const [what, media, drive, other] of [["a floppy of 1.44 MB", 2, 0x00, 0x80], [
      "a hard disk",
      4,
      0x80,
      0x81,
    ]] as const
  ) {
    Deno.test({
      name: `${firmware}: a CD emulates ${what}; asked to, it ends that`,
      ignore,
      fn: async () => {
        await using temp = await TempFolder.make();
        const image = new Uint8Array(1440 << 10);
        image.set(bootSector(EMULATED.replace("OTHER", `0x${other.toString(16)}`)));
        const sectors = media === 2 ? 18 : 32;
        if (media === 4) image.set([0x80, 0, 1, 0, 0x0c, 3, 32, 20], 446);
        image.fill(0x66, (sectors + 2) * SECTOR_BYTES, (sectors + 3) * SECTOR_BYTES);
        const real = new Uint8Array(1 << 20).fill(0x33, 2 * SECTOR_BYTES, 3 * SECTOR_BYTES);
        const cd = await temp.write("cd.iso", emulatingCd(image, media));
        await using machine = await boot(real, {
          ...bios,
          boot: "d",
          drives: [`file=${cd},format=raw,media=cdrom,index=2`],
        });
        await machine.untilByte(DONE, 0x77);
        assertEquals([...machine.read(0x500, 4)], [drive, 0, 3, 0]);
        assertEquals(machine.read(0x8000, SECTOR_BYTES), new Uint8Array(SECTOR_BYTES).fill(0x66));
        const [last, heads] = [media === 2 ? 79 : 20, media === 2 ? 1 : 3];
        const [lowCx, highCx, drives, headsSeen] = machine.read(0x504, 4);
        assertEquals([lowCx! & 0x3f, headsSeen], [sectors, heads]);
        // The emulated one, and the machine's own. SeaBIOS counts a disk twice. The last cylinder of a disk is not told.
        assert(drives === 2 || (media === 4 && firmware === "SeaBIOS" && drives === 3), `${drives}`);
        assert(highCx === last || (media === 4 && highCx === last - 1), `${highCx}`);
        const packet = machine.read(0x520, 0x13);
        assertEquals([packet[0], packet[1]! & 0x0f, packet[2]], [0x13, media, drive]);
        assertEquals([...machine.read(0x508, 2)], [0, 0]);
        for (const at of [0x8200, 0x8400]) {
          assertEquals(machine.read(at, SECTOR_BYTES), new Uint8Array(SECTOR_BYTES).fill(0x33));
        }
      },
    });
  }
}

Deno.test("a machine whose guest waits by int 15h stops at once, and the wait goes on in another", async () => {
  await using temp = await TempFolder.make();
  // Nine minutes; then, after half a second, the mark.
  const source = (high: number, low: number) => `
        xor ax, ax
        mov ds, ax
        mov byte [0x500], 1
        mov ah, 0x86
        mov cx, ${high}
        mov dx, ${low}
        int 0x15
        mov byte [0x5ff], 0x77
stand:  hlt
        jmp stand`;
  const long = new Uint8Array(1 << 20);
  long.set(bootSector(source(0x2000, 0)));
  {
    await using machine = await boot(long, { bios: "built-in" });
    await machine.untilByte(0x500, 1);
    await machine.vm.stop();
    assertEquals(machine.vm.machine.runState, "paused");
  }
  const short = await temp.write("short.raw", long);
  await Deno.writeFile(short, bootSector(source(0x0010, 0)));
  await Deno.truncate(short, 1 << 20);
  const state = temp.file("state.qcow2");
  await must("qemu-img", ["create", "-q", "-f", "qcow2", "-b", short, "-F", "raw", state]);
  const options = { accel: "v86", memory: 32, bios: "built-in", hda: state } as const;
  {
    await using vm = await Vm.start(options);
    await vm.until("the wait to begin", () => vm.machine.memory.readValue(0x500, 1) === 1, { timeoutMs: 60_000 });
    await vm.savevm("waits");
  }
  await using vm = await Vm.start({ ...options, loadvm: "waits" });
  await vm.until("the wait to end", () => vm.machine.memory.readValue(DONE, 1) === 0x77, { timeoutMs: 60_000 });
});

/** Sets the mouse up by int 15h, with a handler that keeps what it is given and counts. */
const MOUSE = `
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        mov ax, 0xc200
        mov bh, 1
        int 0x15
        mov [0x500], ah
        mov ax, 0xc205
        mov bh, 3
        int 0x15
        mov [0x501], ah
        mov ax, 0xc207
        mov bx, handler
        int 0x15
        mov ax, 0xc202
        mov bh, 5
        int 0x15
        mov ax, 0xc203
        mov bh, 3
        int 0x15
        mov [0x502], ah
        mov ax, 0xc200
        mov bh, 1
        int 0x15
        mov [0x503], ah
        mov ax, 0xc206
        mov bh, 0
        int 0x15
        mov [0x504], bl
        mov [0x505], cl
        mov [0x506], dl
        mov byte [0x5ff], 0x77
again:  mov ah, 0
        int 0x16
        mov [0x507], al
        jmp again
handler:
        push bp
        mov bp, sp
        push ax
        push ds
        xor ax, ax
        mov ds, ax
        mov al, [bp+12]
        mov [0x510], al
        mov al, [bp+10]
        mov [0x511], al
        mov al, [bp+8]
        mov [0x512], al
        inc byte [0x513]
        pop ds
        pop ax
        pop bp
        retf
`;

for (const { firmware, bios, ignore } of FIRMWARES) {
  Deno.test({
    name: `int 15h hands a mouse's movements to a program's handler, keys go on, with ${firmware}`,
    ignore,
    fn: async () => {
      const disk = new Uint8Array(1 << 20);
      disk.set(bootSector(MOUSE));
      await using machine = await boot(disk, bios);
      const { vm } = machine;
      await machine.untilByte(DONE, 0x77);
      // Without a handler nothing is switched on.
      assert(machine.read(0x500, 1)[0] !== 0);
      assertEquals([...machine.read(0x501, 3)], [0, 0, 0]);
      assertEquals([machine.read(0x504, 1)[0]! & 0x20, ...machine.read(0x505, 2)], [0x20, 3, 100]);
      await vm.monitor("mouse_move 5 3");
      await machine.untilByte(0x513, 1);
      // Down is positive for the monitor, up for the mouse.
      assertEquals([...machine.read(0x511, 2)], [5, 0xfd]);
      await vm.sendKeys("q");
      await machine.untilByte(0x507, "q".charCodeAt(0));
      await vm.monitor("mouse_button 1");
      await machine.untilByte(0x513, 2);
      assertEquals([machine.read(0x510, 1)[0]! & 7, ...machine.read(0x511, 2)], [1, 0, 0]);
    },
  });
}

/** Asks for power management, calls its code of 16 bits as protected mode would, then switches the machine off. */
const POWER = `
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov ax, 0x5300
        xor bx, bx
        int 0x15
        mov [0x500], ax
        mov [0x502], bx
        mov ax, 0x5302
        xor bx, bx
        int 0x15
        mov [0x510], bx
        mov [0x512], ax
        mov ax, 0x530e
        xor bx, bx
        mov cx, 0x0102
        call far [0x510]
        mov [0x504], ax
        mov ax, 0x530b
        call far [0x510]
        mov [0x506], ah
        sbb al, al
        mov [0x507], al
        mov ax, 0x5305
        int 0x15
        mov byte [0x5ff], 0x77
wait:   cmp byte [0x5fe], 0x77
        jne wait
        mov ax, 0x5307
        mov bx, 1
        mov cx, 3
        int 0x15
stand:  hlt
        jmp stand
`;

for (const { firmware, bios, ignore } of FIRMWARES) {
  Deno.test({
    name: `power management by int 15h with ${firmware}: its version, no events, a rest, off`,
    ignore,
    fn: async () => {
      const disk = new Uint8Array(1 << 20);
      disk.set(bootSector(POWER));
      await using machine = await boot(disk, bios);
      const { vm } = machine;
      await machine.untilByte(DONE, 0x77);
      assertEquals([...machine.read(0x500, 6)], [2, 1, 0x4d, 0x50, 2, 1]);
      assertEquals([...machine.read(0x506, 2)], [0x80, 0xff]);
      const said: unknown[] = [];
      vm.machine.events.on("SHUTDOWN", (event) => void said.push(event));
      vm.machine.memory.writeValue(DONE - 1, 1, 0x77);
      await vm.until("the machine to be off", () => said.length > 0, { timeoutMs: 60_000 });
      assertEquals(said, [{ guest: true, reason: "guest-shutdown" }]);
    },
  });
}
