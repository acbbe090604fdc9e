/**
 * A CPU's registers as `info registers` prints them, and by the names that expressions use.
 *
 * Source: the form is QEMU 7.2's for a CPU outside of 64-bit mode.
 *
 * @module
 */
import type { CpuRegisters } from "../../machine/mod.ts";

/** EFLAGS bits with their letters, from the left. */
const FLAGS = [[0x400, "D"], [0x800, "O"], [0x80, "S"], [0x40, "Z"], [0x10, "A"], [0x4, "P"], [0x1, "C"]] as const;
const ORDER = ["ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR"] as const;

/** CR0.PE. */
const PROTECTED = 1;
const PRESENT = 0x8000;
const NOT_SYSTEM = 0x1000;
const CODE = 0x800;
const BIG = 0x40_0000;
/** What LDT and TR can hold, by type. */
const SYSTEM_TYPES: Readonly<Record<number, string>> = {
  1: "TSS16-avl",
  2: "LDT",
  3: "TSS16-busy",
  9: "TSS32-avl",
  11: "TSS32-busy",
};

/** What a segment is in protected mode: ` DPL=0 DS16 [-WA]`. */
function descriptorText(flags: number): string {
  if ((flags & PRESENT) === 0) return "";
  const level = ` DPL=${flags >> 13 & 3} `;
  if ((flags & NOT_SYSTEM) === 0) return `${level}${SYSTEM_TYPES[flags >> 8 & 0xf] ?? "Reserved"}`;
  const isCode = (flags & CODE) !== 0;
  const size = (flags & BIG) === 0 ? "16" : isCode ? "32" : "  ";
  const letter = (bit: number, name: string) => (flags & bit) === 0 ? "-" : name;
  const rights = letter(0x400, isCode ? "C" : "E") + letter(0x200, isCode ? "R" : "W") + letter(0x100, "A");
  return `${level}${isCode ? "CS" : "DS"}${size} [${rights}]`;
}

/** What `info registers` prints. */
export function registersText(registers: CpuRegisters): string {
  const { general, eip, eflags, cpl, halted, segments, gdt, idt, control, debug } = registers;
  const row = (...names: string[]) => names.map((name) => `${name}=${hex(general[name]!, 8)}`).join(" ") + "\n";
  const letters = FLAGS.map(([bit, letter]) => (eflags & bit) === 0 ? "-" : letter).join("");
  let out = "\nCPU#0\n" + row("EAX", "EBX", "ECX", "EDX") + row("ESI", "EDI", "EBP", "ESP");
  out += `EIP=${hex(eip, 8)} EFL=${hex(eflags, 8)} [${letters}] CPL=${cpl} II=0 A20=1 SMM=0 HLT=${halted ? 1 : 0}\n`;
  for (const name of ORDER) {
    const { selector, base, limit, flags } = segments.find((segment) => segment.name === name)!;
    out += `${name.padEnd(3)}=${hex(selector, 4)} ${hex(base, 8)} ${hex(limit, 8)} ${hex(flags, 8)}${
      (control[0]! & PROTECTED) === 0 ? "" : descriptorText(flags)
    }\n`;
  }
  out += `GDT=     ${hex(gdt.base, 8)} ${hex(gdt.limit, 8)}\nIDT=     ${hex(idt.base, 8)} ${hex(idt.limit, 8)}\n`;
  out += [0, 2, 3, 4].map((index) => `CR${index}=${hex(control[index]!, 8)}`).join(" ") + "\n";
  out += [0, 1, 2, 3].map((index) => `DR${index}=${hex(debug[index]!, 16)} `).join("") + "\n";
  out += `DR6=${hex(debug[6]!, 16)} DR7=${hex(debug[7]!, 16)}\nEFER=${hex(0, 16)}\n`;
  return out + floatingPointText(registers);
}

function floatingPointText({ fpuControl, fpuStatus, fpuTop, fpuEmpty, mxcsr, fpu, xmm }: CpuRegisters): string {
  const status = fpuStatus & ~0x3800 | fpuTop << 11;
  let out = `FCW=${hex(fpuControl, 4)} FSW=${hex(status, 4)} [ST=${fpuTop}] FTW=${hex(~fpuEmpty & 0xff, 2)} ` +
    `MXCSR=${hex(mxcsr, 8)}\n`;
  const pairs = (one: (index: number) => string) => {
    for (let index = 0; index < 8; index += 2) out += `${one(index)} ${one(index + 1)}\n`;
  };
  pairs((index) => `FPR${index}=${hex(fpu[index]!.mantissa, 16)} ${hex(fpu[index]!.exponent, 4)}`);
  pairs((index) => `XMM0${index}=${hex(xmm[index]!.high, 16)} ${hex(xmm[index]!.low, 16)}`);
  return out;
}

/** A register by the name that expressions use: `$eip`, `$esp`, `$cs`, `$cs.base`, `$cr0`; or `undefined`. */
export function registerByName(registers: CpuRegisters, name: string): bigint | undefined {
  const { general, eip, eflags, segments, control } = registers;
  const value = general[name.toUpperCase()];
  if (value !== undefined && name === name.toLowerCase()) return BigInt(value);
  const [segment, part] = name.split(".");
  const found = segments.find((one) => one.name.toLowerCase() === segment);
  if (found !== undefined && (part === undefined || part === "base")) {
    return BigInt(part === undefined ? found.selector : found.base);
  }
  switch (name) {
    case "eip":
      return BigInt(eip);
    case "pc":
      return BigInt((segments.find((one) => one.name === "CS")!.base + eip) >>> 0);
    case "eflags":
      return BigInt(eflags);
    case "sp":
      return BigInt(general.ESP!);
    case "fp":
      return BigInt(general.EBP!);
    case "cr0":
      return BigInt(control[0]!);
    case "cr3":
      return BigInt(control[3]!);
    default:
      return undefined;
  }
}

function hex(value: number | bigint, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
