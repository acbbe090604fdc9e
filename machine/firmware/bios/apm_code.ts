/**
 * The ROM's code for Advanced Power Management in protected mode: one entry for segments of 16 bits, one for those of 32.
 *
 * The assembler knows code of 16 bits only. In a segment of 32 bits the prefix that it puts before operands of 32 bits
 * makes them such of 16: so `cmp ebx, 1` is read there as `cmp bx, 1`. Where numbers follow, their bytes are given.
 *
 * Source: [APM 1.2] 4.6.
 *
 * @module
 */

/** Functions as in power.ts; PM_CONTROL is the port of the sleep types. */
export const APM_SOURCE = code("apm16", {
  isAll: "cmp bx, 1",
  isOff: "cmp cx, 3",
  save: "push dx",
  restore: "pop dx",
  port: "mov dx, PM_CONTROL",
  sleep: "mov ax, 0x2000\n out dx, ax",
  version: "mov ax, 0x0102",
  status: "mov bx, 0x01ff\n mov cx, 0x80ff\n mov dx, 0xffff",
  noState: "xor cx, cx",
}) + code("apm32", {
  isAll: "cmp ebx, 1",
  isOff: "cmp ecx, 3",
  save: "push edx",
  restore: "pop edx",
  port: "db 0x66, 0xba\n dw PM_CONTROL",
  sleep: "db 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef",
  version: "db 0x66, 0xb8, 0x02, 0x01",
  status: "db 0x66, 0xbb, 0xff, 0x01, 0x66, 0xb9, 0xff, 0x80, 0x66, 0xba, 0xff, 0xff",
  noState: "xor ecx, ecx",
});

type Line = "isAll" | "isOff" | "save" | "restore" | "port" | "sleep" | "version" | "status" | "noState";

function code(name: string, lines: Readonly<Record<Line, string>>): string {
  return `
${name}: cmp al, 0x07
        jne .idle
        ${lines.isAll}
        jne .fine
        ${lines.isOff}
        jne .fine
        ${lines.save}
        ${lines.port}
        ${lines.sleep}
        ${lines.restore}
        jmp .fine
.idle:  cmp al, 0x05
        jne .event
        sti
        hlt
        jmp .fine
.event: cmp al, 0x0b
        jne .asked
        mov ah, 0x80
        stc
        retf
.asked: cmp al, 0x0e
        jne .power
        ${lines.version}
        clc
        retf
.power: cmp al, 0x0a
        jne .state
        ${lines.status}
.state: cmp al, 0x0c
        jne .fine
        ${lines.noState}
.fine:  mov ah, 0
        clc
        retf
`;
}
