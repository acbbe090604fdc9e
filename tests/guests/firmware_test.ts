/**
 * From power on to a boot sector, with SeaBIOS and with moa's own firmware, and what both serve.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SECTOR_BYTES } from "../../base/units.ts";
import { buildIso } from "../../mod.ts";
import { TempFolder } from "../support/temp.ts";
import { boot, bootSector, DONE, FIRMWARES } from "./booted.ts";

/** Reads, writes and asks; everything that it finds goes to 500h. */
const SERVICES = `
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        mov [0x500], dl
        ; sector 2 by cylinder, head, sector
        mov ax, 0x0201
        mov cx, 0x0003
        mov dh, 0
        mov bx, 0x8000
        int 0x13
        mov [0x501], ah
        ; sector 3 by number
        mov si, packet
        mov ah, 0x42
        mov dl, [0x500]
        int 0x13
        mov [0x502], ah
        ; and back to sector 5
        mov word [packet+8], 5
        mov ax, 0x4300
        mov dl, [0x500]
        int 0x13
        mov [0x503], ah
        ; beyond the end
        mov dword [packet+8], 0x100000
        mov ah, 0x42
        mov dl, [0x500]
        int 0x13
        mov [0x504], ah
        jnc stand0

        mov byte [0x505], 1
stand0: int 0x12
        mov [0x506], ax
        ; memory map: the first run
        xor ebx, ebx
        mov eax, 0xe820
        mov edx, 0x534d4150
        mov ecx, 20
        mov di, 0x510
        int 0x15
        mov [0x530], ebx
        ; time goes on
        xor ah, ah
        int 0x1a
        mov bx, dx
.tick:  xor ah, ah
        int 0x1a
        cmp dx, bx
        je .tick
        ; a disk's parameters
        mov ah, 8
        mov dl, [0x500]
        int 0x13
        mov [0x508], dl
        mov [0x509], dh
        mov [0x50a], cl
        mov byte [0x5ff], 0x77
stand:  hlt
        jmp stand
packet: db 16, 0
        dw 1, 0x9000, 0
        dd 3, 0
`;

function disk(): Uint8Array {
  const image = new Uint8Array(4 << 20);
  for (let sector = 1; sector < 16; sector++) {
    image.fill(0x40 + sector, sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
  }
  image.set(bootSector(SERVICES));
  return image;
}

for (const { firmware, bios, ignore } of FIRMWARES) {
  Deno.test({
    name: `${firmware}: a boot sector starts and its disk, memory and time services answer`,
    ignore,
    fn: async () => {
      await using machine = await boot(disk(), bios);
      await machine.untilByte(DONE, 0x77);
      const [drive, chs, read, write, beyond, carry] = machine.read(0x500, 6);
      assertEquals([drive, chs, read, write, carry], [0x80, 0, 0, 0, 1]);
      assert(beyond !== 0);
      assertEquals(machine.read(0x8000, SECTOR_BYTES), new Uint8Array(SECTOR_BYTES).fill(0x42));
      assertEquals(machine.read(0x9000, SECTOR_BYTES), new Uint8Array(SECTOR_BYTES).fill(0x43));
      assertEquals(
        (await machine.image()).subarray(5 * SECTOR_BYTES, 6 * SECTOR_BYTES),
        new Uint8Array(SECTOR_BYTES).fill(0x43),
      );
      assertEquals(new Uint16Array(machine.read(0x506, 2).buffer)[0], 639);
      // 0 to 639 KiB is RAM, and there is more to tell.
      assertEquals([...new Uint32Array(machine.read(0x510, 20).buffer)], [0, 0, 639 * 1024, 0, 1]);
      assert(new Uint32Array(machine.read(0x530, 4).buffer)[0] !== 0);
      assertEquals([...machine.read(0x508, 2)], [1, 15]);
      assertEquals(machine.read(0x50a, 1)[0]! & 0x3f, 63);
    },
  });

  Deno.test({
    name: `${firmware}: a CD without emulation is loaded and started (El Torito)`,
    ignore,
    fn: async () => {
      await using temp = await TempFolder.make();
      const loader = new Uint8Array(3 * 2048).fill(0x5a);
      loader.set(
        bootSector("xor ax, ax\n mov ds, ax\n mov [0x500], dl\n mov byte [0x5ff], 0x77\nstand: hlt\n jmp stand"),
      );
      const cd = await temp.write("cd.iso", buildIso({ "boot.img": loader }, { boot: "boot.img" }));
      await using machine = await boot(new Uint8Array(1 << 20), {
        ...bios,
        boot: "dc",
        drives: [`file=${cd},format=raw,media=cdrom,index=2`],
      });
      await machine.untilByte(DONE, 0x77);
      assert(machine.read(0x500, 1)[0]! >= 0xe0 || machine.read(0x500, 1)[0]! >= 0x81);
      assertEquals(
        machine.read(0x7c00 + SECTOR_BYTES, 5 * SECTOR_BYTES + 4096 - 2048).every((byte) => byte === 0x5a),
        true,
      );
    },
  });

  Deno.test({
    name: `${firmware}: a floppy boots once, then the disk; boot_set changes that`,
    ignore,
    fn: async () => {
      await using temp = await TempFolder.make();
      // Says where it was started from, and what is in the third sector of that.
      const guest = (mark: number) => {
        const image = new Uint8Array(1440 << 10).fill(mark, 2 * SECTOR_BYTES, 3 * SECTOR_BYTES);
        image.set(bootSector(`
          xor ax, ax
          mov ds, ax
          mov es, ax
          mov [0x500], dl
          mov ax, 0x0201
          mov cx, 0x0003
          mov dh, 0
          mov bx, 0x8000
          int 0x13
          mov al, [0x8000]
          mov [0x5ff], al
          stand: hlt
          jmp stand`));
        return image;
      };
      const fda = await temp.write("floppy.img", guest(0x66));
      await using machine = await boot(guest(0x77), { ...bios, fda, boot: "c", bootOnce: "a" });
      const { vm } = machine;
      await machine.untilByte(DONE, 0x66);
      assertEquals(machine.read(0x500, 1)[0], 0x00);
      await vm.monitor("system_reset");
      await machine.untilByte(DONE, 0x77);
      assertEquals(machine.read(0x500, 1)[0], 0x80);
      assertEquals(await vm.monitor("boot_set a"), "boot device list now set to a\n");
      await vm.monitor("system_reset");
      await machine.untilByte(DONE, 0x66);
    },
  });

  Deno.test({
    name: `${firmware}: a reset starts again, a stopped machine stands still`,
    ignore,
    fn: async () => {
      const image = new Uint8Array(1 << 20);
      image.set(bootSector("xor ax, ax\n mov ds, ax\n mov byte [0x9000], 1\nagain: inc dword [0x9004]\n jmp again"));
      await using machine = await boot(image, bios);
      const { vm } = machine;
      await machine.untilByte(0x9000, 1);
      await vm.stop();
      const before = machine.read(0x9004, 4);
      await new Promise((resolve) => setTimeout(resolve, 30));
      assertEquals(machine.read(0x9004, 4), before);
      vm.machine.memory.write(0x9000, Uint8Array.of(2));
      await vm.monitor("system_reset");
      await vm.cont();
      await machine.untilByte(0x9000, 1);
      assert(vm.machine.isRunning);
    },
  });
}

Deno.test("the built-in firmware counts time where nothing boots", async () => {
  await using machine = await boot(new Uint8Array(1 << 20), { bios: "built-in" });
  await machine.vm.until("the CPU to halt", () => machine.vm.machine.memory.readValue(0x46c, 4) > 0, {
    timeoutMs: 60_000,
  });
  assertEquals(machine.vm.machine.runState, "running");
});

Deno.test("the built-in firmware's screen says what it tries and that there is nothing", async () => {
  await using machine = await boot(new Uint8Array(2 ** 20), { bios: "built-in" });
  await machine.vm.screen.waitFor(/No bootable device\./, { timeoutMs: 60_000 });
  const text = machine.vm.screen.text();
  assert(text.includes("Booting from Hard Disk..."), text);
});

/** Shows the keys that are typed, then, after Return, mode 13h with a white line at the top. */
const TYPED = `
        xor ax, ax
        mov ss, ax
        mov sp, 0x7c00
again:  mov ah, 0
        int 0x16
        cmp al, 13
        je graph
        mov ah, 0x0e
        mov bx, 7
        int 0x10
        jmp again
graph:  mov ax, 0x13
        int 0x10
        mov ax, 0xa000
        mov es, ax
        xor di, di
        mov cx, 320
        mov al, 15
        rep stosb
stand:  hlt
        jmp stand
`;

for (const { firmware, bios, ignore } of FIRMWARES) {
  Deno.test({
    name: `keys by int 16h, characters by int 10h, and mode 13h, with ${firmware}`,
    ignore,
    fn: async () => {
      const disk = new Uint8Array(2 ** 20);
      disk.set(bootSector(TYPED));
      await using machine = await boot(disk, bios);
      const { vm } = machine;
      await vm.screen.waitFor(/Booting from Hard Disk/, { timeoutMs: 60_000 });
      await vm.type("Hello, moa!");
      await vm.screen.waitFor(/Hello, moa!/, { timeoutMs: 60_000 });
      await vm.sendKeys("ret");
      const isWhite = () => {
        const { width, pixels } = vm.screen.picture();
        return vm.screen.characters === undefined && pixels.subarray(0, 3 * width).every((part) => part === 255);
      };
      await vm.until("a white line at the top", isWhite, { timeoutMs: 60_000 });
      const { width, height, pixels } = vm.screen.picture();
      assertEquals(5 * width, 8 * height);
      assertEquals(pixels.subarray(-3 * width).every((part) => part === 0), true);
    },
  });
}
