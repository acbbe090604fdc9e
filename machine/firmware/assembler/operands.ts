/**
 * What stands behind an instruction's name: registers, numbers, memory; and the arithmetic of numbers and labels.
 *
 * Source: the syntax of the NASM manual, sections 3.1 to 3.5, of which this is a small part.
 *
 * @module
 */

/** A line that cannot be assembled. */
export class AssemblyError extends Error {
  override readonly name = "AssemblyError";
}

/** A register: its number in instructions, its width in bits, and what kind it is. */
export interface Register {
  readonly kind: "register";
  readonly name: string;
  readonly number: number;
  readonly bits: 8 | 16 | 32;
  readonly segment: boolean;
}

/** Memory: segment override, the addressing mode of 16-bit code, displacement, and the width where it is said. */
export interface Memory {
  readonly kind: "memory";
  readonly override: Register | undefined;
  /** The r/m field, or `undefined` where there is only a displacement. */
  readonly mode: number | undefined;
  readonly displacement: string;
  readonly bits: 8 | 16 | 32 | undefined;
  /** It holds a segment and an offset: `far [x]`. */
  readonly far: boolean;
}

/** A number, a label, or arithmetic with them; `far` is the segment of `seg:offset`. */
export interface Immediate {
  readonly kind: "immediate";
  readonly text: string;
  readonly far: string | undefined;
  readonly bits: 8 | 16 | 32 | undefined;
}

/** One operand. */
export type Operand = Register | Memory | Immediate;

const SETS: readonly (readonly [bits: 8 | 16 | 32, segment: boolean, names: string])[] = [
  [8, false, "al cl dl bl ah ch dh bh"],
  [16, false, "ax cx dx bx sp bp si di"],
  [32, false, "eax ecx edx ebx esp ebp esi edi"],
  [16, true, "es cs ss ds fs gs"],
];
const REGISTERS: ReadonlyMap<string, Register> = new Map(
  SETS.flatMap(([bits, segment, names]) =>
    names.split(" ").map((name, number) => [name, { kind: "register", name, number, bits, segment }] as const)
  ),
);
/** What 16-bit code can add up in brackets, by its r/m field. */
const MODES = ["bx+si", "bx+di", "bp+si", "bp+di", "si", "di", "bp", "bx"];
const WIDTHS: Readonly<Record<string, 8 | 16 | 32>> = { byte: 8, word: 16, dword: 32 };

/** The operands of `text`, which commas part. */
export function parseOperands(text: string): Operand[] {
  return splitCommas(text).map(parseOperand);
}

/** Parts `text` at commas that stand in no quotes and brackets. */
export function splitCommas(text: string): string[] {
  const parts = text.match(/(?:'[^']*'|"[^"]*"|\[[^\]]*\]|[^,'"[])+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function parseOperand(text: string): Operand {
  const [, width, rest] = /^(?:(byte|word|dword|far)\s+)?(.*)$/i.exec(text)!;
  const bits = width === undefined ? undefined : WIDTHS[width.toLowerCase()];
  const register = REGISTERS.get(rest!.toLowerCase());
  if (register !== undefined) return register;
  if (rest!.startsWith("[")) {
    return { ...parseMemory(rest!.slice(1, -1)), bits, far: width?.toLowerCase() === "far" };
  }
  const far = /^([^:'"]+):([^:'"]+)$/.exec(rest!);
  return { kind: "immediate", text: far === null ? rest! : far[2]!, far: far?.[1], bits };
}

function parseMemory(text: string): Omit<Memory, "bits" | "far"> {
  const [, segment, inside] = /^(?:\s*(es|cs|ss|ds|fs|gs)\s*:)?(.*)$/i.exec(text)!;
  const registers: string[] = [];
  let displacement = "";
  for (const [, sign, term] of inside!.matchAll(/([+-]?)\s*([^+-]+)/g)) {
    const name = term!.trim().toLowerCase();
    if (REGISTERS.has(name)) registers.push(name);
    else displacement += `${sign || "+"}${term!.trim()}`;
  }
  const wanted = registers.sort().join("+");
  const mode = registers.length === 0 ? undefined : MODES.indexOf(wanted);
  if (mode === -1) throw new AssemblyError(`16-bit code cannot address [${text}]`);
  const override = segment === undefined ? undefined : REGISTERS.get(segment.toLowerCase());
  return { kind: "memory", override, mode, displacement: displacement || "0" };
}

/** Finds what a name stands for; `undefined` where it is not known. */
export type Lookup = (name: string) => number | undefined;

/** The value of `text`: numbers, characters, names, `+ - * / ( ) << |`. @throws {AssemblyError} */
export function evaluate(text: string, lookup: Lookup): number {
  const tokens = text.match(/0x[0-9a-f]+|\d+|'[^']*'|[.$\w]+|<<|[-+*/()|]/gi) ?? [];
  let at = 0;
  const primary = (): number => {
    const token = tokens[at++];
    if (token === undefined) throw new AssemblyError(`'${text}' ends where a number should be`);
    if (token === "-") return -primary();
    if (token === "(") {
      const value = sum();
      if (tokens[at++] !== ")") throw new AssemblyError(`'${text}' lacks a ')'`);
      return value;
    }
    if (/^\d/.test(token)) return Number(token);
    if (token.startsWith("'")) {
      return [...token.slice(1, -1)].reduceRight((value, character) => value * 256 + character.charCodeAt(0), 0);
    }
    const value = lookup(token);
    if (value === undefined) throw new AssemblyError(`'${token}' is not known`);
    return value;
  };
  const product = (): number => {
    let value = primary();
    while (tokens[at] === "*" || tokens[at] === "/") {
      value = tokens[at++] === "*" ? value * primary() : Math.trunc(value / primary());
    }
    return value;
  };
  const sum = (): number => {
    let value = tokens[at] === "+" ? (at++, product()) : product();
    for (let sign = tokens[at]; sign === "+" || sign === "-" || sign === "<<" || sign === "|"; sign = tokens[at]) {
      at++;
      const next = product();
      value = sign === "+" ? value + next : sign === "-" ? value - next : sign === "<<" ? value << next : value | next;
    }
    return value;
  };
  const value = sum();
  if (at < tokens.length) throw new AssemblyError(`'${text}' goes on where it should end`);
  return value;
}
