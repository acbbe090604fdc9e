/**
 * What the core has compiled of the guest's code, made better before the host's compiler gets it.
 *
 * A block gets at guest memory by a table with an entry for each page of the guest's addresses:
 *
 *     block
 *       entry = table[address >> 12]
 *       br_if 0 (entry & wrong) == valid & (address & 4095) <= 4096 - size
 *       entry = slow(address); leave the block's function where that is a fault
 *     end
 *     memory[(entry & -4096) ^ address]
 *
 * A third of all time goes into such accesses. Here
 *
 * - memory is declared with the one size that it has: checks against its bounds become one comparison with a number that
 *   stays, where size and place were read again after each call;
 * - both conditions are one: where bit 12 of an access's first and last byte differ, it crosses a page;
 * - the table's place is added to the index, so that this check compares with the same number as that of the data;
 * - a hint says that the branch is nearly always taken: what is slow is compiled out of the way, and registers need not be
 *   saved for it.
 *
 * What does not look like this stays as it is: blocks mean the same with and without.
 *
 * Source: [WebAssembly 2.0] 5.5 "Modules"; [Branch Hinting] "Branch Hints Section"; blocks of v86 0.5.462 looked at.
 *
 * @module
 */
import { PAGE_TABLE } from "./layout.ts";
import { numberBytes, readNumber } from "./wasm_numbers.ts";

const HEADER_BYTES = 8;
const Section = { custom: 0, import: 2, code: 10 } as const;
const HINTS_NAME = new TextEncoder().encode("metadata.code.branch_hint");

/** How an import of a memory ends that says nothing but that it has at least 4 MiB, and how one begins with both limits. */
const ANY_MEMORY = [2, 0, 64];
const MEMORY_WITH_BOTH = [2, 1];

/** Stands for a byte that is not always the same. */
const ANY = -1;
/** `i32.load` from the table, whose place is a number of 32 bits. */
const TABLE_LOAD = [0x28, 2, ...numberBytes(PAGE_TABLE)];
/** Which of its bytes is the rarest. */
const RARE_AT = 2;
/** Before it: `local.get address; i32.const 12; i32.shr_u; i32.const 2; i32.shl`. */
const INDEX = [0x20, ANY, 0x41, 12, 0x76, 0x41, 2, 0x74];
/** After it: `local.tee entry; i32.const wrong; i32.and`, and `i32.const 1; i32.eq`. */
const RIGHTS = [0x22, ANY, 0x41, ANY, ANY, 0x71];
const IS_VALID = [0x41, 1, 0x46];
/** `local.get address; i32.const 4095; i32.and; i32.const 4096 - size; i32.le_s; i32.and`. */
const WITHIN_PAGE = [0x20, ANY, 0x41, 0xff, 0x1f, 0x71, 0x41, ANY, 0x1f, 0x4c, 0x71];
const SIZE_AT = 7;
/** `local.tee`; `br_if 0`. */
const KEEP = 0x22;
const BRANCH = [0x0d, 0];

/** `i32.const place; i32.add; i32.load`; a constant is a signed number, in as many bytes here. */
const SUMMED_LOAD = [0x41, ...numberBytes(PAGE_TABLE), 0x6a, 0x28, 2, 0];

/** `((address + last) ^ address) & 4096`, or'ed to what is on the stack. */
const crossing = (address: number, last: number): number[] => [
  ...[0x20, address, 0x41, last, 0x6a, 0x20, address, 0x73, 0x41, 0x80, 0x20, 0x71, 0x72],
];

/** Where the parts of a block's module are. */
interface Parts {
  /** The section of imports, what is in it, and its end. */
  readonly imports: number;
  readonly importList: number;
  readonly importsEnd: number;
  /** How many functions are imported, which is the own one's number. */
  readonly functions: number;
  /** The section of code. */
  readonly code: number;
  /** The only function's locals and instructions. */
  readonly body: number;
  readonly bodyEnd: number;
}

/** Makes blocks better that work on a memory of one size. */
export class BlockCode {
  readonly #memoryLimits: readonly number[];
  readonly #body = new Output();
  readonly #hints = new Output();
  readonly #whole = new Output();
  #hintCount = 0;
  /** How many accesses were made better so far. */
  accesses = 0;

  constructor(memoryPages: number) {
    const size = numberBytes(memoryPages);
    this.#memoryLimits = [...MEMORY_WITH_BOTH, ...size, ...size];
  }

  /** `module`, or a better one that means the same; good until the next call. */
  improve(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    this.#hintCount = 0;
    const parts = partsOf(module);
    if (parts === undefined) return module;
    this.#improveBody(module, parts);
    return this.#assemble(module, parts);
  }

  #improveBody(module: Uint8Array, { body, bodyEnd }: Parts): void {
    const out = this.#body;
    out.clear();
    this.#hints.clear();
    let copied = body;
    for (let load = nextLoad(module, body); load >= 0; load = nextLoad(module, load + TABLE_LOAD.length)) {
      const rights = load + TABLE_LOAD.length;
      const valid = rights + RIGHTS.length;
      if (!matches(module, load - INDEX.length, INDEX) || !matches(module, rights, RIGHTS)) continue;
      if (!matches(module, valid, IS_VALID)) continue;
      const address = module[load - INDEX.length + 1]!;
      const within = valid + IS_VALID.length;
      const isWide = matches(module, within, WITHIN_PAGE) && module[within + 1] === address;
      const kept = isWide ? within + WITHIN_PAGE.length : within;
      const branch = module[kept] === KEEP ? kept + 2 : kept;
      if (!matches(module, branch, BRANCH)) continue;
      out.copy(module, copied, load);
      out.push(SUMMED_LOAD);
      out.copy(module, rights, valid);
      // The constant is a signed number of two bytes: of 4096 - size the first has the low seven bits.
      if (isWide) out.push(crossing(address, 0x80 - (module[within + SIZE_AT]! & 0x7f) - 1));
      out.push(IS_VALID);
      copied = kept;
      this.#hint(out.length + branch - kept);
    }
    out.copy(module, copied, bodyEnd);
  }

  /** The branch at `offset` of the body is nearly always taken. */
  #hint(offset: number): void {
    this.#hintCount++;
    this.accesses++;
    this.#hints.pushNumber(offset);
    this.#hints.push([1, 1]);
  }

  #assemble(module: Uint8Array, parts: Parts): Uint8Array<ArrayBuffer> {
    const whole = this.#whole;
    whole.clear();
    whole.copy(module, 0, parts.imports);
    whole.push([Section.import]);
    const listEnd = parts.importsEnd - ANY_MEMORY.length;
    whole.pushNumber(listEnd - parts.importList + this.#memoryLimits.length);
    whole.copy(module, parts.importList, listEnd);
    whole.push(this.#memoryLimits);
    whole.copy(module, parts.importsEnd, parts.code);
    if (this.#hintCount > 0) {
      const ofOne = [1, ...numberBytes(parts.functions), ...numberBytes(this.#hintCount)];
      whole.push([Section.custom]);
      whole.pushNumber(1 + HINTS_NAME.length + ofOne.length + this.#hints.length);
      whole.push([HINTS_NAME.length, ...HINTS_NAME, ...ofOne]);
      whole.append(this.#hints);
    }
    const bodySize = numberBytes(this.#body.length);
    whole.push([Section.code]);
    whole.pushNumber(1 + bodySize.length + this.#body.length);
    whole.push([1, ...bodySize]);
    whole.append(this.#body);
    return whole.bytes;
  }
}

/** Bytes one after the other, in room that is used again. */
class Output {
  #room = new Uint8Array(65536);
  length = 0;

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#room.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  push(bytes: readonly number[]): void {
    this.#reserve(bytes.length);
    for (let index = 0; index < bytes.length; index++) this.#room[this.length++] = bytes[index]!;
  }

  pushNumber(value: number): void {
    this.push(numberBytes(value));
  }

  /** Most pieces are short: for those a view would cost more than its bytes. */
  copy(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    if (end - start > 256) {
      this.#room.set(from.subarray(start, end), this.length);
      this.length += end - start;
    } else {
      for (let at = start; at < end; at++) this.#room[this.length++] = from[at]!;
    }
  }

  append(other: Output): void {
    this.copy(other.#room, 0, other.length);
  }

  #reserve(lengthBytes: number): void {
    if (this.length + lengthBytes <= this.#room.length) return;
    const old = this.#room;
    this.#room = new Uint8Array(2 * (this.length + lengthBytes));
    this.#room.set(old.subarray(0, this.length));
  }
}

/** Where the next load from the table is; -1 where there is none. */
function nextLoad(module: Uint8Array, from: number): number {
  for (let rare = from;; rare++) {
    rare = module.indexOf(TABLE_LOAD[RARE_AT]!, rare);
    if (rare < 0) return -1;
    if (matches(module, rare - RARE_AT, TABLE_LOAD)) return rare - RARE_AT;
  }
}

function matches(bytes: Uint8Array, at: number, pattern: readonly number[]): boolean {
  for (let index = 0; index < pattern.length; index++) {
    const wanted = pattern[index]!;
    if (wanted !== ANY && wanted !== bytes[at + index]) return false;
  }
  return true;
}

/** Where its parts are; `undefined` where it is not a module of one function over an imported memory. */
function partsOf(module: Uint8Array): Parts | undefined {
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
      if (imports === 0 || count.value !== 1 || bodyEnd !== module.length) return undefined;
      return { imports, importList, importsEnd, functions, code: start, body: body.end, bodyEnd };
    }
    start = end;
  }
  return undefined;
}
