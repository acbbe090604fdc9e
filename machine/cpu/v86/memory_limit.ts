/**
 * Gives a WebAssembly module's memory the limit that it has anyway: 4 GiB.
 *
 * A memory whose limit is written down can be seen through one buffer that stays when it grows
 * (`WebAssembly.Memory.toResizableBuffer`). Without that every view is lost then, those of disk requests in flight
 * included.
 *
 * Source: [WebAssembly 2.0] 5.5.2 "Sections", 5.5.8 "Memory Section", 5.3.7 "Limits".
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";

const HEADER_BYTES = 8;
const MEMORY_SECTION = 5;
/** Flags of limits: there is a minimum only, and both. */
const MINIMUM = 0;
const BOTH = 1;
/** 65536 pages of 64 KiB, as a number of seven bits a byte. */
const MOST_PAGES = [0x80, 0x80, 0x04] as const;

/** `module` with a limit of its memory; itself where there is one, or no memory of its own. @throws {RangeError} */
export function withMemoryLimit(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  for (let at = HEADER_BYTES; at < module.length;) {
    const size = readNumber(module, at + 1);
    const end = size.end + size.value;
    if (end > module.length) break;
    if (module[at] === MEMORY_SECTION) return limited(module, at, size.end, end);
    at = end;
  }
  return module;
}

/** The memory section begins at `at`, what is in it goes from `start` to `end`: how many, flags, minimum. */
function limited(module: Uint8Array<ArrayBuffer>, at: number, start: number, end: number): Uint8Array<ArrayBuffer> {
  if (module[start] !== 1 || module[start + 1] !== MINIMUM) return module;
  const section = [1, BOTH, ...module.subarray(start + 2, end), ...MOST_PAGES];
  assert(section.length < 0x80, "a section whose length is one byte");
  const whole = new Uint8Array(at + 2 + section.length + module.length - end);
  whole.set(module.subarray(0, at));
  whole.set([MEMORY_SECTION, section.length, ...section], at);
  whole.set(module.subarray(end), at + 2 + section.length);
  return whole;
}

/** A number of seven bits a byte, lowest first. */
function readNumber(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let shift = 1; at < bytes.length; shift *= 0x80) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * shift;
    if (byte < 0x80) return { value, end: at };
  }
  throw new RangeError("the module ends within a number");
}
