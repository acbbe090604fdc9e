import { assertEquals, assertThrows } from "@std/assert";
import { haveProgram, must } from "../../../tests/support/programs.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { assemble, AssemblyError } from "./mod.ts";

/** One of each form, and more where NASM has to choose. */
const LINES = `
start:  mov ax, 0x1234
        mov bl, 'A'
        mov eax, 0x12345678
        mov ds, ax
        mov ax, es
        mov [es:di], al
        mov [0x1234], ax
        mov [0x1234], eax
        mov al, [0x1234]
        mov bx, [0x1234]
        mov ax, [cs:0x46c]
        mov cx, [bx+si+5]
        mov cx, [bp]
        mov cx, [bp+di-200]
        mov word [bx], 7
        mov dword [di+300], start
        mov byte [bx+1], 0x80
        mov [si], ds
        mov es, [bx+2]
        add ax, 5
        add ax, 500
        add al, 5
        add bx, -3
        add word [bx], 500
        add byte [si], 5
        add eax, 70000
        sub cx, dx
        cmp [bx], ax
        cmp dx, [si+4]
        and al, 0x0f
        or cx, 0x8000
        xor eax, eax
        adc edx, ebx
        sbb si, 1
        test al, 1
        test bx, 0x100
        test [di], dl
        test cx, cx
        xchg ax, bx
        xchg cx, dx
        xchg [bx], al
        inc ax
        inc byte [bx]
        inc dword [0x46c]
        dec ecx
        dec bl
        not ax
        neg cl
        mul bx
        imul cx
        div ecx
        idiv byte [bx]
        shl ax, 1
        shl ax, 4
        shr dl, cl
        sar ebx, 3
        rol byte [si], 1
        rcr word [si], 5
        push ax
        push ds
        push fs
        push 5
        push 0x1234
        push word [bx]
        push dword [bx]
        push eax
        pop es
        pop gs
        pop word [di]
        pop edx
        lea si, [bx+start]
        lea di, [bp+si-1]
        les di, [bx+4]
        lds si, [0x78]
        movzx ax, bl
        movzx ecx, word [bx]
        movsx edx, al
        int 0x13
        in al, 0x60
        in ax, dx
        in eax, dx
        out 0x20, al
        out dx, eax
        rep movsw
        repne scasb
        rep stosd
        lock inc word [bx]
.here:  jmp .here
        jz start
        jnz .far
        jmp .far
        call start
        call word [bx]
        call far [bx+4]
        jmp far [es:di]
        jmp 0xf000:0xe05b
        jmp bx
        jmp word [table+2]
        loop .next
.next:  jcxz .next
        jae .next
        ret
        ret 4
        retf
        retf 2
        iret
        cli
        sti
        hlt
        pusha
        popad
        cbw
        leave
        times 130 nop
.far:   nop
table:  dw start, start.here, $, $-$$, 1+2*3, (1+2)*3
        db 'text, with a comma', 13, 10, 0, "it's"
        dd 0x12345678, -1
size    equ $ - table
        mov cx, size
        mov al, size - 3
        times 600-($-$$) db 0xff
        align 16
        dw 0xaa55
`;

Deno.test({
  name: "assembler: the bytes are those that NASM makes of the same text",
  ignore: !haveProgram("nasm"),
  fn: async () => {
    await using temp = await TempFolder.make();
    await temp.write("in.asm", `bits 16\norg 0x7c00\n${LINES}`);
    await must("nasm", ["-f", "bin", "-o", "out", "in.asm"], { cwd: temp.path });
    const theirs = await Deno.readFile(temp.file("out"));
    const ours = assemble(LINES, 0x7c00).bytes;
    const at = ours.findIndex((byte, i) => byte !== theirs[i]);
    assertEquals([at, ours.length], [-1, theirs.length], `from byte ${at} on: ${ours.subarray(at, at + 8)}`);
  },
});

Deno.test("assembler: what cannot be is refused with its line", () => {
  for (
    const [text, words] of [
      ["nop\nfoo ax", "line 2: no instruction 'foo' here"],
      ["mov ax", "'mov' does not take these operands"],
      ["mov ax, bl", "does not take these operands"],
      ["mov [bx], 5", "does not take these operands"],
      ["mov ax, [cx]", "16-bit code cannot address [cx]"],
      ["jmp nowhere", "'nowhere' is not known"],
      ["mov ax, (1", "lacks a ')'"],
      ["loop far\ntimes 200 nop\nfar:", "too far away for a short jump"],
      ["nop\ntimes 0-($-$$) db 0", "the code before is too long"],
      ["times 70000 nop", "times"],
      ["pop cs", "does not take these operands"],
    ] as const
  ) assertThrows(() => assemble(text), AssemblyError, words, text);
});
