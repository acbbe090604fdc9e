/**
 * The guest on the demonstration disk: code of our own that prints on screen and serial port and keeps its disk busy.
 *
 * Once a second it writes an entry to a ring of 64 sectors, reads it back, compares, and says so. The number of entries
 * is on the disk: what `loadvm` goes back to is seen to go back.
 *
 * @module
 */
import { assemble } from "../../../machine/mod.ts";

const SECTOR_BYTES = 512;
/** Where the boot sector's code begins: behind the parameters of the file system. */
const BOOT_CODE_AT = 62;
const PROGRAM = 0x8000;
/** The sector that keeps the count, and the ring behind it: free space of the file system. */
export const COUNT_SECTOR = 2000;
/** How many sectors the ring has. */
export const RING_SECTORS = 64;
const TICKS_A_SECOND = 18;

const BOOT = `
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        mov si, packet
        mov ah, 0x42
        int 0x13
        jc .failed
        jmp 0:PROGRAM
.failed:
        hlt
        jmp .failed
packet: db 16, 0
        dw PROGRAM_SECTORS, PROGRAM, 0
        dd PROGRAM_SECTOR, 0
`;

const DEMONSTRATION = `
start:  mov [drive], dl
        ; where the screen is the serial port already, nothing is said twice
        mov dx, 0x510
        mov ax, 4
        out dx, ax
        inc dx
        in al, dx
        mov [noscreen], al
        call command
        mov si, hello
        call print
        mov eax, COUNT_SECTOR
        mov ah, 0x42
        call transfer
        jc failed
        cmp dword [buffer], MARK
        je .again
        mov dword [buffer+4], 0
        jmp loop
.again: mov si, before
        call print
        mov eax, [buffer+4]
        call number
        mov si, entries
        call print

loop:   call second
        inc dword [buffer+4]
        mov dword [buffer], MARK
        ; the entry: its number in every word
        mov eax, [buffer+4]
        mov di, buffer+8
        mov cx, 126
        rep stosd
        ; which sector of the ring
        and eax, RING_SECTORS-1
        add eax, COUNT_SECTOR+1
        mov [sector], eax
        mov ah, 0x43
        call transfer
        jc failed
        ; the count
        mov dword [sector], COUNT_SECTOR
        mov ah, 0x43
        call transfer
        jc failed
        ; and the entry back
        mov eax, [buffer+4]
        and eax, RING_SECTORS-1
        add eax, COUNT_SECTOR+1
        mov [sector], eax
        mov word [packet+4], other
        mov ah, 0x42
        call transfer
        mov word [packet+4], buffer
        jc failed
        mov si, buffer
        mov di, other
        mov cx, 256
        repe cmpsw
        jne differs
        mov si, entry
        call print
        mov eax, [buffer+4]
        call number
        mov si, atsector
        call print
        mov eax, [sector]
        call number
        mov si, equal
        call print
        jmp loop

differs:
        mov si, unequal
        call print
        jmp stand
failed: mov si, trouble
        call print
stand:  call key
        hlt
        jmp stand

; waits for a second, looking at the keyboard
second: xor ah, ah
        int 0x1a
        mov [since], dx
.wait:  hlt
        call key
        xor ah, ah
        int 0x1a
        sub dx, [since]
        cmp dx, TICKS_A_SECOND
        jb .wait
        ret

; q switches the machine off
key:    mov ah, 1
        int 0x16
        jz .none
        xor ah, ah
        int 0x16
        cmp al, 'q'
        jne .none
        mov si, goodbye
        call print
        ; a BIOS whose screen is a serial port sends its last characters at the next ticks
        mov cx, 3
.tick:  hlt
        loop .tick
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
.none:  ret

; sector [sector] by function AH, with the buffer that the packet names
transfer:
        mov dword [packet+12], 0
        push eax
        mov eax, [sector]
        mov [packet+8], eax
        pop eax
        xor al, al
        mov dl, [drive]
        mov si, packet
        int 0x13
        ret

; EAX in decimal
number: mov di, digits+10
        mov ebx, 10
.next:  xor edx, edx
        div ebx
        add dl, '0'
        dec di
        mov [di], dl
        test eax, eax
        jnz .next
        mov si, di
        call print
        ret

; the text at SI, ended by a zero, on the screen and on the first serial port
print:  lodsb
        test al, al
        jz .end
        push si
        push ax
        mov ah, 0x0e
        mov bx, 7
        int 0x10
        pop ax
        cmp byte [noscreen], 0
        jne .next
        mov ah, 1
        xor dx, dx
        int 0x14
.next:  pop si
        jmp print
.end:   ret

; the serial port at 9600 baud, 8 bits
command:
        mov ax, 0x00e3
        xor dx, dx
        int 0x14
        ret

hello:  db 'This is the demonstration guest of moa.', 13, 10
        db 'Once a second it writes a sector, reads it back and compares. q switches off.', 13, 10, 0
before: db 'Before this start there were ', 0
entries:
        db ' entries.', 13, 10, 0
entry:  db 'entry ', 0
atsector:
        db ' in sector ', 0
equal:  db ': written and read back', 13, 10, 0
unequal:
        db 'what was read back is not what was written', 13, 10, 0
trouble:
        db 'the disk answered with an error', 13, 10, 0
goodbye:
        db 'switching off', 13, 10, 0
digits: db '0000000000', 0
        align 4
packet: db 16, 0
        dw 1, buffer, 0
        dd 0, 0
sector: dd COUNT_SECTOR
since:  dw 0
drive:  db 0
noscreen:
        db 0
        align 16
buffer: times 512 db 0
other:  times 512 db 0
`;

const MARK = 0x616f6d21;

/** The program that the boot sector loads, in whole sectors. */
export function demonstrationProgram(): Uint8Array {
  const { bytes } = assemble(DEMONSTRATION, PROGRAM, { COUNT_SECTOR, RING_SECTORS, TICKS_A_SECOND, MARK });
  const program = new Uint8Array(Math.ceil(bytes.length / SECTOR_BYTES) * SECTOR_BYTES);
  program.set(bytes);
  return program;
}

/** Puts code into a disk's boot sector that loads the program from `sector` on and starts it. */
export function makeBootable(disk: Uint8Array, programSector: number, programSectors: number): void {
  const { bytes } = assemble(BOOT, 0x7c00 + BOOT_CODE_AT, {
    PROGRAM,
    PROGRAM_SECTOR: programSector,
    PROGRAM_SECTORS: programSectors,
  });
  disk.set(bytes, BOOT_CODE_AT);
}
