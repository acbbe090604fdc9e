import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { BlockCode } from "./block_code.ts";
import { CODE_TABLE, PAGE_TABLE } from "../layout.ts";
import { numberBytes, readNumber } from "../wasm_numbers.ts";

const PAGES = 200;
/** Of an entry: valid, and bits that make an access slow. */
const [VALID, READ_ONLY] = [1, 2];
const WRONG_TO_READ = 0xfc9;
const WRONG_TO_WRITE = 0xfeb;
/** Where a block tells what it did. */
const [SLOW_AT, VALUE_AT] = [1024, 1032];
const HINTS = "metadata.code.branch_hint";

interface Access {
  readonly sizeBytes: 1 | 2 | 4 | 8 | 16;
  readonly wrong: number;
  /** Whether the condition is kept in a local, as in reads that are written back. */
  readonly kept: boolean;
}

const name = (text: string) => [text.length, ...new TextEncoder().encode(text)];
const section = (id: number, bytes: readonly number[]) => [id, ...numberBytes(bytes.length), ...bytes];
const signed14 = (value: number) => [value & 0x7f | 0x80, value >> 7];
const store = (at: number, value: readonly number[]) => [0x41, ...signed14(at), ...value, 0x36, 2, 0];
const get = (local: number) => [0x20, local];

/** A block as the core makes it, of a function with a parameter, `body`, and the two functions that it may call. */
function blockOf(body: readonly number[]): Uint8Array<ArrayBuffer> {
  const slow = [...name("e"), ...name("slow"), 0, 1];
  const lookup = [...name("e"), ...name("jit_find_cache_entry_in_page"), 0, 2];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [3, 0x60, 1, 0x7f, 0, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f]),
    ...section(2, [3, ...slow, ...lookup, ...name("e"), ...name("m"), 2, 0, 64]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name("f"), 0, 2]),
    ...section(10, [1, ...numberBytes(body.length), ...body]),
  ]);
}

/** One access at the address in its parameter; what is there goes to VALUE_AT. */
function block({ sizeBytes, wrong, kept }: Access, padding: readonly number[] = []): Uint8Array<ArrayBuffer> {
  const condition = [
    ...[0x20, 0, 0x41, 12, 0x76, 0x41, 2, 0x74, 0x28, 2, ...numberBytes(PAGE_TABLE), 0x22, 1],
    ...[0x41, ...signed14(wrong), 0x71, 0x41, 1, 0x46],
    ...(sizeBytes === 1 ? [] : [0x20, 0, 0x41, 0xff, 0x1f, 0x71, 0x41, ...signed14(4096 - sizeBytes), 0x4c, 0x71]),
  ];
  const slow = [...store(SLOW_AT, [0x41, 1]), ...get(0), 0x10, 0, 0x21, 1];
  const value = [...get(1), 0x41, 0x80, 0x60, 0x71, ...get(0), 0x73, 0x2d, 0, 0];
  return blockOf([
    ...[1, 2, 0x7f, 0x02, 0x40, ...condition, ...(kept ? [0x22, 2] : []), 0x0d, 0, ...slow, 0x0b],
    ...store(VALUE_AT, value),
    ...padding,
    0x0b,
  ]);
}

/** One question for where to go on, after memory's 556 was set to the parameter; the answer goes to VALUE_AT. */
function asking(blockNumber: number, flags: number): Uint8Array<ArrayBuffer> {
  const question = [0x41, 0xac, 4, 0x28, 2, 0, 0x41, ...signed14(blockNumber), 0x41, ...signed14(flags), 0x10, 1];
  const answer = store(VALUE_AT, get(0));
  return blockOf([
    // Also a local of 64 bits.
    ...[2, 1, 0x7f, 1, 0x7e, ...store(556, get(0)), 0x02, 0x40, ...question],
    ...[0x22, 0, 0x41, 0, 0x4e, 0x0d, 0, 0x0b, ...answer, 0x0b],
  ]);
}

/** What `module` does with each address: whether it was slow, and what it read. */
function outcomes(module: Uint8Array<ArrayBuffer>, addresses: readonly number[], entry: number): number[][] {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const bytes = new Uint8Array(memory.buffer);
  const words = new Uint32Array(memory.buffer);
  bytes.set(Uint8Array.from({ length: 4096 }, (_, at) => at * 7 & 0xff), 65536);
  // An entry holds what makes a place in memory of an address.
  const placed = (address: number, page: number) => (address & -4096) ^ page;
  for (const address of addresses) words[(PAGE_TABLE >> 2) + (address >>> 12)] = placed(address, entry);
  // What is slow answers with another place, so that it shows in the value as well.
  const slow = (address: number) => placed(address, 0x1_1000) | VALID;
  const imports = { e: { m: memory, slow, jit_find_cache_entry_in_page: () => -1 } };
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(module), imports).exports;
  return addresses.map((address) => {
    words[SLOW_AT >> 2] = 0;
    words[VALUE_AT >> 2] = 0xffff_ffff;
    (f as (address: number) => void)(address);
    return [address, words[SLOW_AT >> 2]!, words[VALUE_AT >> 2]!];
  });
}

/** The places that hints are for, as bytes of the function's body; each with what is hinted. */
function hinted(module: Uint8Array): { opcode: number[]; hint: number[] }[] {
  const found: { opcode: number[]; hint: number[] }[] = [];
  const hints: { offset: number; hint: number[] }[] = [];
  for (let at = 8; at < module.length;) {
    const size = readNumber(module, at + 1);
    const text = new TextDecoder().decode(module.subarray(size.end + 1, size.end + 1 + HINTS.length));
    if (module[at] === 0 && text === HINTS) {
      let next = size.end + 1 + HINTS.length;
      assertEquals([...module.subarray(next, next + 2)], [1, 2], "of one function, which is number 2");
      const count = readNumber(module, next + 2);
      next = count.end;
      for (let index = 0; index < count.value; index++) {
        const offset = readNumber(module, next);
        hints.push({ offset: offset.value, hint: [...module.subarray(offset.end, offset.end + 2)] });
        next = offset.end + 2;
      }
    }
    if (module[at] === 10) {
      const body = readNumber(module, size.end + 1).end;
      for (const { offset, hint } of hints) {
        found.push({ opcode: [...module.subarray(body + offset, body + offset + 2)], hint });
      }
    }
    at = size.end + size.value;
  }
  return found;
}

const PLACES = [0, 1, 2047, 4079, 4080, 4081, 4087, 4088, 4089, 4091, 4092, 4093, 4094, 4095];
const ADDRESSES = [0, 0x1000, 0x7fff_f000, 0x8000_0000, 0xc123_4000, 0xffff_f000].flatMap((page) =>
  PLACES.map((place) => page + place)
);
const ENTRIES = [0, VALID, VALID | READ_ONLY, VALID | 4, VALID | 8, VALID | 0x40, VALID | 0x800, READ_ONLY, 0x10, 0xfff]
  .map((flags) => 0x1_0000 | flags);

for (const sizeBytes of [1, 2, 4, 8, 16] as const) {
  Deno.test(`an access of ${sizeBytes} bytes means the same in the better block, and its branch has a hint`, () => {
    for (const wrong of [WRONG_TO_READ, WRONG_TO_WRITE]) {
      for (const kept of [false, true]) {
        const better = new BlockCode(PAGES);
        const module = block({ sizeBytes, wrong, kept });
        const improved = better.improve(module).slice();
        assertEquals(better.accesses, 1);
        assertEquals(hinted(improved), [{ opcode: [0x0d, 0], hint: [1, 1] }]);
        for (const entry of ENTRIES) {
          const expected = ADDRESSES.map((address) => {
            const isFast = (entry & wrong) === VALID && (address & 4095) <= 4096 - sizeBytes;
            return [address, isFast ? 0 : 1, isFast ? (address & 4095) * 7 & 0xff : 0];
          });
          assertEquals(outcomes(module, ADDRESSES, entry), expected);
          assertEquals(outcomes(improved, ADDRESSES, entry), expected);
        }
      }
    }
  });
}

/** What the core's own function answers, and how often it was asked, for each target. */
function answers(module: Uint8Array<ArrayBuffer>, tables: (view: DataView) => void, targets: readonly number[]) {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const view = new DataView(memory.buffer);
  tables(view);
  let asked = 0;
  const jit_find_cache_entry_in_page = (target: number, blockNumber: number, flags: number) => {
    asked++;
    const at = view.getUint32(CODE_TABLE + 4 * (target >>> 12), true);
    if (at === 0 || view.getUint8(at + 8194) !== flags || view.getUint16(at + 8192, true) !== blockNumber) return -1;
    const entry = view.getUint16(at + 2 * (target & 4095), true);
    return entry === 0xffff ? -1 : entry;
  };
  const imports = { e: { m: memory, slow: () => 0, jit_find_cache_entry_in_page } };
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(module), imports).exports;
  const given = targets.map((target) => {
    (f as (target: number) => void)(target);
    return view.getInt32(VALUE_AT, true);
  });
  return { given, asked };
}

Deno.test("where to go on is looked up in place, and found as the core's function finds it", () => {
  const targets = [0x1000, 0x1001, 0x1ffe, 0x1fff, 0x2000, 0x2005, 0xc000_0123, 0xffff_ffff, 0];
  const tables = (view: DataView) => {
    const page = (linear: number, at: number, blockNumber: number, flags: number) => {
      view.setUint32(CODE_TABLE + 4 * (linear >>> 12), at, true);
      for (let place = 0; place < 4096; place++) view.setUint16(at + 2 * place, place % 3 === 0 ? 0xffff : place, true);
      view.setUint16(at + 8192, blockNumber, true);
      view.setUint8(at + 8194, flags);
    };
    page(0x1000, 0x90_0000, 700, 11);
    page(0x2000, 0x90_4000, 701, 11);
    page(0xc000_0000, 0x90_8000, 700, 10);
    page(0xffff_f000, 0x90_c000, 700, 11);
  };
  const module = asking(700, 11);
  const better = new BlockCode(PAGES);
  const improved = better.improve(module).slice();
  assertEquals([better.lookups, better.accesses], [1, 0]);
  const given = [-1, 1, 4094, -1, -1, -1, -1, -1, -1];
  assertEquals(answers(module, tables, targets), { given, asked: targets.length });
  assertEquals(answers(improved, tables, targets), { given, asked: 0 });
});

Deno.test("what does not look like an access stays as it is, and what is no block is handed back", () => {
  const better = new BlockCode(PAGES);
  const module = block({ sizeBytes: 4, wrong: WRONG_TO_READ, kept: false });
  // `i32.const 12` becomes 13: no page's number.
  const other = module.slice();
  const at = other.findIndex((byte, index) => byte === 0x41 && other[index + 1] === 12 && other[index + 2] === 0x76);
  other[at + 1] = 13;
  const improved = better.improve(other).slice();
  assertEquals([better.accesses, hinted(improved)], [0, []]);
  assert(WebAssembly.validate(improved));
  assertEquals(improved.subarray(-20), other.subarray(-20));
  const empty = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  assertStrictEquals(better.improve(empty), empty);
  const withoutMemory = Uint8Array.from([...empty, ...section(2, [0]), ...section(10, [1, 2, 0, 0x0b])]);
  assertStrictEquals(better.improve(withoutMemory), withoutMemory);
});

Deno.test("blocks longer than the room for them come out whole", () => {
  const nothing = Array.from({ length: 200_000 }, () => 1);
  const module = block({ sizeBytes: 4, wrong: WRONG_TO_READ, kept: false }, nothing);
  const better = new BlockCode(PAGES);
  const improved = better.improve(module).slice();
  assertEquals(better.accesses, 1);
  assertEquals(outcomes(improved, ADDRESSES, 0x1_0001), outcomes(module, ADDRESSES, 0x1_0001));
});
