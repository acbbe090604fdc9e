/**
 * A stand-in for an installer: a "kernel" of our own that says what anaconda says, in the same order, over the serial
 * port, asks what it asks, reads its answers from the floppy, and writes a system to the disk that starts and says
 * "login:".
 *
 * It is started as a kernel is (its first sector has a kernel's header) and works by the firmware's services.
 *
 * @module
 */
import { assemble, buildIso, type MediaFiles } from "../../machine/mod.ts";

/** How the stand-in behaves. */
export interface StandIn {
  /** It asks what anaconda asks only now and then, too. */
  readonly asks?: boolean;
  /** It gives up in the middle as many times as this; how often it was begun it counts on the disk's second sector. */
  readonly failures?: number;
  /** Giving up is standing still, instead of a restart. */
  readonly hangs?: boolean;
}

const SETUP_SECTORS = 7;

/** Serial output, a byte at a time, and input up to a carriage return. */
const SERIAL = `
say:    lodsb
        test al, al
        jz .end
        call put
        jmp say
.end:   ret
put:    push dx
        push ax
        mov dx, 0x3fd
.wait:  in al, dx
        test al, 0x20
        jz .wait
        pop ax
        mov dx, 0x3f8
        out dx, al
        pop dx
        ret
answer: mov dx, 0x3fd
        in al, dx
        test al, 1
        jz answer
        mov dx, 0x3f8
        in al, dx
        cmp al, 13
        jne answer
        ret
`;

/** What is written to the disk's first sector: the installed system. */
const INSTALLED = `
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov si, text
        call say
stand:  hlt
        jmp stand
${SERIAL}
text:   db 'Stand-in Linux release 6', 13, 10, 'localhost login: ', 0
        times 510-($-$$) db 0
        dw 0xaa55
`;

function kernelSource({ asks = false, hangs = false }: StandIn): string {
  return `
        times 0x1f1 db 0
        db SETUP_SECTORS
        times 0x200-($-$$) db 0
        jmp enter
        db 'HdrS'
        dw 0x0206
        times 0x211-($-$$) db 0
        db 1
        times 0x22c-($-$$) db 0
        dd 0x37ffffff
        times 0x268-($-$$) db 0
enter:  jmp 0x1000:start

start:  mov ax, 0x1000
        mov ds, ax
        mov es, ax
        sti
        mov si, hello
        call say
        ; the command line has to say where the answers are
        push ds
        mov ax, 0x2000
        mov ds, ax
        xor si, si
.find:  lodsb
        test al, al
        jz .nowhere
        cmp al, 'k'
        jne .find
        cmp byte [si], 's'
        jne .find
        pop ds
        jmp anaconda
.nowhere:
        pop ds
        mov si, noanswers
        jmp give

anaconda:
        mov si, running
        call say
        ; the floppy's root folder begins in its twentieth sector: the first name there is that of the answers
        mov ax, 0x0201
        mov cx, 0x0002
        mov dx, 0x0100
        mov bx, buffer
        int 0x13
        jc nofloppy
        ; behind the entry of its long name
        mov si, buffer+32
        mov di, name
        mov cx, 11
        repe cmpsb
        jne nofloppy
${
    asks
      ? "        mov si, disc\n        call say\n        call answer\n        mov si, table\n        call say\n        call answer\n"
      : ""
  }
        mov si, formatting
        call say
        ; how often it was begun is kept on the disk's second sector
        mov ax, 0x0201
        mov cx, 0x0002
        mov dx, 0x0080
        mov bx, buffer
        int 0x13
        jc nodisk
        inc byte [buffer]
        mov al, [buffer]
        mov [begun], al
        mov ax, 0x0301
        mov cx, 0x0002
        mov dx, 0x0080
        mov bx, buffer
        int 0x13
        jc nodisk
        mov si, packages
        call say
        cmp byte [begun], FAILURES
        jbe ${hangs ? "hang" : "restart"}
        mov si, loader
        call say
        mov ax, 0x0301
        mov cx, 0x0001
        mov dx, 0x0080
        mov bx, system
        int 0x13
        jc nodisk
${asks ? "        mov si, congratulations\n        call say\n        call answer\n" : ""}
        mov si, ending
        call say
restart:
        ; the keyboard controller's reset
        mov al, 0xfe
        out 0x64, al
hang:   hlt
        jmp hang
nofloppy:
        mov si, nofloppytext
        jmp give
nodisk: mov si, nodisktext
give:   call say
        jmp hang
${SERIAL}
hello:  db 'Linux version 2.6.32-stand-in (i686)', 13, 10, 0
running: db 'Running anaconda 13.21.263, the Red Hat Enterprise Linux system installer - please wait.', 13, 10, 0
disc:   db 'Disc Found. To begin testing the media before installation press OK. Choose Skip to skip the media test', 13, 10, 0
table:  db 'Error processing drive. This device may need to be reinitialized. Re-initialize', 13, 10, 0
formatting: db 'Formatting / file system', 13, 10, 0
packages: db 'Package Installation', 13, 10, 'Packages completed: 1 of 4', 13, 10, 'Packages completed: 4 of 4', 13, 10, 0
loader: db 'Installing bootloader.', 13, 10, 0
congratulations: db 'Congratulations, your installation is complete. Reboot', 13, 10, 0
ending: db 'sending termination signals...done', 13, 10, 'rebooting system', 13, 10, 0
noanswers: db 'no answers on the command line', 13, 10, 0
nofloppytext: db 'no answers on the floppy', 13, 10, 0
nodisktext: db 'the disk does not work', 13, 10, 0
name:   db 'KS      CFG'
begun:  db 0
        align 512
buffer: times 512 db 0
system: times 512 db 0
        times (SETUP_SECTORS+1)*512-($-$$) db 0
`;
}

/** The kernel, with one sector behind its real-mode part, since there has to be something. */
export function standInKernel(behaviour: StandIn = {}): Uint8Array {
  const { bytes, symbols } = assemble(kernelSource(behaviour), 0, { SETUP_SECTORS, FAILURES: behaviour.failures ?? 0 });
  const kernel = new Uint8Array(bytes.length + 512);
  kernel.set(bytes);
  kernel.set(assemble(INSTALLED, 0x7c00).bytes, symbols.get("system"));
  return kernel;
}

/** A medium as RHEL's are laid out, with the stand-in for its kernel. */
export function standInMedium(
  about: { readonly family?: string; readonly version?: string; readonly arch?: string } = {},
  behaviour: StandIn = {},
): Uint8Array {
  const { family = "Red Hat Enterprise Linux", version = "6.10", arch = "i386" } = about;
  const files: MediaFiles = {
    ".treeinfo": `[general]\nfamily = ${family}\ntimestamp = 1528\nversion = ${version}\narch = ${arch}\n`,
    "images/pxeboot/vmlinuz": standInKernel(behaviour),
    "images/pxeboot/initrd.img": new Uint8Array(4096).fill(1),
  };
  return buildIso(files, { label: "RHEL" });
}
