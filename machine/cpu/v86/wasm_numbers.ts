/**
 * Unsigned numbers in a WebAssembly module: seven bits a byte, lowest first.
 *
 * Source: [WebAssembly 2.0] 5.2.2 "Integers".
 *
 * @module
 */

/** A number, and where what follows it begins. */
export interface ReadNumber {
  readonly value: number;
  readonly end: number;
}

/** The number at `at`. @throws {RangeError} where the module ends within it */
export function readNumber(bytes: Uint8Array, at: number): ReadNumber {
  let value = 0;
  for (let shift = 1; at < bytes.length; shift *= 0x80) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * shift;
    if (byte < 0x80) return { value, end: at };
  }
  throw new RangeError("the module ends within a number");
}

/** `value`, below 2^32, in as few bytes as it needs. */
export function numberBytes(value: number): number[] {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push(value % 0x80 | 0x80);
  return [...bytes, value];
}
