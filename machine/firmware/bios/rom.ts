/**
 * The built-in firmware's code: 64 KiB that end at 1 MiB. All that it does itself is to set up vectors and chips, count
 * time, acknowledge interrupts, and hand calls to the host.
 *
 * ```
 * int 13h ─ push 13h ─ service: registers to memory ─ out PORT ─ host begins, says under which number
 *                      poll:    out PORT+1, number ─ in: 0 done (registers are back in memory), 1 busy, 2 sleep first
 *                      registers from memory ─ iret
 * ```
 * Interrupts stay on while the host is busy, and may call in turn: the host keeps each call under its own number.
 *
 * Source: [IBM AT TR] "System BIOS"; El Torito and EDD are the host's affair.
 *
 * @module
 */
import { assemble } from "../assembler/mod.ts";
import { APM_SOURCE } from "./apm_code.ts";
import { FRAME_ADDRESS, FRAME_BYTES } from "./call.ts";
import { type FontHeight, packedFont } from "./font.ts";
import { EXTENDED_AREA, LOW_MEMORY_KIB, POWER_PORTS } from "./site.ts";

/** The port that begins a call; the one behind it asks about it. */
export const CALL_PORT = 0x5f0;
/** The firmware's own services, beside those with an interrupt's number. */
export const OWN_SERVICE = { powerOn: 0x100, bootMenu: 0x101, optionRom: 0x102, key: 0x109 } as const;
/** Where the code lies. */
export const ROM_SEGMENT = 0xf000;
/** What of the ROM is free for tables lies before this: the code begins here. */
export const CODE_OFFSET = 0x8000;
/** Where its fonts lie, by the height of their characters. */
export const FONT_OFFSETS: Readonly<Record<FontHeight, number>> = { 8: 0xd000, 14: 0xd800, 16: 0xe600 };
/**
 * What option ROMs are shown so that they know a firmware that calls their entries. Systems, which look for it at every
 * sixteenth byte, shall not find it: it has no functions.
 */
const PNP_OFFSET = 0xff81;
/** The size of the ROM. */
export const ROM_BYTES = 0x10000;

/** Interrupts that the host serves. */
const SERVED = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x40];

const SOURCE = `
base:
poweron:
        cli
        cld
        xor ax, ax
        mov ss, ax
        mov sp, 0x7000
        mov es, ax
        mov ds, ax
        ; every vector leads somewhere
        xor di, di
        mov cx, 256
.fill:  mov ax, nothing
        stosw
        mov ax, SEGMENT
        stosw
        loop .fill
        mov si, vectors
.next:  mov bx, [cs:si]
        cmp bx, 0xffff
        je .chips
        shl bx, 2
        mov ax, [cs:si+2]
        mov [bx], ax
        add si, 4
        jmp .next
.chips: ; tables that vectors lead to
        mov word [0x1e*4], floppytable
        mov word [0x1d*4], 0
        mov word [0x1f*4], 0
        ; interrupt controllers: 08h and 70h, a second one on line 2
        mov al, 0x11
        out 0x20, al
        out 0xa0, al
        mov al, 0x08
        out 0x21, al
        mov al, 0x70
        out 0xa1, al
        mov al, 0x04
        out 0x21, al
        mov al, 0x02
        out 0xa1, al
        mov al, 0x01
        out 0x21, al
        out 0xa1, al
        mov al, 0xb8
        out 0x21, al
        mov al, 0xef
        out 0xa1, al
        ; 18.2 times a second
        mov al, 0x36
        out 0x43, al
        xor al, al
        out 0x40, al
        out 0x40, al
        pushf
        push cs
        call hostpoweron
.roms:  pushf
        push cs
        call hostrom
        test ax, ax
        jz .menu
        pushf
        push cs
        call callrom
        cli
        jmp .roms
.menu:  pushf
        push cs
        call hostmenu
        sti
        int 0x19
giveup: int 0x18
stand:  sti
        hlt
        jmp stand

hostpoweron:
        push word POWER_ON
        jmp service

; an option ROM: no device, no number of a card
callrom:
        mov ax, EXTENDED_SEGMENT
        mov ds, ax
        mov ax, SEGMENT
        mov es, ax
        mov di, PNP
        xor ax, ax
        mov bx, 0xffff
        mov dx, bx
        sti
        call far [ROM_ENTRY]
        iret
bootrom:
        pushf
        push cs
        call callrom
        jmp giveup

hostrom:
        push word OPTION_ROM
        jmp service
hostmenu:
        push word BOOT_MENU
        jmp service

service:
        pushad
        push ds
        push es
        cld
        cli
        mov ax, FRAME_SEGMENT
        mov es, ax
        xor di, di
        push ss
        pop ds
        mov si, sp
        mov cx, FRAME_WORDS
        rep movsw
        mov dx, PORT
        out dx, al
        in al, dx
        mov bl, al
.poll:  cli
        mov dx, PORT+1
        mov al, bl
        out dx, al
        in al, dx
        cmp al, 1
        jb .done
        je .busy
        sti
        hlt
        jmp .poll
.busy:  sti
        nop
        jmp .poll
.done:  push ss
        pop es
        mov di, sp
        mov ax, FRAME_SEGMENT
        mov ds, ax
        xor si, si
        mov cx, FRAME_WORDS
        rep movsw
        pop es
        pop ds
        popad
        add sp, 2
        iret

timer:  push ds
        push ax
        mov ax, 0x40
        mov ds, ax
        inc dword [0x6c]
        cmp dword [0x6c], TICKS_PER_DAY
        jb .same
        mov dword [0x6c], 0
        inc byte [0x70]
.same:  int 0x1c
        mov al, 0x20
        out 0x20, al
        pop ax
        pop ds
        iret

keyboard:
        push ax
        in al, 0x60
        mov ah, 0x4f
        stc
        int 0x15
        jnc .done
        pushf
        push cs
        call hostkey
        mov al, 0x20
        out 0x20, al
        ; Print Screen and Break
        push ds
        mov ax, EXTENDED_SEGMENT
        mov ds, ax
        mov al, [0x31]
        mov byte [0x31], 0
        pop ds
        cmp al, 0x1b
        jne .print
        int 0x1b
.print: cmp al, 0x05
        jne .end
        int 0x05
.end:   pop ax
        iret
.done:  mov al, 0x20
        out 0x20, al
        pop ax
        iret

hostkey:
        push word KEY
        jmp service

; three bytes of the mouse, or as many as were asked for: status, x, y and 0 go to the program's handler
mouse:  pushad
        push ds
        push es
        mov ax, EXTENDED_SEGMENT
        mov ds, ax
        in al, 0x60
        mov cl, [0x27]
        test cl, 0x80
        jz .end
        mov bl, [0x26]
        and bx, 7
        mov [bx+0x28], al
        inc bx
        and cl, 7
        cmp bl, cl
        mov [0x26], bl
        jbe .end
        mov byte [0x26], 0
        xor ah, ah
        mov al, [0x28]
        push ax
        mov al, [0x29]
        push ax
        mov al, [0x2a]
        push ax
        xor al, al
        push ax
        call far [0x22]
        add sp, 8
.end:   cli
        mov al, 0x20
        out 0xa0, al
        out 0x20, al
        pop es
        pop ds
        popad
        iret

; interrupts that nobody serves: of the first controller, of the second, and of no controller
first:  push ax
        mov al, 0x20
        out 0x20, al
        pop ax
        iret
second: push ax
        mov al, 0x20
        out 0xa0, al
        out 0x20, al
        pop ax
        iret
nothing:
        iret
nopnp:  mov ax, 0x82
        retf
`;

/** Tables for the guest: of a floppy drive (int 1Eh), of the machine (int 15h, function C0h). */
const TABLES = `
floppytable:
        db 0xdf, 0x02, 0x25, 2, 18, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08
machinetable:
        dw 8
        db 0xfc, 0, 0, 0x70, 0x40, 0, 0, 0
`;

/** Where protected mode enters for power management. */
export interface ApmEntries {
  readonly entry16: number;
  readonly entry32: number;
}

/** The image, and where its tables are. */
export interface BiosRom {
  readonly apm: ApmEntries;
  readonly image: Uint8Array;
  readonly machineTable: number;
  readonly bootRom: number;
  readonly giveUp: number;
  readonly stand: number;
}

/** Assembles the ROM. */
export function assembleBios(): BiosRom {
  const entries = SERVED.map((number) => `int${number}: push word ${number}\n jmp service\n`).join("");
  const hardware = [...Array(16).keys()].map((line) => [
    line < 8 ? 8 + line : 0x68 + line,
    line === 0 ? "timer" : line === 1 ? "keyboard" : line === 12 ? "mouse" : line < 8 ? "first" : "second",
  ]);
  const rows = [...hardware, ...SERVED.map((number) => [number, `int${number}`])];
  const vectors = `vectors:\n${rows.map(([number, label]) => ` dw ${number}, ${label}\n`).join("")} dw 0xffff\n`;
  const { bytes, symbols } = assemble(`${SOURCE}${APM_SOURCE}${entries}${vectors}${TABLES}`, CODE_OFFSET, {
    SEGMENT: ROM_SEGMENT,
    PORT: CALL_PORT,
    POWER_ON: OWN_SERVICE.powerOn,
    BOOT_MENU: OWN_SERVICE.bootMenu,
    OPTION_ROM: OWN_SERVICE.optionRom,
    ROM_ENTRY: EXTENDED_AREA.romEntry - LOW_MEMORY_KIB * 1024,
    PNP: PNP_OFFSET,
    KEY: OWN_SERVICE.key,
    FRAME_SEGMENT: FRAME_ADDRESS / 16,
    EXTENDED_SEGMENT: LOW_MEMORY_KIB * 1024 / 16,
    FRAME_WORDS: FRAME_BYTES / 2,
    TICKS_PER_DAY: 0x1800b0,
    PM_CONTROL: POWER_PORTS + 4,
  });
  const image = new Uint8Array(ROM_BYTES);
  image.set(bytes, CODE_OFFSET);
  for (const height of [8, 14, 16] as const) image.set(packedFont(height), FONT_OFFSETS[height]);
  image.set(assemble(`jmp ${ROM_SEGMENT}:${CODE_OFFSET}`).bytes, 0xfff0);
  image.set(pnpStructure(symbols.get("nopnp")!), PNP_OFFSET);
  // The date and the model stand where programs have looked for them since the first PC.
  new TextEncoder().encodeInto("11/29/26", image.subarray(0xfff5));
  image[0xfffe] = 0xfc;
  return {
    image,
    apm: { entry16: symbols.get("apm16")!, entry32: symbols.get("apm32")! },
    machineTable: symbols.get("machinetable")!,
    bootRom: symbols.get("bootrom")!,
    giveUp: symbols.get("giveup")!,
    stand: symbols.get("stand")!,
  };
}

/** Source: [PNP BIOS] 4.4 "System BIOS PnP Installation Check". */
function pnpStructure(entry: number): Uint8Array {
  const bytes = new Uint8Array(33);
  const view = new DataView(bytes.buffer);
  new TextEncoder().encodeInto("$PnP", bytes);
  bytes.set([0x10, bytes.length], 4);
  view.setUint16(13, entry, true);
  view.setUint16(15, ROM_SEGMENT, true);
  view.setUint16(17, entry, true);
  view.setUint32(19, ROM_SEGMENT * 16, true);
  view.setUint16(27, ROM_SEGMENT, true);
  view.setUint32(29, ROM_SEGMENT * 16, true);
  bytes[8] = 0x100 - bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);
  return bytes;
}
