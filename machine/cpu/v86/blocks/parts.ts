/**
 * Where the parts of a block's module are: one function over an imported memory.
 *
 * Source: [WebAssembly 2.0] 5.5 "Modules"; blocks of v86 0.5.462 looked at.
 *
 * @module
 */
import { readNumber } from "../wasm_numbers.ts";
import { matches } from "./patterns.ts";

const HEADER_BYTES = 8;
/** Numbers of sections. */
export const Section = { custom: 0, import: 2, code: 10 } as const;

/** How the import of a memory ends that says nothing but that it has at least 4 MiB. */
export const ANY_MEMORY = [2, 0, 64] as const;

/** Numbers below it are one byte: groups of locals, locals, and functions are so few. */
const FEW = 0x80;

/** The parts. */
export interface Parts {
  /** The section of imports, what is in it, and its end. */
  readonly imports: number;
  readonly importList: number;
  readonly importsEnd: number;
  /** How many functions are imported, which is the own one's number. */
  readonly functions: number;
  /** The section of code. */
  readonly code: number;
  /** The only function's groups of locals, and how many there are. */
  readonly body: number;
  readonly localGroups: number;
  /** The first local that there is not. */
  readonly locals: number;
  /** Its instructions. */
  readonly instructions: number;
  readonly bodyEnd: number;
}

/** Where its parts are; `undefined` where `module` is another kind of module. */
export function partsOf(module: Uint8Array): Parts | undefined {
  let [imports, importList, importsEnd, functions] = [0, 0, 0, 0];
  for (let start = HEADER_BYTES; start < module.length;) {
    const size = readNumber(module, start + 1);
    const end = size.end + size.value;
    if (module[start] === Section.import) {
      [imports, importList, importsEnd] = [start, size.end, end];
      // The last is the memory.
      functions = readNumber(module, importList).value - 1;
      if (!matches(module, end - ANY_MEMORY.length, ANY_MEMORY)) return undefined;
    }
    if (module[start] === Section.code) {
      const count = readNumber(module, size.end);
      const body = readNumber(module, count.end);
      const bodyEnd = body.end + body.value;
      const groups = localsOf(module, body.end);
      if (imports === 0 || count.value !== 1 || bodyEnd !== module.length || groups === undefined) return undefined;
      return { imports, importList, importsEnd, functions, code: start, body: body.end, bodyEnd, ...groups };
    }
    start = end;
  }
  return undefined;
}

/** The function has one parameter, which is a local as well. */
function localsOf(
  module: Uint8Array,
  body: number,
): Pick<Parts, "localGroups" | "locals" | "instructions"> | undefined {
  const localGroups = module[body]!;
  if (localGroups >= FEW) return undefined;
  let locals = 1;
  for (let group = 0; group < localGroups; group++) {
    const count = module[body + 1 + 2 * group]!;
    if (count >= FEW) return undefined;
    locals += count;
  }
  return locals < FEW ? { localGroups, locals, instructions: body + 1 + 2 * localGroups } : undefined;
}

/** The number of the imported function called `name`; -1 where there is none, or 128 functions. */
export function importedFunction(module: Uint8Array, { importList, functions }: Parts, name: Uint8Array): number {
  let at = readNumber(module, importList).end;
  for (let index = 0; index < functions && index < FEW; index++) {
    const from = readNumber(module, at);
    const what = readNumber(module, from.end + from.value);
    // What it is, a function, and its type.
    at = readNumber(module, what.end + what.value + 1).end;
    if (what.value === name.length && matches(module, what.end, name)) return index;
  }
  return -1;
}
