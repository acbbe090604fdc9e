/**
 * Int 10h beyond text: VESA modes, fonts, rows of text, by a boot sector under SeaBIOS' VGA BIOS and moa's own.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { findFirmware } from "../../machine/firmware/mod.ts";
import { haveSeaBios } from "./boot_sector.ts";
import { boot, type BootedMachine, bootSector, PATIENCE_MS } from "./booted.ts";

const hasVgaBios = findFirmware("vgabios-stdvga.bin") !== undefined;
const FIRMWARE = [
  { name: "SeaBIOS", options: {}, ignore: !haveSeaBios() || !hasVgaBios },
  { name: "built-in firmware", options: { bios: "built-in" }, ignore: false },
] as const;

/** A disk with this boot sector, whose registers and stack are set up; it ends with 77h at 5FFh. */
function disk(source: string): Uint8Array {
  const image = new Uint8Array(2 ** 20);
  image.set(bootSector(`
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        ${source}
        mov byte [0x5ff], 0x77
stand0: hlt
        jmp stand0
  `));
  return image;
}

function words(machine: BootedMachine, at: number, count: number): number[] {
  return [...new Uint16Array(machine.read(at, 2 * count).buffer)];
}

function textAt(machine: BootedMachine, at: number, length: number): string {
  return new TextDecoder().decode(machine.read(at, length));
}

const VESA = `
        mov dword [0x1000], 0x32454256
        mov di, 0x1000
        mov ax, 0x4f00
        int 0x10
        mov [0x500], ax
        mov di, 0x1400
        mov ax, 0x4f01
        mov cx, 0x0111
        int 0x10
        mov [0x502], ax
        mov ax, 0x4f01
        mov cx, 0x00ff
        int 0x10
        mov [0x504], ax
        ; 640 by 480 with a palette, through the window
        mov ax, 0x4f02
        mov bx, 0x0101
        int 0x10
        mov [0x506], ax
        mov ax, 0x4f03
        int 0x10
        mov [0x508], bx
        mov ax, 0x4f05
        xor bx, bx
        mov dx, 1
        int 0x10
        mov [0x50a], ax
        mov ax, 0xa000
        mov es, ax
        mov byte [es:5], 15
        xor ax, ax
        mov es, ax
        mov ax, 0x4f05
        mov bx, 0x0100
        int 0x10
        mov [0x50c], dx
        ; entry 15 becomes red 63, green 21, blue 42; SeaBIOS' VGA BIOS has no 4F09h
        mov dword [0x1800], 0x003f152a
        mov di, 0x1800
        mov ax, 0x4f09
        xor bx, bx
        mov cx, 1
        mov dx, 15
        int 0x10
        cmp ax, 0x004f
        je colour
        mov ax, 0x1010
        mov bx, 15
        mov cx, 0x152a
        mov dh, 63
        int 0x10
colour:
        mov ax, 0x4f06
        mov bx, 1
        int 0x10
        mov [0x510], bx
        mov [0x512], cx
        mov ax, 0x4f08
        mov bx, 0x0801
        int 0x10
        mov [0x514], bx
        ; the first line that is shown becomes the third
        mov ax, 0x4f07
        xor bx, bx
        xor cx, cx
        mov dx, 2
        int 0x10
        mov [0x516], ax`;

for (const { name, options, ignore } of FIRMWARE) {
  Deno.test({
    name: `VESA modes with ${name}: what there is, a mode, its window, its palette, its start`,
    ignore,
    fn: async () => {
      await using machine = await boot(disk(VESA), options);
      await machine.untilByte(0x5ff, 0x77);
      const [info, modeInfo, unknown, set, mode, window, bank, , lineBytes, linePixels, dac, start] = words(
        machine,
        0x500,
        12,
      );
      assertEquals([info, modeInfo, set, window, start], Array(5).fill(0x4f));
      assert(unknown !== 0x4f);
      assertEquals([mode, bank, lineBytes, linePixels, dac! >> 8], [0x101, 1, 640, 640, 6]);
      assertEquals(textAt(machine, 0x1000, 4), "VESA");
      const [listAt, listSegment, banks] = words(machine, 0x100e, 3);
      assertEquals(banks, 256);
      const numbers = words(machine, listSegment! * 16 + listAt!, 100);
      const modes = numbers.slice(0, numbers.indexOf(0xffff));
      assertEquals([0x101, 0x103, 0x105, 0x111, 0x112, 0x114, 0x117, 0x11a].filter((one) => !modes.includes(one)), []);
      const described = machine.read(0x1400, 66);
      const view = new DataView(described.buffer);
      assertEquals([16, 18, 20].map((at) => view.getUint16(at, true)), [1280, 640, 480]);
      assertEquals([...described.subarray(25, 28)], [16, 1, 6]);
      assertEquals([...described.subarray(31, 37)], [5, 11, 6, 5, 5, 0]);
      assertEquals(view.getUint16(0, true) & 0x9b, 0x9b);
      // The window in memory that it names is the card's.
      const { width, height, pixels } = machine.vm.screen.picture();
      assertEquals([width, height], [640, 480]);
      const at = 3 * (0x10005 - 2 * 640);
      assertEquals([...pixels.subarray(at - 3, at + 6)], [0, 0, 0, 255, 87, 168, 0, 0, 0]);
      const linear = view.getUint32(40, true);
      assertEquals(machine.read(linear + 0x10005, 1)[0], 15);
    },
  });
}

const FONTS = `
        mov ax, 0x1130
        mov bh, 6
        int 0x10
        mov [0x500], cx
        mov [0x502], dl
        push ds
        push es
        pop ds
        mov si, bp
        xor ax, ax
        mov es, ax
        mov di, 0x1000
        mov cx, 4096
        rep movsb
        pop ds
        ; 8 by 8 dots: 50 rows
        mov ax, 0x1112
        mov bl, 0
        int 0x10
        mov al, [0x484]
        mov [0x503], al
        mov ax, 0x0200
        xor bx, bx
        mov dx, 0x3105
        int 0x10
        mov ax, 0x0e41
        int 0x10
        ; a character of the program's own: a full block for 'B'
        mov di, 0x3000
        mov cx, 8
        mov al, 0xff
        rep stosb
        mov ax, 0x1100
        mov bx, 0x0800
        mov cx, 1
        mov dx, 0x42
        mov bp, 0x3000
        int 0x10
        mov ax, 0x0e42
        xor bx, bx
        int 0x10`;

for (const { name, options, ignore } of FIRMWARE) {
  Deno.test({
    name: `fonts with ${name}: where they are, 50 rows, a character of the program's`,
    ignore,
    fn: async () => {
      await using machine = await boot(disk(FONTS), options);
      await machine.untilByte(0x5ff, 0x77);
      assertEquals([...machine.read(0x500, 4)], [16, 0, 24, 49]);
      const font = machine.read(0x1000, 4096);
      const dots = (code: number) =>
        font.subarray(code * 16, code * 16 + 16).reduce(
          (sum, row) => sum + row.toString(2).replaceAll("0", "").length,
          0,
        );
      assertEquals([dots(0x20), dots(0xdb)], [0, 128]);
      assert(dots(0x41) > dots(0x2e) && dots(0x2e) > 0);
      const { vm } = machine;
      await vm.screen.waitFor(/AB/, { timeoutMs: PATIENCE_MS });
      const lines = vm.screen.text().split("\n");
      assertEquals([lines.length >= 50, lines[49]!.slice(5, 7)], [true, "AB"]);
      // The full block, in the last row but one of the picture's cells.
      const { width, height, pixels } = vm.screen.picture();
      assertEquals(height, 400);
      const cell = width / 80;
      const lit = (row: number, column: number) => pixels[3 * (row * width + column)]! > 0;
      assertEquals([lit(392, 6 * cell), lit(399, 6 * cell + 7), lit(391, 6 * cell)], [true, true, false]);
    },
  });
}

/**
 * Dots by function 0Ch, two of them combined with what is there, and one read back; then characters of a font of the
 * program's, whose rows are all different: a line, a repeated one, and a scroll of a window.
 */
const dotsIn = (mode: number, height: number) => `
        mov ax, ${mode}
        int 0x10
        mov cx, 3
        mov dx, 60
.dots:  mov ax, 0x0c03
        xor bx, bx
        int 0x10
        mov ax, 0x0d00
        int 0x10
        mov [0x500], al
        add cx, 5
        inc dx
        cmp cx, 300
        jb .dots
        sub cx, 5
        dec dx
        mov ax, 0x0c81
        int 0x10
        mov ax, 0x0d00
        int 0x10
        mov [0x501], al
        mov di, 0x3000
        mov cx, 0x1000
.font:  stosb
        add al, 29
        loop .font
        mov ax, 0x1121
        mov cx, ${height}
        mov bx, 2
        mov bp, 0x3000
        int 0x10
        mov ax, 0x0200
        xor bx, bx
        mov dx, 0x0102
        int 0x10
        mov ax, 0x0e41
        mov bx, 2
        int 0x10
        mov ax, 0x0e0d
        int 0x10
        mov ax, 0x0e0a
        int 0x10
        mov ax, 0x0e42
        int 0x10
        mov ax, 0x0943
        mov bx, 3
        mov cx, 4
        int 0x10
        mov ax, 0x0601
        mov bh, 1
        mov cx, 0x0101
        mov dx, 0x1515
        int 0x10
        mov ax, 0x0702
        mov bh, 0
        mov cx, 0x0003
        mov dx, 0x0a07
        int 0x10`;

/** CGA's four and two colours, EGA's and VGA's planes, VGA's 256 colours. */
for (const [mode, height] of [[0x04, 8], [0x06, 8], [0x0d, 8], [0x0e, 8], [0x10, 14], [0x12, 16], [0x13, 8]] as const) {
  const name = `mode ${mode.toString(16).padStart(2, "0")}h: dots, characters and scrolling look as under SeaBIOS`;
  Deno.test({
    name,
    ignore: FIRMWARE[0].ignore,
    fn: async () => {
      const seen = [];
      for (const { options } of FIRMWARE) {
        await using machine = await boot(disk(dotsIn(mode, height)), options);
        await machine.untilByte(0x5ff, 0x77);
        const { width, height: lines, pixels } = machine.vm.screen.picture();
        seen.push({ width, lines, read: [...machine.read(0x500, 2)], pixels });
      }
      const [theirs, ours] = seen;
      assertEquals([ours!.width, ours!.lines, ours!.read], [theirs!.width, theirs!.lines, theirs!.read]);
      assert(theirs!.pixels.some((part) => part > 0));
      const different = theirs!.pixels.findIndex((part, at) => ours!.pixels[at] !== part);
      const at = Math.floor(different / 3);
      assertEquals(different, -1, `dot ${at % ours!.width}, ${Math.floor(at / ours!.width)}`);
    },
  });
}
