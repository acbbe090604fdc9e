/**
 * The prompt looks into a live CPU: interrupt controllers, registers, memory behind page tables.
 *
 * The expected texts are what qemu-system-x86_64 7.2 prints for the same boot sector.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { boot, bootSector, PATIENCE_MS } from "./booted.ts";

/**
 * Gives every register of 8259s, local APIC and I/O APIC a value of its own, maps linear 3FF000 to physical 7000, and
 * halts with known registers. The assembler has no 32-bit addresses and no system instructions: these are bytes.
 */
const SETTER = `
 cli
 xor ax,ax
 mov ds,ax
 mov ss,ax
 db 0x0f,0x01,0x16 ; lgdt
 dw gdtr
 db 0x0f,0x20,0xc0 ; mov eax,cr0
 or al,1
 db 0x0f,0x22,0xc0 ; mov cr0,eax
 mov bx,8
 mov es,bx
 and al,0xfe
 db 0x0f,0x22,0xc0
 mov si,ports
port:
 lodsw
 mov dx,ax
 or ax,ax
 jz registers
 lodsb
 out dx,al
 jmp port
registers:
 mov si,table
next:
 db 0x66,0xad ; lodsd
 or eax,eax
 jz done
 mov edi,eax
 db 0x66,0xad
 db 0x26,0x67,0x66,0x89,0x07 ; mov [es:edi],eax
 jmp next
done:
 mov ax,0x1000
 mov es,ax
 xor di,di
 mov eax,0x11007
 db 0x66,0xab ; stosd
 mov di,0x1000
 mov eax,7
 mov cx,1024
page:
 db 0x66,0xab
 add eax,0x1000
 loop page
 mov word [es:0x1ffc],0x7007
 mov word [es:0x1ffe],0
 xor ax,ax
 mov es,ax
 mov fs,ax
 mov gs,ax
 mov eax,0x10000
 db 0x0f,0x22,0xd8 ; mov cr3,eax
 db 0x0f,0x20,0xc0
 db 0x66,0x0d,1,0,0,0x80 ; or eax,80000001h
 db 0x0f,0x22,0xc0
 mov eax,0x11223344
 mov ebx,0x55667788
 mov ecx,0x99aabbcc
 mov edx,0xddeeff00
 mov esi,0x01020304
 mov edi,0x05060708
 mov ebp,0x090a0b0c
 mov esp,0x6f00
 mov byte [0x600],0x5a
stop:
 hlt
 jmp stop
ports:
 dw 0x20
 db 0x11
 dw 0x21
 db 0x40
 dw 0x21
 db 4
 dw 0x21
 db 1
 dw 0x21
 db 0xff
 dw 0x20
 db 0x0b
 dw 0xa1
 db 0xfe
 dw 0x4d0
 db 0x20
 dw 0x4d1
 db 0x0c
 dw 0
table:
 dd 0xfee000f0,0x1f7
 dd 0xfee00080,0x21
 dd 0xfee000d0,0x03000000
 dd 0xfee000e0,0x0fffffff
 dd 0xfee00320,0x10051
 dd 0xfee00350,0x18754
 dd 0xfee00360,0x12455
 dd 0xfee00370,0x10056
 dd 0xfee003e0,0xb
 dd 0xfee00310,0x01000000
 dd 0xfee00300,0x00040077
 dd 0xfec00000,0x16
 dd 0xfec00010,0x1a931
 dd 0xfec00000,0x17
 dd 0xfec00010,0x02000000
 dd 0xfec00000,0x18
 dd 0xfec00010,0x10032
 dd 0
gdt:
 dd 0,0
 dd 0x0000ffff,0x00cf9300
gdtr:
 dw 15
 dd gdt
`;

const PIC = `ioapic0: ver=0x20 id=0x00 sel=0x18 (redir[4])
  pin 3  0x020000000001a931 dest=2 vec=49  active-lo level masked lowest logical
  pin 4  0x0000000000010032 dest=0 vec=50  active-hi edge  masked fixed  physical
  IRR      (none)
  Remote IRR (none)
pic1: irr=00 imr=fe isr=00 hprio=0 irq_base=70 rr_sel=0 elcr=0c fnm=0
pic0: irr=01 imr=ff isr=00 hprio=0 irq_base=40 rr_sel=1 elcr=20 fnm=0
`;

const LAPIC = `dumping local APIC state for CPU 0 

LVT0\t 0x00018754 active-hi level masked                      ExtINT (vec 84)
LVT1\t 0x00012455 active-lo edge  masked                      NMI   
LVTPC\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)
LVTERR\t 0x00010056 active-hi edge  masked                      Fixed  (vec 86)
LVTTHMR\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)
LVTT\t 0x00010051 active-hi edge  masked         one-shot     Fixed  (vec 81)
Timer\t DCR=0xb (divide by 1) initial_count = 0 current_count = 0
SPIV\t 0x000001f7 APIC enabled, focus=off, spurious vec 247
ICR\t 0x00040077 physical edge de-assert self
ICR2\t 0x01000000
ESR\t 0x00000000
ISR\t (none)
IRR\t 119 

APR 0x00 TPR 0x21 DFR 0x00 LDR 0x03(cluster 0: id 3) PPR 0x21
`;

const GENERAL = `EAX=11223344 EBX=55667788 ECX=99aabbcc EDX=ddeeff00
ESI=01020304 EDI=05060708 EBP=090a0b0c ESP=00006f00
EIP=00007cc8 EFL=00000086 [--S--P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
`;

/** CS is apart: the core does not keep whether it was accessed. */
const SEGMENTS = `ES =0000 00000000 ffffffff 00cf9300 DPL=0 DS   [-WA]
SS =0000 00000000 0000ffff 00009300 DPL=0 DS16 [-WA]
DS =0000 00000000 0000ffff 00009300 DPL=0 DS16 [-WA]
FS =0000 00000000 0000ffff 00009300 DPL=0 DS16 [-WA]
GS =0000 00000000 0000ffff 00009300 DPL=0 DS16 [-WA]
LDT=0000 00000000 0000ffff 00008200 DPL=0 LDT
TR =0000 00000000 0000ffff 00008b00 DPL=0 TSS32-busy
`;

/** Without the inputs that nobody has set. */
function setPins(text: string): string {
  return text.split("\n").filter((line) => !line.includes("0x0000000000010000 dest=0 vec=0 ")).join("\n");
}

Deno.test("info pic, lapic and irq, registers, and x through page tables show a live CPU as QEMU does", async () => {
  await using guest = await boot(bootSector(SETTER), { bios: "built-in" });
  const { vm } = guest;
  await guest.untilByte(0x600, 0x5a);
  // The timer's interrupt is masked and stays requested.
  await vm.until("interrupt 0 to be requested", async () => ((await vm.info.pic()).first.irr & 1) === 1, {
    timeoutMs: PATIENCE_MS,
  });
  await vm.stop();
  assertEquals(setPins(await vm.monitor("info pic")), PIC);
  assertEquals(await vm.monitor("info lapic"), LAPIC);
  assertEquals(await vm.monitor("info lapic 1"), "No CPU available\n");
  assertMatch(await vm.monitor("info irq"), /^IRQ statistics for ioapic:\n 0: \d+\n[^]*for isa-i8259:\n 0: \d+\n/);
  const registers = await vm.monitor("info registers");
  assertEquals(registers.split("\n").slice(2, 5).join("\n") + "\n", GENERAL);
  const segments = registers.split("\n").filter((line) => /^(?!CS)(..|LDT|TR) ?=/.test(line));
  assertEquals(segments.join("\n") + "\n", SEGMENTS);
  assertMatch(registers, /^CS =0000 00000000 0000ffff 00009[ab]00 DPL=0 CS16 \[-R[-A]\]$/m);
  assertMatch(registers, /GDT= {5}00007d73 0000000f\n/);
  assertMatch(registers, /CR3=00010000/);
  assertEquals(await vm.monitor("p/x $eip"), "0x7cc8\n");
  assertEquals(
    await vm.monitor("x /4xw 0x3ffc00"),
    "00000000003ffc00: 0x8ec031fa 0x0fd08ed8 0x7d831601 0x0cc0200f\n",
  );
  assertEquals(await vm.monitor("x /2xw 0x400000"), "0000000000400000: Cannot access memory\n");
});
