/**
 * Arithmetic on offsets up to 2^53-1, where the 32-bit operators of JavaScript would lose the upper half.
 *
 * @module
 */

/** The largest multiple of `unit` that is not above `value`. */
export function alignDown(value: number, unit: number): number {
  return value - value % unit;
}

/** The smallest multiple of `unit` that is not below `value`. */
export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** Whether `value` is a multiple of `unit`. */
export function isAligned(value: number, unit: number): boolean {
  return value % unit === 0;
}

/** How many units of `unit` it takes to hold `value`. */
export function divideCeil(value: number, unit: number): number {
  return Math.ceil(value / unit);
}

/** Whether `value` is 1, 2, 4, 8 ... up to 2^52. */
export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}

/** The exponent of a power of two: 9 for 512. */
export function log2Exact(value: number): number {
  return Math.log2(value);
}
