/**
 * Gives a WebAssembly module that makes its own memory one of a fixed size.
 *
 * Its buffer is the same for ever then, so views of it live as long as it does, those of disk requests in flight
 * included; and code that works on it need not look again where it lies and how large it is. What is not used of it
 * costs addresses only.
 *
 * Source: [WebAssembly 2.0] 5.5.2 "Sections", 5.5.8 "Memory Section", 5.3.7 "Limits".
 *
 * @module
 */
import { numberBytes, readNumber } from "./wasm_numbers.ts";

/** A page of WebAssembly's. */
export const WASM_PAGE_BYTES = 65536;

const HEADER_BYTES = 8;
const MEMORY_SECTION = 5;
/** Flags of limits: there is a minimum only, and both. */
const MINIMUM = 0;
const BOTH = 1;

/** Where a module says how large its memory is. */
interface MemorySection {
  readonly start: number;
  readonly end: number;
  readonly minimumPages: number;
}

/** How many pages the module's memory has at the least. @throws {RangeError} where it has none that may grow */
export function minimumPages(module: Uint8Array): number {
  return memorySection(module).minimumPages;
}

/** `module` with a memory of exactly `pages`. @throws {RangeError} where it has none that may grow, or needs more */
export function withFixedMemory(module: Uint8Array, pages: number): Uint8Array<ArrayBuffer> {
  const { start, end, minimumPages } = memorySection(module);
  if (pages < minimumPages) throw new RangeError(`the module needs ${minimumPages} pages of memory, not ${pages}`);
  const size = numberBytes(pages);
  const section = [1, BOTH, ...size, ...size];
  const head = [MEMORY_SECTION, ...numberBytes(section.length), ...section];
  const whole = new Uint8Array(module.length - (end - start) + head.length);
  whole.set(module.subarray(0, start));
  whole.set(head, start);
  whole.set(module.subarray(end), start + head.length);
  return whole;
}

function memorySection(module: Uint8Array): MemorySection {
  for (let start = HEADER_BYTES; start < module.length;) {
    const size = readNumber(module, start + 1);
    const end = size.end + size.value;
    if (end > module.length) break;
    if (module[start] === MEMORY_SECTION && module[size.end] === 1 && module[size.end + 1] === MINIMUM) {
      return { start, end, minimumPages: readNumber(module, size.end + 2).value };
    }
    start = end;
  }
  throw new RangeError("the module has no memory that may grow");
}
