/**
 * Sizes as QEMU reads and prints them.
 *
 * Read: decimal with a fraction (`1.5G`) or hexadecimal (`0x10`), a suffix of b k K m M g G t T p P e E (powers of
 * 1024), nothing else; up to 2^64-1. Print: three digits with a binary unit (`196 KiB`), as `qemu-img info` does, and
 * three decimals, as `qemu-io` does. Negative sizes, exponents and locale do not exist here.
 *
 * Source: behaviour of qemu-img and qemu-io 7.2.
 *
 * @module
 */
import { OptionError } from "./option_error.ts";

/** What a text is as a size. */
export type SizeText =
  | {
    readonly kind: "size";
    /** Exact, 0 to 2^64-1. */
    readonly bytes: bigint;
    /** A suffix followed a hexadecimal number: QEMU warns. */
    readonly hexSuffix: boolean;
  }
  | { readonly kind: "invalid" }
  /** A number, but of 2^64 or above. */
  | { readonly kind: "range" };

const UNITS = "bkmgtpe";
const LIMIT = 1n << 64n;

/** The hint that QEMU prints after a malformed size. */
export const SIZE_HINT = "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n" +
  "and exabytes, respectively.";

/**
 * Reads a size. `defaultUnit` is what a number without a suffix counts in (`-m` counts in M).
 *
 * ```ts
 * import { parseSizeText } from "./sizes.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseSizeText("1.5k"), { kind: "size", bytes: 1536n, hexSuffix: false });
 * ```
 */
export function parseSizeText(text: string, defaultUnit: "b" | "k" | "m" | "g" = "b"): SizeText {
  const match = /^[ \t\n\v\f\r]*\+?(?:0x([0-9a-f]+)|(\d+)(?:\.(\d*))?)([bkmgtpe]?)$/i.exec(text);
  if (match === null) return { kind: "invalid" };
  const [, hex, whole, fractionDigits, suffix] = match;
  const unit = 1n << BigInt(10 * UNITS.indexOf((suffix! === "" ? defaultUnit : suffix!).toLowerCase()));
  const fraction = Number(`0.${fractionDigits ?? ""}`) || 0;
  if (unit === 1n && fraction !== 0) return { kind: "invalid" };
  const number = BigInt(hex === undefined ? whole! : `0x${hex}`);
  if (number >= LIMIT) return { kind: "range" };
  const bytes = number * unit + BigInt(Math.floor(fraction * Number(unit) + 0.5));
  if (bytes >= LIMIT) return { kind: "range" };
  return { kind: "size", bytes, hexSuffix: hex !== undefined && suffix !== "" };
}

/**
 * Reads the size that option `name` carries, in bytes.
 *
 * @throws {OptionError} it is no size, or is above 2^53-1, which no offset here can be.
 */
export function parseSize(text: string, name: string, defaultUnit: "b" | "k" | "m" | "g" = "b"): number {
  const size = parseSizeText(text, defaultUnit);
  if (size.kind === "invalid") {
    throw new OptionError(`Parameter '${name}' expects a non-negative number below 2^64`, SIZE_HINT);
  }
  if (size.kind === "range" || size.bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new OptionError(`Value '${text}' is out of range for parameter '${name}'`);
  }
  return Number(size.bytes);
}

const PRINTED_UNITS = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/**
 * A size for people, as `qemu-img info` and `info snapshots` print it: `"1.5 GiB"`, `"0 B"`.
 *
 * Three significant digits; the unit changes at 1000, not at 1024, so 1024000 bytes are `"0.977 MiB"`.
 */
export function formatSize(bytes: number | bigint): string {
  const value = BigInt(bytes);
  let unit = 0;
  while (unit < PRINTED_UNITS.length - 1 && value >= 1000n << BigInt(10 * unit)) unit++;
  return `${threeDigits(value, BigInt(10 * unit))} ${PRINTED_UNITS[unit]}B`;
}

/** A size as `qemu-io` prints it: `"64 KiB"`, `"1.500 MiB"`, `"511 bytes"`. */
export function formatIoSize(bytes: number | bigint): string {
  const value = BigInt(bytes);
  let unit = 0;
  while (unit < PRINTED_UNITS.length - 1 && value >= 1n << BigInt(10 * (unit + 1))) unit++;
  if (unit === 0) return `${value} bytes`;
  return `${fixed(value, BigInt(10 * unit), 3).replace(/\.000$/, "")} ${PRINTED_UNITS[unit]}B`;
}

/** C's `%.3g` of `value / 2^shift`, which is below 1024 but for exbibytes. */
function threeDigits(value: bigint, shift: bigint): string {
  const whole = value >> shift;
  // All that is printed below 1 is a little under it: the unit changes at 1000.
  const decimals = whole >= 100n ? 0 : whole >= 10n ? 1 : whole >= 1n || value === 0n ? 2 : 3;
  const text = fixed(value, shift, decimals);
  if (Number(text) >= 1000) return `${trimZeroes((Number(text) / 1000).toFixed(2))}e+03`;
  // 9.996 is "10", 99.96 is "100": rounding has already brought the fewer digits that it takes.
  return trimZeroes(text);
}

/** `value / 2^shift` with so many decimals, ties to even, as C's printf rounds. */
function fixed(value: bigint, shift: bigint, decimals: number): string {
  const scaled = value * 10n ** BigInt(decimals);
  const half = 1n << shift >> 1n;
  const rest = scaled & ((1n << shift) - 1n);
  let rounded = scaled >> shift;
  if (shift > 0n && (rest > half || (rest === half && (rounded & 1n) === 1n))) rounded++;
  if (decimals === 0) return rounded.toString();
  const digits = rounded.toString().padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

function trimZeroes(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
