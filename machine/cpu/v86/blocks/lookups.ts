/**
 * Where code goes on after a jump whose target is known only then, as after a return: in the same function, if what was
 * compiled of the target's page is this very block, and knows the target. The core asks a function of its own, for which
 * all registers are saved; here it is asked in place.
 *
 *     of = table[target >> 12]
 *     of == 0, of.flags != flags, of.block != block: -1
 *     of.entries[target & 4095], or -1 where that is FFFFh
 *
 * Source: `jit_find_cache_entry_in_page` of v86 0.5.462, and blocks of its, looked at.
 *
 * @module
 */
import { At, CODE_TABLE, CodePage } from "../layout.ts";
import { numberBytes } from "../wasm_numbers.ts";
import type { Output } from "./output.ts";
import { ANY, find, matches } from "./patterns.ts";

/** The function that is called. */
export const LOOKUP_NAME = new TextEncoder().encode("jit_find_cache_entry_in_page");

/** `i32.const 556; i32.load`: the target. Constants below 8192 have two bytes, signed or not. */
const TARGET = [0x41, ...numberBytes(At.instructionPointer), 0x28, 2, 0];
const RARE_AT = 1;
const CONSTANT = 0x41;
/** `call`; `local.tee 0; i32.const 0; i32.ge_s; br_if`. */
const CALL = [0x10, ANY];
const IS_KNOWN = [0x22, 0, 0x41, 0, 0x4e, 0x0d];

/** `i32.const -1`. */
const UNKNOWN = [0x41, 0x7f];
/** `i32.const FFFFh`: no entry. */
const NO_ENTRY = [0x41, 0xff, 0xff, 0x03];
/** Parameter and result of the function, which is what local 0 is for. */
const ENTRY = 0;
const LEAVE_IF = [0x0d, 0];

/** A question: where it is, and the constants that are asked for. */
export interface Lookup {
  readonly at: number;
  readonly end: number;
  /** Numbers as they stand in the code: from, to. */
  readonly block: readonly [number, number];
  readonly flags: readonly [number, number];
}

/** The next question from `from` on to the imported function `called`. */
export function nextLookup(module: Uint8Array, from: number, called: number): Lookup | undefined {
  if (called < 0) return undefined;
  for (let at = find(module, from, TARGET, RARE_AT); at >= 0; at = find(module, at + 1, TARGET, RARE_AT)) {
    const block = constantAt(module, at + TARGET.length);
    const flags = block === undefined ? undefined : constantAt(module, block[1]);
    if (block === undefined || flags === undefined) continue;
    const call = flags[1];
    if (!matches(module, call, CALL) || module[call + 1] !== called) continue;
    const end = call + CALL.length;
    if (matches(module, end, IS_KNOWN)) return { at, end, block, flags };
  }
  return undefined;
}

/** Puts the answer in the place of what is from `at` to `end`; `spare` is a local of 32 bits. */
export function putLookup(out: Output, module: Uint8Array, { block, flags }: Lookup, spare: number): void {
  out.push([0x02, 0x7f, ...UNKNOWN, ...TARGET, 0x22, ENTRY]);
  out.push([0x41, 12, 0x76, 0x41, 2, 0x74, 0x28, 2, ...numberBytes(CODE_TABLE), 0x22, spare, 0x45, ...LEAVE_IF]);
  out.push([0x20, spare, 0x2d, 0, ...numberBytes(CodePage.flags), CONSTANT]);
  out.copy(module, ...flags);
  out.push([0x47, ...LEAVE_IF]);
  out.push([0x20, spare, 0x2f, 1, ...numberBytes(CodePage.block), CONSTANT]);
  out.copy(module, ...block);
  out.push([0x47, ...LEAVE_IF, 0x1a]);
  out.push([0x20, ENTRY, 0x41, 0xff, 0x1f, 0x71, 0x41, 1, 0x74, 0x20, spare, 0x6a, 0x2f, 1, 0, 0x22, spare]);
  out.push([...UNKNOWN, 0x20, spare, ...NO_ENTRY, 0x47, 0x1b, 0x0b]);
}

/** The bytes of the constant that is loaded at `at`. */
function constantAt(module: Uint8Array, at: number): readonly [number, number] | undefined {
  if (module[at] !== CONSTANT) return undefined;
  let end = at + 1;
  while (end < module.length && module[end]! >= 0x80) end++;
  return [at + 1, end + 1];
}
