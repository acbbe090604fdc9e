/**
 * The registers of an x86 CPU that was just switched on: all that `info registers` and `$eip` have without a CPU.
 *
 * Source: [SDM] volume 3, table 9-1 "IA-32 and Intel 64 Processor States Following Power-up"; EDX is the processor's
 * signature.
 *
 * @module
 */

const VALUES: ReadonlyMap<string, bigint> = new Map([
  ["edx", 0x60fb1n],
  ["eip", 0xfff0n],
  ["pc", 0xffff_fff0n],
  ["eflags", 2n],
  ["cs", 0xf000n],
  ["cs.base", 0xffff_0000n],
]);

const ZERO = new Set(["eax", "ecx", "ebx", "esp", "sp", "ebp", "fp", "esi", "edi"]);
for (const segment of ["ss", "ds", "es", "fs", "gs"]) ZERO.add(segment).add(`${segment}.base`);

/** A register by the name that expressions use (`$eip`), or `undefined`. */
export function resetRegister(name: string): bigint | undefined {
  return VALUES.get(name) ?? (ZERO.has(name) ? 0n : undefined);
}

/** What `info registers` prints. */
export function resetRegistersText(): string {
  const zero = "0".repeat(16);
  const segment = (name: string, selector: string, base: string, flags: string) =>
    `${name.padEnd(3)}=${selector} ${base} 0000ffff ${flags}\n`;
  const pairs = (count: number, one: (index: number) => string) => {
    let out = "";
    for (let i = 0; i < count; i += 2) out += `${one(i)} ${one(i + 1)}\n`;
    return out;
  };
  return "\nCPU#0\n" +
    "EAX=00000000 EBX=00000000 ECX=00000000 EDX=00060fb1\n" +
    "ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000\n" +
    "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n" +
    segment("ES", "0000", "00000000", "00009300") +
    segment("CS", "f000", "ffff0000", "00009b00") +
    ["SS", "DS", "FS", "GS"].map((name) => segment(name, "0000", "00000000", "00009300")).join("") +
    segment("LDT", "0000", "00000000", "00008200") +
    segment("TR", "0000", "00000000", "00008b00") +
    "GDT=     00000000 0000ffff\nIDT=     00000000 0000ffff\n" +
    "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\n" +
    [0, 1, 2, 3].map((index) => `DR${index}=${zero} `).join("") + "\n" +
    "DR6=00000000ffff0ff0 DR7=0000000000000400\n" +
    `EFER=${zero}\n` +
    "FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80\n" +
    pairs(8, (index) => `FPR${index}=${zero} 0000`) +
    pairs(8, (index) => `XMM0${index}=${zero} ${zero}`);
}
