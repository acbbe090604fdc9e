/**
 * How compiled code gets at guest memory: by a table with an entry for each page of the guest's addresses.
 *
 *     block
 *       entry = table[address >> 12]
 *       br_if 0 (entry & wrong) == valid & (address & 4095) <= 4096 - size
 *       entry = slow(address); leave the function where that is a fault
 *     end
 *     memory[(entry & -4096) ^ address]
 *
 * Better: both conditions are one, since where bit 12 of an access's first and last byte differ, it crosses a page; and
 * the table's place is added to the index, so that the check against memory's bounds compares with the same number as
 * that of the data.
 *
 * Source: blocks of v86 0.5.462 looked at; [WebAssembly 2.0] 5.4 "Instructions".
 *
 * @module
 */
import { PAGE_TABLE } from "../layout.ts";
import { numberBytes } from "../wasm_numbers.ts";
import type { Output } from "./output.ts";
import { ANY, find, matches } from "./patterns.ts";

/** `i32.load` from the table, whose place is a number of 32 bits; its rarest byte. */
const LOAD = [0x28, 2, ...numberBytes(PAGE_TABLE)];
const RARE_AT = 2;
/** Before it: `local.get address; i32.const 12; i32.shr_u; i32.const 2; i32.shl`. */
const INDEX = [0x20, ANY, 0x41, 12, 0x76, 0x41, 2, 0x74];
/** After it: `local.tee entry; i32.const wrong; i32.and`, and `i32.const 1; i32.eq`. */
const RIGHTS = [0x22, ANY, 0x41, ANY, ANY, 0x71];
const IS_VALID = [0x41, 1, 0x46];
/** `local.get address; i32.const 4095; i32.and; i32.const 4096 - size; i32.le_s; i32.and`. */
const WITHIN_PAGE = [0x20, ANY, 0x41, 0xff, 0x1f, 0x71, 0x41, ANY, 0x1f, 0x4c, 0x71];
const SIZE_AT = 7;
/** `local.tee`, where what is read will be written; `br_if 0`. */
const KEEP = 0x22;
const BRANCH = [0x0d, 0];

/** `i32.const place; i32.add; i32.load`; a constant is a signed number, in as many bytes here. */
const SUMMED_LOAD = [0x41, ...numberBytes(PAGE_TABLE), 0x6a, 0x28, 2, 0];

/** `((address + last) ^ address) & 4096`, or'ed to what is on the stack. */
const crossing = (address: number, last: number): number[] => [
  ...[0x20, address, 0x41, last, 0x6a, 0x20, address, 0x73, 0x41, 0x80, 0x20, 0x71, 0x72],
];

/** An access: where the load is, what follows it, and the branch. */
export interface Access {
  readonly at: number;
  readonly rights: number;
  readonly valid: number;
  readonly address: number;
  /** How many bytes come after the first. */
  readonly last: number;
  /** Where the condition ends, and where the branch is. */
  readonly end: number;
  readonly branch: number;
}

/** The next access from `from` on. */
export function nextAccess(module: Uint8Array, from: number): Access | undefined {
  for (let at = find(module, from, LOAD, RARE_AT); at >= 0; at = find(module, at + LOAD.length, LOAD, RARE_AT)) {
    const rights = at + LOAD.length;
    const valid = rights + RIGHTS.length;
    if (!matches(module, at - INDEX.length, INDEX) || !matches(module, rights, RIGHTS)) continue;
    if (!matches(module, valid, IS_VALID)) continue;
    const address = module[at - INDEX.length + 1]!;
    const within = valid + IS_VALID.length;
    const isWide = matches(module, within, WITHIN_PAGE) && module[within + 1] === address;
    const end = isWide ? within + WITHIN_PAGE.length : within;
    const branch = module[end] === KEEP ? end + 2 : end;
    if (!matches(module, branch, BRANCH)) continue;
    // The constant is a signed number of two bytes: of 4096 - size the first has the low seven bits.
    const last = isWide ? 0x80 - (module[within + SIZE_AT]! & 0x7f) - 1 : 0;
    return { at, rights, valid, address, last, end, branch };
  }
  return undefined;
}

/** Puts a better one in the place of what is from `at` to `end`. */
export function putAccess(out: Output, module: Uint8Array, { rights, valid, address, last }: Access): void {
  out.push(SUMMED_LOAD);
  out.copy(module, rights, valid);
  if (last > 0) out.push(crossing(address, last));
  out.push(IS_VALID);
}
