/**
 * Numbers and memory as `x`, `xp` and `print` show them.
 *
 * @module
 */
import type { DataFormat } from "../schema/arguments.ts";

/** `00000000000ffff0`. */
export function formatAddress(address: bigint): string {
  return BigInt.asUintN(64, address).toString(16).padStart(16, "0");
}

/** Bytes in one unit; characters come in units of their size, each byte by itself. */
export function unitBytes(format: DataFormat): number {
  return Math.max(1, format.sizeBytes);
}

/** Decimal digits that `d` and `u` have room for, octal ones for `o`, by size of a unit. */
const DECIMAL_WIDTH: Readonly<Record<number, number>> = { 1: 3, 2: 5, 4: 10, 8: 20 };
const OCTAL_WIDTH: Readonly<Record<number, number>> = { 1: 3, 2: 6, 4: 11, 8: 22 };

/** One unit of `size` bytes at `at` of `bytes`, little-endian, as wide as any of its size. */
export function formatUnit(bytes: Uint8Array, at: number, size: number, format: DataFormat["format"]): string {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[at + i] ?? 0);
  switch (format) {
    case "o":
      return cOctal(value).padStart(OCTAL_WIDTH[size]!);
    case "u":
      return value.toString().padStart(DECIMAL_WIDTH[size]!);
    case "d":
      // Bytes and half words are not extended: only whole words show a sign, as at QEMU's prompt.
      return (size === 8 ? BigInt.asIntN(64, value) : size === 4 ? BigInt.asIntN(32, value) : value).toString()
        .padStart(DECIMAL_WIDTH[size]!);
    default:
      return `0x${value.toString(16).padStart(size * 2, "0")}`;
  }
}

/** The value of an expression. */
export function formatNumber(value: bigint, format: DataFormat["format"]): string {
  const unsigned = BigInt.asUintN(64, value);
  switch (format) {
    case "o":
      return cOctal(unsigned);
    case "x":
      return unsigned === 0n ? "0" : `0x${unsigned.toString(16)}`;
    case "u":
      return unsigned.toString();
    case "c":
      return quotedCharacter(value);
    default:
      return BigInt.asIntN(64, value).toString();
  }
}

/** C's `%#o`. */
function cOctal(value: bigint): string {
  return value === 0n ? "0" : `0${value.toString(8)}`;
}

/** `'A'`, `'\n'`, `'\x05'`. */
export function quotedCharacter(value: bigint): string {
  const code = Number(BigInt.asUintN(32, value));
  switch (code) {
    case 0x27:
      return "'\\''";
    case 0x5c:
      return "'\\\\'";
    case 0x0a:
      return "'\\n'";
    case 0x0d:
      return "'\\r'";
  }
  return code >= 0x20 && code <= 0x7e ? `'${String.fromCharCode(code)}'` : `'\\x${code.toString(16).padStart(2, "0")}'`;
}
