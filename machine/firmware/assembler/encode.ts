/**
 * From an instruction to its bytes, in 16-bit code: the shortest form, as NASM chooses it.
 *
 * Left out: 32-bit addresses, floating point, privileged instructions, and what no firmware and no small guest needs.
 *
 * Source: [SDM] Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
 *
 * @module
 */
import { AssemblyError, type Memory, type Operand, type Register } from "./operands.ts";

/** What an instruction may ask for while it is encoded. */
export interface EncodeContext {
  /** The address of the instruction. */
  readonly here: number;
  /** The value of an expression. */
  value(text: string): number;
  /** Whether the jump here has to be a near one: it did not reach as a short one. */
  readonly near: boolean;
}

/** Bytes of an instruction. */
type Encoder = (operands: readonly Operand[], context: EncodeContext) => number[] | undefined;

const ARITHMETIC = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];
const SHIFTS: Readonly<Record<string, number>> = { rol: 0, ror: 1, rcl: 2, rcr: 3, shl: 4, sal: 4, shr: 5, sar: 7 };
const UNARY: Readonly<Record<string, number>> = { not: 2, neg: 3, mul: 4, imul: 5, div: 6, idiv: 7 };
const CONDITIONS = "o no c,b,nae nc,nb,ae z,e nz,ne be,na a,nbe s ns p,pe np,po l,nge ge,nl le,ng g,nle".split(" ");
const OPERAND_SIZE = 0x66;
const OVERRIDES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** Instructions without operands, and their bytes. */
const PLAIN: readonly string[] = [
  "nop:90 cbw:98 cwd:99 pushf:9c popf:9d sahf:9e lahf:9f pusha:60 popa:61 pushad:6660 popad:6661 leave:c9",
  "movsb:a4 movsw:a5 movsd:66a5 cmpsb:a6 cmpsw:a7 stosb:aa stosw:ab stosd:66ab lodsb:ac lodsw:ad lodsd:66ad",
  "scasb:ae scasw:af insb:6c insw:6d insd:666d outsb:6e outsw:6f outsd:666f int3:cc iret:cf",
  "hlt:f4 cmc:f5 clc:f8 stc:f9 cli:fa sti:fb cld:fc std:fd rdtsc:0f31 cpuid:0fa2",
].join(" ").split(" ");
/** What may stand before a string instruction. */
export const PREFIXES: Readonly<Record<string, number>> = { rep: 0xf3, repe: 0xf3, repne: 0xf2, lock: 0xf0 };

const ENCODERS: ReadonlyMap<string, Encoder> = new Map<string, Encoder>([
  ...PLAIN.map((row): [string, Encoder] => {
    const [name, digits] = row.split(":") as [string, string];
    const bytes = digits.match(/../g)!.map((pair) => Number.parseInt(pair, 16));
    return [name, (operands) => operands.length === 0 ? bytes : undefined];
  }),
  ["ret", (operands, context) => returned(0xc2, operands, context)],
  ["retf", (operands, context) => returned(0xca, operands, context)],
  ...ARITHMETIC.map((
    name,
    row,
  ): [string, Encoder] => [name, (operands, context) => arithmetic(row, operands, context)]),
  ...Object.entries(SHIFTS).map(([name, row]): [string, Encoder] => [
    name,
    (operands, context) => shift(row, operands, context),
  ]),
  ...Object.entries(UNARY).map(([name, row]): [string, Encoder] => [
    name,
    ([target], context) => target === undefined ? undefined : general(0xf6, row, target, context),
  ]),
  ...CONDITIONS.flatMap((names, row) =>
    names.split(",").map((
      name,
    ): [string, Encoder] => [`j${name}`, ([target], context) => conditional(row, target, context)])
  ),
  ...["loopne", "loope", "loop", "jcxz"].map((name, row): [string, Encoder] => [
    name,
    ([target], context) =>
      target?.kind === "immediate" ? [0xe0 + row, shortDistance(target.text, 2, context)] : undefined,
  ]),
  ["mov", move],
  ["movzx", (operands, context) => widen(0xb6, operands, context)],
  ["movsx", (operands, context) => widen(0xbe, operands, context)],
  ["test", test],
  ["xchg", exchange],
  ["inc", ([target], context) => step(0, target, context)],
  ["dec", ([target], context) => step(1, target, context)],
  ["push", push],
  ["pop", pop],
  ["lea", ([to, from], context) => toRegister([0x8d], to, from, context)],
  ["les", ([to, from], context) => toRegister([0xc4], to, from, context)],
  ["lds", ([to, from], context) => toRegister([0xc5], to, from, context)],
  ["int", ([number], context) => number?.kind === "immediate" ? [0xcd, context.value(number.text) & 0xff] : undefined],
  ["in", ([to, port], context) => portAccess(0xe4, to, port, context)],
  ["out", ([port, from], context) => portAccess(0xe6, from, port, context)],
  ["jmp", ([target], context) => jump(target, context)],
  ["call", ([target], context) => call(target, context)],
]);

/** The bytes of one instruction. @throws {AssemblyError} */
export function encode(name: string, operands: readonly Operand[], context: EncodeContext): number[] {
  const encoder = ENCODERS.get(name);
  if (encoder === undefined) throw new AssemblyError(`no instruction '${name}' here`);
  const bytes = encoder(operands, context);
  if (bytes === undefined) throw new AssemblyError(`'${name}' does not take these operands`);
  return bytes;
}

function word(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff];
}

function immediate(value: number, bits: number): number[] {
  return bits === 8 ? [value & 0xff] : bits === 16 ? word(value) : [...word(value), ...word(value >>> 16)];
}

/** Whether `value` is the sign extension of a byte, seen with `bits`. */
function fitsByte(value: number, bits: number): boolean {
  const signed = bits === 32 ? value | 0 : value << 16 >> 16;
  return signed >= -128 && signed <= 127;
}

/** `66` where 32 bits are meant. */
function prefix(bits: number): number[] {
  return bits === 32 ? [OPERAND_SIZE] : [];
}

/** The r/m byte with what follows it, and the segment override that goes before the instruction. */
function address(
  memory: Memory | Register,
  field: number,
  context: EncodeContext,
): { before: number[]; after: number[] } {
  const middle = field << 3;
  if (memory.kind === "register") return { before: [], after: [0xc0 | middle | memory.number] };
  const before = memory.override === undefined ? [] : [OVERRIDES[memory.override.number]!];
  const displacement = context.value(memory.displacement);
  const { mode } = memory;
  if (mode === undefined) return { before, after: [middle | 6, ...word(displacement)] };
  if (displacement === 0 && mode !== 6) return { before, after: [middle | mode] };
  if (fitsByte(displacement, 16)) return { before, after: [0x40 | middle | mode, displacement & 0xff] };
  return { before, after: [0x80 | middle | mode, ...word(displacement)] };
}

/** An instruction on a register or memory whose lowest opcode bit says that it is wider than a byte. */
function general(
  opcode: number,
  field: number,
  target: Operand,
  context: EncodeContext,
  bits = target.bits,
): number[] | undefined {
  if (target.kind === "immediate" || bits === undefined || (target.kind === "register" && target.segment)) {
    return undefined;
  }
  const { before, after } = address(target, field, context);
  return [...before, ...prefix(bits), opcode | (bits === 8 ? 0 : 1), ...after];
}

/** The width that two operands have in common. */
function width(a: Operand, b: Operand): 8 | 16 | 32 | undefined {
  if (a.kind === "register" && b.kind === "register") return a.bits === b.bits ? a.bits : undefined;
  return a.kind === "register" ? a.bits : b.kind === "register" ? b.bits : a.bits ?? b.bits;
}

function arithmetic(row: number, [to, from]: readonly Operand[], context: EncodeContext): number[] | undefined {
  if (to === undefined || from === undefined || to.kind === "immediate") return undefined;
  const bits = width(to, from);
  if (bits === undefined) return undefined;
  if (from.kind !== "immediate") return between(row * 8, to, from, bits, context);
  const value = context.value(from.text);
  const accumulator = to.kind === "register" && to.number === 0;
  if (bits !== 8 && fitsByte(value, bits)) {
    const { before, after } = address(to, row, context);
    return [...before, ...prefix(bits), 0x83, ...after, value & 0xff];
  }
  if (accumulator) return [...prefix(bits), row * 8 + (bits === 8 ? 4 : 5), ...immediate(value, bits)];
  const start = general(0x80, row, to, context, bits);
  return start === undefined ? undefined : [...start, ...immediate(value, bits)];
}

/** Register to memory or register, or memory to register: the opcode's second bit turns it round. */
function between(
  opcode: number,
  to: Operand,
  from: Operand,
  bits: number,
  context: EncodeContext,
): number[] | undefined {
  const wide = opcode | (bits === 8 ? 0 : 1);
  const plain = (one: Operand): one is Register => one.kind === "register" && !one.segment;
  if (plain(from) && (to.kind === "memory" || plain(to))) {
    const { before, after } = address(to, from.number, context);
    return [...before, ...prefix(bits), wide, ...after];
  }
  if (plain(to) && from.kind === "memory") {
    const { before, after } = address(from, to.number, context);
    return [...before, ...prefix(bits), wide | 2, ...after];
  }
  return undefined;
}

function move([to, from]: readonly Operand[], context: EncodeContext): number[] | undefined {
  if (to === undefined || from === undefined || to.kind === "immediate") return undefined;
  if (from.kind === "register" && from.segment) return toSegment(0x8c, to, from, context);
  if (to.kind === "register" && to.segment) {
    return from.kind === "immediate" ? undefined : toSegment(0x8e, from, to, context);
  }
  const bits = width(to, from);
  if (bits === undefined) return undefined;
  if (from.kind === "immediate") {
    const value = context.value(from.text);
    if (to.kind === "register") {
      return [...prefix(bits), (bits === 8 ? 0xb0 : 0xb8) | to.number, ...immediate(value, bits)];
    }
    const start = general(0xc6, 0, to, context, bits);
    return start === undefined ? undefined : [...start, ...immediate(value, bits)];
  }
  const memory = to.kind === "memory" ? to : from.kind === "memory" ? from : undefined;
  const register = to.kind === "register" ? to : from.kind === "register" ? from : undefined;
  if (memory !== undefined && memory.mode === undefined && register?.number === 0) {
    // The accumulator and a plain address have an instruction of their own.
    const { before, after } = address(memory, 0, context);
    const opcode = (to.kind === "memory" ? 0xa2 : 0xa0) | (bits === 8 ? 0 : 1);
    return [...before, ...prefix(bits), opcode, ...after.slice(1)];
  }
  return between(0x88, to, from, bits, context);
}

function toSegment(opcode: number, other: Operand, segment: Register, context: EncodeContext): number[] | undefined {
  if (other.kind === "immediate" || (other.kind === "register" && (other.segment || other.bits !== 16))) {
    return undefined;
  }
  const { before, after } = address(other, segment.number, context);
  return [...before, opcode, ...after];
}

function widen(opcode: number, [to, from]: readonly Operand[], context: EncodeContext): number[] | undefined {
  if (to?.kind !== "register" || from === undefined || from.kind === "immediate") return undefined;
  if (from.bits !== 8 && from.bits !== 16) return undefined;
  const { before, after } = address(from, to.number, context);
  return [...before, ...prefix(to.bits), 0x0f, opcode | (from.bits === 8 ? 0 : 1), ...after];
}

function test([to, from]: readonly Operand[], context: EncodeContext): number[] | undefined {
  if (to === undefined || from === undefined || to.kind === "immediate") return undefined;
  const bits = width(to, from);
  if (bits === undefined) return undefined;
  if (from.kind !== "immediate") {
    // Both ways mean the same; it goes from a register.
    return from.kind === "register" ? between(0x84, to, from, bits, context) : between(0x84, from, to, bits, context);
  }
  const value = immediate(context.value(from.text), bits);
  if (to.kind === "register" && to.number === 0) return [...prefix(bits), bits === 8 ? 0xa8 : 0xa9, ...value];
  const start = general(0xf6, 0, to, context, bits);
  return start === undefined ? undefined : [...start, ...value];
}

function exchange([a, b]: readonly Operand[], context: EncodeContext): number[] | undefined {
  if (a === undefined || b === undefined) return undefined;
  const bits = width(a, b);
  if (bits === undefined || a.kind === "immediate" || b.kind === "immediate") return undefined;
  if (bits !== 8 && a.kind === "register" && b.kind === "register" && (a.number === 0 || b.number === 0)) {
    return [...prefix(bits), 0x90 | (a.number === 0 ? b.number : a.number)];
  }
  return a.kind === "register" ? between(0x86, b, a, bits, context) : between(0x86, a, b, bits, context);
}

function step(row: number, target: Operand | undefined, context: EncodeContext): number[] | undefined {
  if (target?.kind === "register" && !target.segment && target.bits !== 8) {
    return [...prefix(target.bits), 0x40 | (row << 3) | target.number];
  }
  return target === undefined ? undefined : general(0xfe, row, target, context);
}

function shift(row: number, [target, count]: readonly Operand[], context: EncodeContext): number[] | undefined {
  if (target === undefined || count === undefined) return undefined;
  if (count.kind === "register") return count.name === "cl" ? general(0xd2, row, target, context) : undefined;
  if (count.kind !== "immediate") return undefined;
  const by = context.value(count.text);
  if (by === 1) return general(0xd0, row, target, context);
  const start = general(0xc0, row, target, context);
  return start === undefined ? undefined : [...start, by & 0xff];
}

const SEGMENT_STACK: Readonly<Record<string, readonly [push: readonly number[], pop: readonly number[]]>> = {
  es: [[0x06], [0x07]],
  cs: [[0x0e], []],
  ss: [[0x16], [0x17]],
  ds: [[0x1e], [0x1f]],
  fs: [[0x0f, 0xa0], [0x0f, 0xa1]],
  gs: [[0x0f, 0xa8], [0x0f, 0xa9]],
};

function push([from]: readonly Operand[], context: EncodeContext): number[] | undefined {
  if (from === undefined) return undefined;
  if (from.kind === "register") {
    if (from.segment) return [...SEGMENT_STACK[from.name]![0]];
    return from.bits === 8 ? undefined : [...prefix(from.bits), 0x50 | from.number];
  }
  if (from.kind === "memory") return from.bits === 8 ? undefined : general(0xfe, 6, from, context);
  const bits = from.bits === 32 ? 32 : 16;
  const value = context.value(from.text);
  return fitsByte(value, bits)
    ? [...prefix(bits), 0x6a, value & 0xff]
    : [...prefix(bits), 0x68, ...immediate(value, bits)];
}

function pop([to]: readonly Operand[], context: EncodeContext): number[] | undefined {
  if (to === undefined || to.kind === "immediate" || to.bits === 8) return undefined;
  if (to.kind === "memory") return general(0x8e, 0, to, context);
  if (!to.segment) return [...prefix(to.bits), 0x58 | to.number];
  return to.name === "cs" ? undefined : [...SEGMENT_STACK[to.name]![1]];
}

function toRegister(
  opcode: readonly number[],
  to: Operand | undefined,
  from: Operand | undefined,
  context: EncodeContext,
): number[] | undefined {
  if (to?.kind !== "register" || to.segment || to.bits === 8 || from?.kind !== "memory") return undefined;
  const { before, after } = address(from, to.number, context);
  return [...before, ...prefix(to.bits), ...opcode, ...after];
}

function portAccess(
  opcode: number,
  data: Operand | undefined,
  port: Operand | undefined,
  context: EncodeContext,
): number[] | undefined {
  if (data?.kind !== "register" || data.segment || data.number !== 0) return undefined;
  const wide = data.bits === 8 ? 0 : 1;
  if (port?.kind === "register") return port.name === "dx" ? [...prefix(data.bits), opcode | 8 | wide] : undefined;
  return port?.kind === "immediate"
    ? [...prefix(data.bits), opcode | wide, context.value(port.text) & 0xff]
    : undefined;
}

function returned(opcode: number, [count]: readonly Operand[], context: EncodeContext): number[] | undefined {
  if (count === undefined) return [opcode | 1];
  return count.kind === "immediate" ? [opcode, ...word(context.value(count.text))] : undefined;
}

/** How far a jump goes from its end, which lies `length` bytes behind its start. */
function distance(text: string, length: number, context: EncodeContext): number {
  return context.value(text) - context.here - length;
}

function shortDistance(text: string, length: number, context: EncodeContext): number {
  const by = distance(text, length, context);
  if (by < -128 || by > 127) throw new AssemblyError(`'${text}' is too far away for a short jump: ${by} bytes`);
  return by & 0xff;
}

/** Whether a jump whose short form has two bytes must be a near one. */
export function needsNear(text: string, context: EncodeContext): boolean {
  const by = distance(text, 2, context);
  return by < -128 || by > 127;
}

function conditional(row: number, target: Operand | undefined, context: EncodeContext): number[] | undefined {
  if (target?.kind !== "immediate") return undefined;
  return context.near
    ? [0x0f, 0x80 | row, ...word(distance(target.text, 4, context))]
    : [0x70 | row, distance(target.text, 2, context) & 0xff];
}

function jump(target: Operand | undefined, context: EncodeContext): number[] | undefined {
  if (target === undefined) return undefined;
  if (target.kind !== "immediate") return indirect(4, target, context);
  if (target.far !== undefined) return [0xea, ...word(context.value(target.text)), ...word(context.value(target.far))];
  return context.near
    ? [0xe9, ...word(distance(target.text, 3, context))]
    : [0xeb, distance(target.text, 2, context) & 0xff];
}

function call(target: Operand | undefined, context: EncodeContext): number[] | undefined {
  if (target === undefined) return undefined;
  if (target.kind !== "immediate") return indirect(2, target, context);
  if (target.far !== undefined) return [0x9a, ...word(context.value(target.text)), ...word(context.value(target.far))];
  return [0xe8, ...word(distance(target.text, 3, context))];
}

/** Through a register or memory; `far [x]` holds a segment too. */
function indirect(field: number, target: Register | Memory, context: EncodeContext): number[] | undefined {
  if (target.kind === "register" && (target.segment || target.bits !== 16)) return undefined;
  if (target.bits === 32) return undefined;
  const far = target.kind === "memory" && target.far;
  const { before, after } = address(target, far ? field + 1 : field, context);
  return [...before, 0xff, ...after];
}
