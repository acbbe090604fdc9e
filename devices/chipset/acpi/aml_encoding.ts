/**
 * How AML spells names, numbers and lengths.
 *
 * Source: [ACPI 6.5] 20.2.1 "Table and Table Header Encoding" to 20.2.4 "Package Length Encoding", 6.1.5 "_HID".
 *
 * @module
 */
import { concatBytes, littleEndian } from "../../../base/bytes.ts";
import { assert } from "../../../base/assert.ts";

const ZERO = 0x00;
const ONE = 0x01;
const ONES = 0xff;
const BYTE_PREFIX = 0x0a;
const WORD_PREFIX = 0x0b;
const DWORD_PREFIX = 0x0c;
const STRING_PREFIX = 0x0d;
const NULL_NAME = 0x00;
const DUAL_NAME_PREFIX = 0x2e;
const MULTI_NAME_PREFIX = 0x2f;
const SEGMENT_CHARACTERS = 4;

/** An integer in as few bytes as it takes; tables of revision 1 have 32 bits, and all of them set is one byte. */
export function integerBytes(value: number): Uint8Array {
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, `${value} is no integer of AML`);
  if (value === 0) return Uint8Array.of(ZERO);
  if (value === 1) return Uint8Array.of(ONE);
  if (value === 0xffff_ffff) return Uint8Array.of(ONES);
  if (value <= 0xff) return Uint8Array.of(BYTE_PREFIX, value);
  if (value <= 0xffff) return Uint8Array.of(WORD_PREFIX, ...littleEndian(value, 2));
  return Uint8Array.of(DWORD_PREFIX, ...littleEndian(value, 4));
}

/** Characters from 1 to 7Fh and a zero. */
export function stringBytes(text: string): Uint8Array {
  assert(/^[\x01-\x7f]*$/.test(text), `no text of AML: ${text}`);
  return Uint8Array.of(STRING_PREFIX, ...new TextEncoder().encode(text), 0);
}

/** A path such as `\_SB.PCI0`, `^^PCI0` or `LNKA`. */
export function nameBytes(path: string): Uint8Array {
  const match = /^(\\|\^*)([A-Z_][A-Z0-9_.]*)?$/.exec(path);
  assert(match !== null, `no name of AML: ${path}`);
  const prefix = new TextEncoder().encode(match[1]);
  const segments = match[2] === undefined ? [] : match[2].split(".").map(segmentBytes);
  const count = segments.length === 0
    ? [NULL_NAME]
    : segments.length === 1
    ? []
    : segments.length === 2
    ? [DUAL_NAME_PREFIX]
    : [MULTI_NAME_PREFIX, segments.length];
  return concatBytes([prefix, Uint8Array.from(count), ...segments]);
}

/** One segment, filled up to four characters. */
export function segmentBytes(name: string): Uint8Array {
  assert(/^[A-Z_][A-Z0-9_]{0,3}$/.test(name), `no name segment of AML: ${name}`);
  return new TextEncoder().encode(name.padEnd(SEGMENT_CHARACTERS, "_"));
}

/** A number in a package length's form: two bits say how many bytes follow. */
export function packageNumber(value: number): Uint8Array {
  if (value < 1 << 6) return Uint8Array.of(value);
  const following = value < 1 << 12 ? 1 : value < 1 << 20 ? 2 : 3;
  assert(value < 1 << 28, `a package of ${value} bytes is too long for AML`);
  return Uint8Array.of(following << 6 | value & 0xf, ...littleEndian(value >>> 4, following));
}

/** `content` with its length in front; the length counts itself. */
export function packaged(content: Uint8Array): Uint8Array {
  let prefixBytes = 1;
  while (packageNumber(content.length + prefixBytes).length > prefixBytes) prefixBytes++;
  return concatBytes([packageNumber(content.length + prefixBytes), content]);
}

/** `"PNP0A03"` as the integer that stands for it: five bits a letter, four a digit, in the order of the wire. */
export function eisaIdNumber(id: string): number {
  assert(/^[A-Z]{3}[0-9A-F]{4}$/.test(id), `no EISA id: ${id}`);
  const [first, second, third] = [...id].slice(0, 3).map((letter) => letter.charCodeAt(0) - 0x40);
  const big = (first! << 26 | second! << 21 | third! << 16 | parseInt(id.slice(3), 16)) >>> 0;
  return littleEndian(big, 4).reduce((number, byte) => number * 256 + byte, 0);
}
