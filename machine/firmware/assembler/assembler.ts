/**
 * A small assembler: text in NASM's syntax becomes 16-bit code. The built-in firmware and demonstration are written in it.
 *
 * Labels, local ones (`.name`, below the last full one), `equ`, `db`, `dw`, `dd`, `times`, `align`; jumps are as short
 * as they can be. Left out: macros, sections, 32-bit code.
 *
 * Source: the NASM manual, chapter 3; the test has NASM assemble the same text.
 *
 * @module
 */
import { encode, type EncodeContext, needsNear, PREFIXES } from "./encode.ts";
import { AssemblyError, evaluate, type Operand, parseOperands, splitCommas } from "./operands.ts";

/** What came of a text. */
export interface Assembled {
  readonly bytes: Uint8Array;
  /** Where each label is, and what `equ` gave a name. */
  readonly symbols: ReadonlyMap<string, number>;
}

/** One line, taken apart; `scope` is the label that local ones belong to. */
interface Statement {
  readonly line: number;
  readonly scope: string;
  readonly label: string | undefined;
  readonly repeat: string | undefined;
  readonly prefix: number | undefined;
  readonly name: string;
  readonly rest: string;
  readonly operands: readonly Operand[];
  /** Set once, when a short jump does not reach; never taken back, so that this ends. */
  near: boolean;
}

const DATA: Readonly<Record<string, number>> = { db: 1, dw: 2, dd: 4 };
const MAX_ROUNDS = 64;
/** 16-bit code ends with its segment. */
const MAX_BYTES = 0x10000;

/**
 * The code of `source`, whose first byte lies at `origin`; `constants` are names that the text may use.
 * @throws {AssemblyError} naming the line
 * @example
 * ```ts
 * import { assemble } from "./assembler.ts";
 *
 * const { bytes } = assemble("start: mov ax, 0x1234\n jmp start");
 * if (bytes.join() !== "184,52,18,235,251") throw new Error("not what NASM makes of it");
 * ```
 */
export function assemble(source: string, origin = 0, constants: Readonly<Record<string, number>> = {}): Assembled {
  const statements = parse(source);
  let symbols = new Map(Object.entries(constants));
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = new Map(Object.entries(constants));
    const bytes: number[] = [];
    let grown = false;
    for (const statement of statements) {
      try {
        const here = origin + bytes.length;
        const lookup = (name: string) => symbolValue(name, statement, here, origin, symbols, round === 0);
        if (statement.label !== undefined && statement.name !== "equ") next.set(statement.label, here);
        if (statement.name === "equ") next.set(statement.label ?? "", evaluate(statement.rest, lookup));
        else grown = emit(statement, bytes, here, lookup) || grown;
        if (bytes.length > MAX_BYTES) throw new AssemblyError("the code is longer than 64 KiB");
      } catch (error) {
        if (!(error instanceof AssemblyError)) throw error;
        throw new AssemblyError(`line ${statement.line}: ${error.message}`, { cause: error });
      }
    }
    const settled = round > 0 && !grown && [...next].every(([name, value]) => symbols.get(name) === value);
    symbols = next;
    if (settled) return { bytes: Uint8Array.from(bytes), symbols };
  }
  throw new AssemblyError("the addresses of this code do not settle");
}

/** In the first round labels further down are not known: they are taken to be near by. */
function symbolValue(
  name: string,
  statement: Statement,
  here: number,
  origin: number,
  symbols: ReadonlyMap<string, number>,
  guess: boolean,
): number | undefined {
  if (name === "$") return here;
  if (name === "$$") return origin;
  const value = symbols.get(name.startsWith(".") ? statement.scope + name : name);
  return value ?? (guess ? here : undefined);
}

/** Appends what a statement makes; whether a jump in it had to grow. */
function emit(
  statement: Statement,
  bytes: number[],
  here: number,
  lookup: (name: string) => number | undefined,
): boolean {
  const { name, rest, operands, prefix } = statement;
  if (name === "") return false;
  const value = (text: string) => evaluate(text, lookup);
  if (name === "align") {
    const to = value(rest);
    const end = Math.ceil(here / to) * to;
    for (let at = here; at < end; at++) bytes.push(0x90);
    return false;
  }
  const size = DATA[name];
  const count = statement.repeat === undefined ? 1 : value(statement.repeat);
  if (count < 0) throw new AssemblyError(`'times' with ${count}: the code before is too long`);
  if (count > MAX_BYTES) throw new AssemblyError(`'times' with ${count}`);
  if (size !== undefined) {
    const once = splitCommas(rest).flatMap((part) => data(part, size, value));
    for (let i = 0; i < count; i++) bytes.push(...once);
    return false;
  }
  let grown = false;
  for (let i = 0; i < count; i++) {
    const context: EncodeContext = { here: here + (prefix === undefined ? 0 : 1), value, near: statement.near };
    if (/^j(?!cxz)/.test(name) && !statement.near) {
      const [target] = operands;
      if (target?.kind === "immediate" && target.far === undefined && needsNear(target.text, context)) {
        statement.near = grown = true;
      }
    }
    if (prefix !== undefined) bytes.push(prefix);
    bytes.push(...encode(name, operands, { ...context, near: statement.near }));
  }
  return grown;
}

function data(part: string, size: number, value: (text: string) => number): number[] {
  const quoted = /^(['"])(.*)\1$/.exec(part);
  if (quoted !== null && size === 1) return [...new TextEncoder().encode(quoted[2])];
  const number = value(part);
  return [0, 8, 16, 24].slice(0, size).map((shift) => (number >> shift) & 0xff);
}

function parse(source: string): Statement[] {
  const statements: Statement[] = [];
  let scope = "";
  for (const [i, text] of source.split("\n").entries()) {
    const code = withoutComment(text).trim();
    if (code === "") continue;
    const [, local, named, behind] = /^(?:(\.\w+):|(\w+):|)\s*(.*)$/.exec(code)!;
    if (named !== undefined) scope = named;
    const constant = /^(\w+)\s+equ\s+(.*)$/i.exec(behind!);
    const label = constant?.[1] ?? named ?? (local === undefined ? undefined : scope + local);
    const [, repeat, body] = /^(?:times\s+(\S+(?:\s*[-+]\s*[^\s]+)*?)\s+(?=[a-z]))?(.*)$/i.exec(behind!)!;
    const words = /^(\S+)\s*(.*)$/.exec(constant === null ? body! : `equ ${constant[2]}`);
    let [name, rest] = [words?.[1]?.toLowerCase() ?? "", words?.[2] ?? ""];
    const prefix = PREFIXES[name];
    if (prefix !== undefined) [name, rest = ""] = rest.split(/\s+(.*)/) as [string, string?];
    const isCode = name !== "equ" && name !== "align" && DATA[name] === undefined;
    try {
      const operands = isCode ? parseOperands(rest) : [];
      statements.push({ line: i + 1, scope, label, repeat, prefix, name, rest, operands, near: false });
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      throw new AssemblyError(`line ${i + 1}: ${error.message}`, { cause: error });
    }
  }
  return statements;
}

function withoutComment(text: string): string {
  return /^(?:'[^']*'|"[^"]*"|[^;'"])*/.exec(text)![0];
}
